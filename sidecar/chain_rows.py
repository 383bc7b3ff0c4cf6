"""A finished chain snapshot as rows: one snapshot, its expiries, one quote a contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg

from ibcore.clock import datetime_from_us
from ibcore.db import QUERIES
from ibcore.domain import QuoteState
from sidecar.chain_analysis import Analysis, Middle, Own
from sidecar.chain_plan import Cell
from sidecar.chain_quote import LineValues
from sidecar.instruments import expiry_of

_GRADES: Final = (QuoteState.complete, QuoteState.partial)


@dataclass(frozen=True, slots=True)
class Taken:
    """One contract, its number in `instrument`, and what its line said."""

    cell: Cell
    instrument_id: int
    values: LineValues

    @property
    def middle(self) -> Middle:
        """Return what the analysis needs."""
        return Middle(self.cell, self.values.mid)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a snapshot cost: all in all in seconds, and the least its messages can take."""

    seconds: float
    messages: int
    floor_s: float

    @property
    def efficiency(self) -> float:
        """Return the share of the time that no program can save."""
        return self.floor_s / self.seconds if self.seconds > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a snapshot found out."""

    exchange: str
    trading_class: str
    spot: float
    cost: Cost
    params: dict[str, Any]
    taken: Sequence[Taken]
    analysis: Analysis

    def states(self) -> Counter[str]:
        """Return how many contracts are in each state."""
        return Counter(str(one.values.state()) for one in self.taken)

    def counts(self) -> dict[str, int]:
        """Return how many contracts were expected, and are complete, partial, or neither."""
        states, expected = self.states(), len(self.taken)
        graded = {str(state): states[str(state)] for state in _GRADES}
        return {"expected": expected, **graded, "missing": expected - sum(graded.values())}

    def quality(self) -> str | None:
        """Return the quality most contracts came in."""
        seen = Counter(
            str(one.values.quality) for one in self.taken if one.values.recv_us is not None
        )
        return seen.most_common(1)[0][0] if seen else None

    def forward(self) -> float | None:
        """Return the forward of the nearest expiry that has one."""
        found = (e.parity.forward for e in self.analysis.expiries.values() if e.parity.pairs)
        return next(found, None)

    def rate(self) -> float | None:
        """Return the rate to the nearest expiry whose pairs say one."""
        rates = (expiry.parity.rate for expiry in self.analysis.expiries.values())
        return next((rate for rate in rates if rate is not None), None)


async def store(
    conn: psycopg.AsyncConnection[Any],
    snapshot: Snapshot,
    *,
    request_id: UUID,
    underlying_id: int,
) -> UUID:
    """Write the snapshot and its quotes; the caller owns the transaction."""
    head = {**_head(snapshot), "request_id": request_id, "underlying_id": underlying_id}
    cursor = await conn.execute(QUERIES["chain_snapshot_insert"], head)
    found = await cursor.fetchone()
    assert found is not None
    snapshot_id: UUID = found[0]
    expiries = [
        {
            "snapshot_id": snapshot_id,
            "expiry": expiry_of(day),
            "years": expiry.years,
            **expiry.parity._asdict(),
        }
        for day, expiry in snapshot.analysis.expiries.items()
    ]
    own = snapshot.analysis.own
    rows = [_quote(snapshot_id, one, own.get(one.cell.con_id)) for one in snapshot.taken]
    async with conn.cursor() as quotes:
        await quotes.executemany(QUERIES["chain_expiry_insert"], expiries)
        await quotes.executemany(QUERIES["chain_quote_insert"], rows)
    return snapshot_id


def _head(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "exchange": snapshot.exchange,
        "trading_class": snapshot.trading_class,
        "spot": snapshot.spot,
        "seconds": snapshot.cost.seconds,
        "messages": snapshot.cost.messages,
        "floor_s": snapshot.cost.floor_s,
        "efficiency": snapshot.cost.efficiency,
        "forward": snapshot.forward(),
        "rate": snapshot.rate(),
        "quality": snapshot.quality(),
        "params": orjson.dumps(snapshot.params).decode(),
        **snapshot.counts(),
    }


def _quote(snapshot_id: UUID, one: Taken, own: Own | None) -> dict[str, Any]:
    values = one.values
    book, last, model = values.book, values.last, values.model
    return {
        "snapshot_id": snapshot_id,
        "instrument_id": one.instrument_id,
        "expiry": expiry_of(one.cell.expiry),
        "strike": one.cell.strike,
        "right": one.cell.right,
        "state": str(values.state()),
        "missing_fields": ",".join((*values.missing(), values.refusal)).strip(",") or None,
        "error_code": values.refused_with,
        **book._asdict(),
        "mid": values.mid,
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
        **_own(own, None if model is None else model.iv),
    }


def _own(own: Own | None, iv: float | None) -> Mapping[str, float | None]:
    values = {f"own_{name}": getattr(own, name, None) for name in Own._fields}
    told = None if own is None or iv is None else own.iv - iv
    return {**values, "iv_difference": told}
