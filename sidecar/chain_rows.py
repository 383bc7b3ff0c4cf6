"""A finished chain snapshot as rows: one snapshot, one quote a contract, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import psycopg

from ibcore.clock import datetime_from_us
from ibcore.db import QUERIES
from ibcore.domain import QuoteState
from sidecar.chain_plan import Cell
from sidecar.chain_quote import LineValues
from sidecar.instruments import expiry_of


@dataclass(frozen=True, slots=True)
class Taken:
    """One contract and what its line said."""

    cell: Cell
    values: LineValues


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a snapshot found out."""

    underlying_con_id: int
    exchange: str
    trading_class: str
    spot: float
    seconds: float
    params: dict[str, Any]
    taken: Sequence[Taken]

    def counts(self) -> dict[str, int]:
        """Return how many contracts were expected, and how many are in each state."""
        states = Counter(one.values.state() for one in self.taken)
        return {"expected": len(self.taken)} | {str(state): states[state] for state in QuoteState}

    def quality(self) -> str | None:
        """Return the quality most contracts came in."""
        seen = Counter(
            str(one.values.quality) for one in self.taken if one.values.recv_us is not None
        )
        return seen.most_common(1)[0][0] if seen else None


async def store(
    conn: psycopg.AsyncConnection[Any],
    snapshot: Snapshot,
    *,
    request_id: UUID,
    instrument_ids: dict[int, int],
) -> UUID:
    """Write the snapshot and its quotes; the caller owns the transaction."""
    head = {
        "request_id": request_id,
        "underlying_id": instrument_ids[snapshot.underlying_con_id],
        "exchange": snapshot.exchange,
        "trading_class": snapshot.trading_class,
        "spot": snapshot.spot,
        "seconds": snapshot.seconds,
        "quality": snapshot.quality(),
        "params": orjson.dumps(snapshot.params).decode(),
        **snapshot.counts(),
    }
    cursor = await conn.execute(QUERIES["chain_snapshot_insert"], head)
    found = await cursor.fetchone()
    assert found is not None
    snapshot_id: UUID = found[0]
    rows = [_quote(snapshot_id, instrument_ids[one.cell.con_id], one) for one in snapshot.taken]
    async with conn.cursor() as quotes:
        await quotes.executemany(QUERIES["chain_quote_insert"], rows)
    return snapshot_id


def _quote(snapshot_id: UUID, instrument_id: int, one: Taken) -> dict[str, Any]:
    values = one.values
    book, last, model = values.book, values.last, values.model
    return {
        "snapshot_id": snapshot_id,
        "instrument_id": instrument_id,
        "expiry": expiry_of(one.cell.expiry),
        "strike": one.cell.strike,
        "right": one.cell.right,
        "state": str(values.state()),
        "missing_fields": ",".join((*values.missing(), values.refusal)).strip(",") or None,
        **book._asdict(),
        "last": last.price if last else None,
        "last_size": last.size if last else None,
        "volume": values.stats.get("volume"),
        "open_interest": values.stats.get("open_interest"),
        "iv": model.iv if model else None,
        "delta": model.delta if model else None,
        "gamma": model.gamma if model else None,
        "vega": model.vega if model else None,
        "theta": model.theta if model else None,
        "option_price": model.option_price if model else None,
        "underlying_price": model.underlying_price if model else None,
        "quality": str(values.quality) if values.recv_us is not None else None,
        "recv_ts": None if values.recv_us is None else datetime_from_us(values.recv_us),
    }
