"""A sealed batch: rows that will be committed together, once, in the form COPY takes.

Immutable. `(spool, number)` names it for ever: whatever happens to the connection, the same
batch is sent again under the same name, and the ledger's primary key says whether it is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, NamedTuple

from ibcore.domain import Greeks, MarketRow, Quote, Stat, Trade
from sidecar import pgbinary
from sidecar.latest import Change, Latest

_RECEIVED: Final = attrgetter("recv_ts")


class Blobs(NamedTuple):
    """Encoded rows, a table each; empty where the batch has none."""

    quote: bytes
    trade: bytes
    greeks: bytes
    instrument_stat: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one seal made."""

    number: int
    first_seq: int
    last_seq: int
    sealed_us: int
    blobs: Blobs
    change: Change
    received: Mapping[int, int]

    @property
    def rows(self) -> int:
        """Return how many rows it has."""
        return self.last_seq - self.first_seq + 1


@dataclass(slots=True)
class OpenBatch:
    """Rows since the last seal, in the order of their seq."""

    rows: list[MarketRow] = field(default_factory=list)

    def seal(self, number: int, latest: Latest, *, now_us: int) -> Batch:
        """Close and encode what is there (at least one row)."""
        rows = self.rows
        return Batch(
            number=number,
            first_seq=rows[0].seq,
            last_seq=rows[-1].seq,
            sealed_us=now_us,
            blobs=_encode(rows),
            change=latest.seal(rows),
            received=Counter(map(_RECEIVED, rows)),
        )


def _encode(rows: Sequence[MarketRow]) -> Blobs:
    return Blobs(
        pgbinary.quotes([row for row in rows if type(row) is Quote]),
        pgbinary.trades([row for row in rows if type(row) is Trade]),
        pgbinary.greeks([row for row in rows if type(row) is Greeks]),
        pgbinary.stats([row for row in rows if type(row) is Stat]),
    )
