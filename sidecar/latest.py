"""The current value of everything, per instrument: what `quote_latest` holds.

Made of the rows themselves, so that the cache never shows what history does not have. A sealed
batch takes a `Change`: for each instrument it touched, the values of the groups it touched, as
they stood when the batch was sealed. Three groups, because one wide upsert would write sixty
columns for every bid:
    quote   bid, ask, last, their sizes, last_ts, volume, vwap
    stat    open, close, halted, shortable, volume rates, open interest, exchanges, …
    greeks  the model's greeks, and the volatilities at bid, ask and last
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from ibcore.clock import PG_EPOCH_UNIX_US, us_from_datetime
from ibcore.domain import Greeks, GreeksKind, MarketRow, Quote, Stat, Trade
from sidecar.fold import Print

Value = float | int | str | None

QUOTE_GROUP: Final = (
    "bid",
    "bid_size",
    "ask",
    "ask_size",
    "last",
    "last_size",
    "last_ts",
    "volume",
    "vwap",
)
STAT_NUMBERS: Final = (
    "open",
    "high",
    "low",
    "close",
    "mark",
    "halted",
    "shortable",
    "shortable_shares",
    "volume_rate_3min",
    "volume_rate_5min",
    "volume_rate_10min",
    "avg_volume",
    "call_open_interest",
    "put_open_interest",
    "open_interest",
    "call_volume",
    "put_volume",
    "historical_volatility",
    "implied_volatility",
)
STAT_TEXTS: Final = ("bid_exchange", "ask_exchange", "last_exchange")
STAT_GROUP: Final = STAT_NUMBERS + STAT_TEXTS
_MODEL: Final = (
    "model_iv",
    "model_delta",
    "model_gamma",
    "model_vega",
    "model_theta",
    "model_price",
    "pv_dividend",
    "underlying_price",
)
GREEKS_GROUP: Final = (*_MODEL, "bid_iv", "ask_iv", "last_iv")
_GROUP_OF: Final = {
    **dict.fromkeys(QUOTE_GROUP, "quote"),
    **dict.fromkeys(STAT_GROUP, "stat"),
    **dict.fromkeys(GREEKS_GROUP, "greeks"),
}
_STATS: Final[dict[str, type]] = {
    **dict.fromkeys((*STAT_NUMBERS, "volume"), float),
    **dict.fromkeys(STAT_TEXTS, str),
}


class Stamp(NamedTuple):
    """When, and from whom, the newest row of an instrument came."""

    ts: int
    recv_ts: int
    seq: int
    epoch: int
    provider: str
    quality: str


class Now(NamedTuple):
    """One row of an upsert: the stamp, and the values of one group."""

    stamp: Stamp
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What one batch makes of `quote_latest`: instrument -> values, by group."""

    quote: Mapping[int, Now] = field(default_factory=dict)
    stat: Mapping[int, Now] = field(default_factory=dict)
    greeks: Mapping[int, Now] = field(default_factory=dict)


def merged(changes: Sequence[Change]) -> Change:
    """Return one change with the effect of all, oldest first."""
    if len(changes) == 1:
        return changes[0]
    # One stamp an instrument: a group last touched by an older batch than another group would
    # else look older than the row it belongs to, and be turned away.
    stamps: dict[int, Stamp] = {}
    groups: tuple[dict[int, Now], ...] = ({}, {}, {})
    for change in changes:
        for whole, part in zip(groups, (change.quote, change.stat, change.greeks), strict=True):
            whole.update(part)
            stamps.update((instrument, now.stamp) for instrument, now in part.items())
    return Change(
        *(
            {instrument: Now(stamps[instrument], now.values) for instrument, now in whole.items()}
            for whole in groups
        )
    )


@dataclass(slots=True)
class _Current:
    stamp: Stamp
    values: dict[str, Value]
    touched: set[str] = field(default_factory=set)


class Latest:
    """The owner of the current values of one recorder."""

    def __init__(self) -> None:
        self._known: dict[int, _Current] = {}
        self._touched: set[int] = set()
        self._forgotten: dict[tuple[int, str], int] = {}

    def seed(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows of `quote_latest` as they were before this process; newer values win."""
        for row in rows:
            plain = {name: _plain(value) for name, value in row.items()}
            values = {name: plain[name] for name in _GROUP_OF}
            known = self._known.get(row["instrument_id"])
            if known is not None:
                known.values = {**values, **known.values}
                continue
            stamp = Stamp(*(plain[name] for name in Stamp._fields))
            self._known[row["instrument_id"]] = _Current(stamp, values)

    def last_print(self, instrument_id: int) -> Print | None:
        """Return the last price and size that is known of an instrument."""
        known = self._known.get(instrument_id)
        if known is None or not isinstance(price := known.values.get("last"), float):
            return None
        size = known.values.get("last_size")
        return Print(price, size if isinstance(size, float) else None)

    def forget(self, instrument_id: int, name: str, *, after_seq: int) -> None:
        """Make a statistic NULL with the next batch: IB no longer has a value for it."""
        self._forgotten[(instrument_id, name)] = after_seq

    def seal(self, rows: Iterable[MarketRow]) -> Change:
        """Take the rows of a batch and return what it changes."""
        # Only the newest row of each (instrument, what it is about) matters.
        newest = {(row.instrument_id, type(row), _about(row)): row for row in rows}
        for row in sorted(newest.values(), key=_seq):
            self._take(row)
        for (instrument_id, name), after_seq in self._forgotten.items():
            newer = newest.get((instrument_id, Stat, name))
            if newer is None or newer.seq <= after_seq:
                self._empty(instrument_id, name)
        self._forgotten.clear()
        return self._harvest()

    def _empty(self, instrument_id: int, name: str) -> None:
        known = self._known.get(instrument_id)
        if known is not None and name in _STATS and known.values.get(name) is not None:
            self._set(instrument_id, known, {name: None})

    def _take(self, row: MarketRow) -> None:
        stamp = Stamp(row.ts, row.recv_ts, row.seq, row.epoch, row.provider, row.quality)
        known = self._known.get(row.instrument_id)
        if known is None:
            known = self._known[row.instrument_id] = _Current(stamp, {})
        known.stamp = stamp
        self._set(row.instrument_id, known, _VALUES[type(row)](row))

    def _set(self, instrument_id: int, known: _Current, values: dict[str, Value]) -> None:
        known.values.update(values)
        known.touched.update(_GROUP_OF[name] for name in values)
        self._touched.add(instrument_id)

    def _harvest(self) -> Change:
        change: dict[str, dict[int, Now]] = {"quote": {}, "stat": {}, "greeks": {}}
        for instrument_id in sorted(self._touched):
            known = self._known[instrument_id]
            for group in known.touched:
                values = tuple(map(known.values.get, _NAMES[group]))
                change[group][instrument_id] = Now(known.stamp, values)
            known.touched.clear()
        self._touched.clear()
        return Change(**change)


def _plain(value: Any) -> Any:
    return us_from_datetime(value) if isinstance(value, datetime) else value


def _seq(row: MarketRow) -> int:
    return row.seq


def _about(row: MarketRow) -> str:
    if isinstance(row, Stat):
        return row.field
    if isinstance(row, Greeks):
        return row.kind
    return row.source if isinstance(row, Trade) else ""


def _of_quote(row: Quote) -> dict[str, Value]:
    return {
        "bid": row.bid,
        "bid_size": row.bid_size,
        "ask": row.ask,
        "ask_size": row.ask_size,
    }


def _of_trade(row: Trade) -> dict[str, Value]:
    values: dict[str, Value] = {"last": row.price, "last_size": row.size}
    if row.source != "last":
        values["last_ts"] = row.ts
    if row.vwap is not None:
        values["vwap"] = row.vwap
    return values


def _of_greeks(row: Greeks) -> dict[str, Value]:
    if row.kind == GreeksKind.model.value:
        return dict(zip(_MODEL, row[8:16], strict=True))
    return {f"{row.kind}_iv": row.iv}


def _of_stat(row: Stat) -> dict[str, Value]:
    if row.field == "last_timestamp" and isinstance(row.value, float):
        return {"last_ts": int(row.value * 1_000_000) - PG_EPOCH_UNIX_US}
    expected = _STATS.get(row.field)
    return {row.field: row.value} if expected and isinstance(row.value, expected) else {}


_NAMES: Final = {"quote": QUOTE_GROUP, "stat": STAT_GROUP, "greeks": GREEKS_GROUP}
_VALUES: Final[dict[type, Callable[[Any], dict[str, Value]]]] = {
    Quote: _of_quote,
    Trade: _of_trade,
    Greeks: _of_greeks,
    Stat: _of_stat,
}
