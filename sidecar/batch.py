"""A sealed batch: rows that will be committed together, once, in the form COPY takes.

Immutable. `(origin.spool, number)` names it for ever: whatever happens to the connection or to
the process, the same batch is sent again under the same name, and the ledger's primary key says
whether it is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, NamedTuple
from uuid import UUID

from ibcore.domain import Greeks, MarketRow, Quote, Stat, Trade
from sidecar import pgbinary
from sidecar.change import Change
from sidecar.latest import Latest

_PROVIDER: Final = attrgetter("provider")
_RECEIVED: Final = attrgetter("recv_ts")
_HAPPENED: Final = attrgetter("ts")


class Origin(NamedTuple):
    """One start of one sidecar: it numbers its batches and rows from 1, without a hole."""

    spool: UUID
    sidecar: str
    epoch: int


class Blobs(NamedTuple):
    """Encoded rows, a table each; empty where the batch has none."""

    quote: bytes
    trade: bytes
    greeks: bytes
    instrument_stat: bytes


class Span(NamedTuple):
    """The seq numbers a batch stands for, ends included, and how many of them are rows of it."""

    first_seq: int
    last_seq: int
    rows: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one seal made. `change` is empty when it comes back from the disk.

    `received`: provider -> arrival time -> rows (None: an older file does not say whose).
    `times`: earliest and latest event time of its rows; None where an older file does not say.
    """

    origin: Origin
    number: int
    span: Span
    sealed_us: int
    blobs: Blobs
    change: Change
    received: Mapping[str | None, Mapping[int, int]]
    times: tuple[int, int] | None

    @property
    def rows(self) -> int:
        """Return how many rows it has."""
        return self.span.rows

    @property
    def bytes(self) -> int:
        """Return the size of its rows."""
        return sum(map(len, self.blobs))


@dataclass(slots=True)
class OpenBatch:
    """Rows since the last seal, in the order of their seq."""

    rows: list[MarketRow] = field(default_factory=list)

    @property
    def span(self) -> Span:
        """Return the numbers it stands for (at least one row)."""
        return Span(self.rows[0].seq, self.rows[-1].seq, len(self.rows))

    def seal(
        self, number: int, latest: Latest, *, origin: Origin, now_us: int, keep: Sequence[MarketRow]
    ) -> Batch:
        """Close and encode what of it is to be kept (at least one row)."""
        return Batch(
            origin=origin,
            number=number,
            span=self.span._replace(rows=len(keep)),
            sealed_us=now_us,
            blobs=_encode(keep),
            change=latest.seal(keep),
            received=_received(keep),
            times=(min(map(_HAPPENED, keep)), max(map(_HAPPENED, keep))),
        )


def _received(rows: Sequence[MarketRow]) -> dict[str | None, Counter[int]]:
    providers = set(map(_PROVIDER, rows))
    if len(providers) == 1:
        return {providers.pop(): Counter(map(_RECEIVED, rows))}
    return {
        provider: Counter(row.recv_ts for row in rows if row.provider == provider)
        for provider in providers
    }


def _encode(rows: Sequence[MarketRow]) -> Blobs:
    return Blobs(
        pgbinary.quotes([row for row in rows if type(row) is Quote]),
        pgbinary.trades([row for row in rows if type(row) is Trade]),
        pgbinary.greeks([row for row in rows if type(row) is Greeks]),
        pgbinary.stats([row for row in rows if type(row) is Stat]),
    )
