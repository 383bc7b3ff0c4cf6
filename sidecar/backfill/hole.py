"""One instrument of one gap, and what came back of it. Times are UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from ib_async import Contract

from ibcore.backfill import BarKind, FillSource, FillState

MINUTE: Final = timedelta(minutes=1)
SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Hole:
    """What is missing: an instrument, from when to when, and why."""

    gap_id: UUID | None
    cause: str
    from_ts: datetime
    to_ts: datetime
    instrument_id: int
    contract: Contract

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Hole:
        """Return the hole that a row of `gaps_to_fill` names."""
        contract = Contract(
            conId=row["con_id"],
            symbol=row["symbol"],
            secType=row["sec_type"],
            exchange=row["exchange"],
            currency=row["currency"],
            includeExpired=row["sec_type"] in ("FUT", "FOP"),
        )
        head = (row["gap_id"], row["cause"], row["from_ts"], row["to_ts"])
        return cls(*head, row["instrument_id"], contract)

    @property
    def seconds(self) -> float:
        """Return how long it is."""
        return (self.to_ts - self.from_ts).total_seconds()

    def whole(self, step: timedelta) -> tuple[datetime, datetime]:
        """Return the part of it that is made of whole steps: what was half seen is live."""
        begin = _floor(self.from_ts, step)
        return (begin if begin == self.from_ts else begin + step), _floor(self.to_ts, step)


class QuoteTick(NamedTuple):
    """Bid and ask at a second."""

    ts: datetime
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None


class TradeTick(NamedTuple):
    """A print at a second."""

    ts: datetime
    price: float
    size: float | None
    exchange: str | None
    conditions: str | None


class MinuteBar(NamedTuple):
    """A minute; volume, vwap and trades of prints only."""

    ts: datetime
    kind: BarKind
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    vwap: float | None
    trades: int | None


@dataclass(slots=True)
class Fill:
    """What came back of a hole, and what did not: `short` is why some is missing."""

    hole: Hole
    source: FillSource
    quotes: list[QuoteTick] = field(default_factory=list)
    trades: list[TradeTick] = field(default_factory=list)
    bars: list[MinuteBar] = field(default_factory=list)
    short: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Return how many rows came back."""
        return len(self.quotes) + len(self.trades) + len(self.bars)

    @property
    def state(self) -> FillState:
        """Return what became of the hole."""
        if self.short:
            return FillState.partial if self.rows else FillState.unfillable
        return FillState.filled if self.rows else FillState.empty

    def row(self) -> dict[str, Any]:
        """Return the parameters of `gap_fill_insert` that are its own."""
        return {
            "instrument_id": self.hole.instrument_id,
            "cause": self.hole.cause,
            "from_ts": self.hole.from_ts,
            "to_ts": self.hole.to_ts,
            "state": str(self.state),
            "source": str(self.source),
            "quotes": len(self.quotes),
            "trades": len(self.trades),
            "bars": len(self.bars),
            "reason": "; ".join(self.short) or None,
        }


def within(ticks: Sequence[Any], begin: datetime, end: datetime) -> list[Any]:
    """Return those of `ticks` (with a `ts`) that are from `begin` to before `end`."""
    return [tick for tick in ticks if begin <= tick.ts < end]


def _floor(at: datetime, step: timedelta) -> datetime:
    return at - (at - datetime.min.replace(tzinfo=at.tzinfo)) % step
