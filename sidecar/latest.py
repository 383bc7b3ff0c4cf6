"""The current value of everything, per instrument: what `quote_latest` holds.

Made of the rows themselves, so that the cache never shows what history does not have. A sealed
batch takes a `Change`: for each instrument it touched, the values of the groups it touched, as
they stood when the batch was sealed. Three groups, because one wide upsert would write sixty
columns for every bid:
    quote   bid, ask, last, their sizes, last_ts, volume, vwap
    stat    open, close, halted, shortable, volume rates, open interest, exchanges, …
    greeks  the newest whole set of greeks, and the volatilities at bid, ask and last
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ibcore.clock import PG_EPOCH_UNIX_US, us_from_datetime
from ibcore.domain import Greeks, MarketRow, Quote, Stat, Trade
from sidecar.change import Change, Now, Stamp, Value
from sidecar.fold import Print

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
_LAST, _LAST_SIZE, _LAST_TS, _VOLUME, _VWAP = range(4, 9)
_MODEL_SPAN: Final = slice(0, len(_MODEL))
_IV_AT: Final = {kind: GREEKS_GROUP.index(f"{kind}_iv") for kind in ("bid", "ask", "last")}
_STAT_AT: Final = {name: place for place, name in enumerate(STAT_GROUP)}


NO_PRINTS: Final[Mapping[int, Trade]] = {}


class _Group:
    """The current values of one group of columns of one instrument."""

    __slots__ = ("touched", "values")

    def __init__(self, names: Sequence[str]) -> None:
        self.values: list[Value] = [None] * len(names)
        self.touched = False


class _Current:
    """Everything current of one instrument."""

    __slots__ = ("greeks", "quote", "stamp", "stat")

    def __init__(self, stamp: Stamp) -> None:
        self.stamp = stamp
        self.quote = _Group(QUOTE_GROUP)
        self.stat = _Group(STAT_GROUP)
        self.greeks = _Group(GREEKS_GROUP)


class Latest:
    """The owner of the current values of one recorder."""

    def __init__(self) -> None:
        self._known: dict[int, _Current] = {}
        self._forgotten: dict[tuple[int, str], int] = {}
        self._again: set[int] = set()

    def seed(
        self, rows: Iterable[Mapping[str, Any]], prints: Mapping[int, Trade] = NO_PRINTS
    ) -> None:
        """Take rows of `quote_latest` as they were before this process; newer values win.

        `prints`: the newest that an earlier process could not commit, by instrument. The cache
        is complete up to its own time, so a print is news only if it is newer than that.
        """
        for row in rows:
            plain = {name: _plain(value) for name, value in row.items()}
            spooled = prints.get(row["instrument_id"])
            if spooled is not None and spooled.recv_ts > plain["recv_ts"]:
                plain |= {"last": spooled.price, "last_size": spooled.size}
            known = self._known.get(row["instrument_id"])
            if known is None:
                known = _Current(Stamp(*(plain[name] for name in Stamp._fields)))
                self._known[row["instrument_id"]] = known
            for group, names in (
                (known.quote, QUOTE_GROUP),
                (known.stat, STAT_GROUP),
                (known.greeks, GREEKS_GROUP),
            ):
                pairs = zip(group.values, names, strict=True)
                group.values = [plain[name] if value is None else value for value, name in pairs]
        for instrument_id in prints.keys() - self._known.keys():
            _put_trade(self._take_stamp(prints[instrument_id]), prints[instrument_id])

    @property
    def instruments(self) -> Collection[int]:
        """Return the instruments that anything is known of."""
        return self._known.keys()

    @property
    def owes(self) -> bool:
        """Say whether the next batch has more to tell the cache than its own rows."""
        return bool(self._again)

    def restore(self, present: Collection[int]) -> int:
        """Put all that is known of the others into the next batch; return how many they are."""
        lost = [i for i in self._known if i not in present and i not in self._again]
        for instrument_id in lost:
            known = self._known[instrument_id]
            for group in (known.quote, known.stat, known.greeks):
                group.touched = group.touched or any(v is not None for v in group.values)
            self._again.add(instrument_id)
        return len(lost)

    def last_print(self, instrument_id: int) -> Print | None:
        """Return the last price and size that is known of an instrument."""
        known = self._known.get(instrument_id)
        if known is None or not isinstance(price := known.quote.values[_LAST], float):
            return None
        size = known.quote.values[_LAST_SIZE]
        return Print(price, size if isinstance(size, float) else None)

    def forget(self, instrument_id: int, name: str, *, after_seq: int) -> None:
        """Make a statistic NULL with the next batch: IB no longer has a value for it."""
        self._forgotten[(instrument_id, name)] = after_seq

    def set_back(self, change: Change) -> None:
        """Put what `change` says into the next batch: it will not reach the cache by its own."""
        for name in ("quote", "stat", "greeks"):
            for instrument_id in self._known.keys() & getattr(change, name):
                getattr(self._known[instrument_id], name).touched = True
                self._again.add(instrument_id)

    def disown(self, change: Change) -> None:
        """Forget all of the instruments of a change that the database refused.

        What is put into the cache again would be refused again, and good rows with it.
        """
        for instrument_id in (*change.quote, *change.stat, *change.greeks):
            self._known.pop(instrument_id, None)
            self._again.discard(instrument_id)

    def seal(self, rows: Iterable[MarketRow]) -> Change:
        """Take the rows of a batch and return what it changes."""
        # Only the newest row of each (instrument, what it is about) matters.
        newest = _newest(rows)
        touched = {instrument_id: self._known[instrument_id] for instrument_id in self._again}
        self._again.clear()
        for row in sorted(newest.values(), key=_seq):
            touched[row.instrument_id] = self._take(row)
        for (instrument_id, name), after_seq in self._forgotten.items():
            newer = newest.get((instrument_id, Stat, name))
            if (newer is None or newer.seq <= after_seq) and instrument_id in self._known:
                touched[instrument_id] = known = self._known[instrument_id]
                _put_stat(known, name, None)
        self._forgotten.clear()
        return Change(
            {i: now for i, known in touched.items() if (now := _now(known, known.quote))},
            {i: now for i, known in touched.items() if (now := _now(known, known.stat))},
            {i: now for i, known in touched.items() if (now := _now(known, known.greeks))},
        )

    def _take(self, row: MarketRow) -> _Current:
        known = self._take_stamp(row)
        _PUT[type(row)](known, row)
        return known

    def _take_stamp(self, row: MarketRow) -> _Current:
        stamp = Stamp._make(row[:2] + row[3:7])
        known = self._known.get(row.instrument_id)
        if known is None:
            known = self._known[row.instrument_id] = _Current(stamp)
        known.stamp = stamp
        return known


def _now(known: _Current, group: _Group) -> Now | None:
    if not group.touched:
        return None
    group.touched = False
    return Now(known.stamp, tuple(group.values))


def _plain(value: Any) -> Any:
    return us_from_datetime(value) if isinstance(value, datetime) else value


def _seq(row: MarketRow) -> int:
    return row.seq


def _newest(rows: Iterable[MarketRow]) -> dict[tuple[object, ...], MarketRow]:
    # Quotes are most of what comes: they are looked at once, and without a call.
    quotes: dict[int, Quote] = {}
    others: dict[tuple[object, ...], MarketRow] = {}
    for row in rows:
        if type(row) is Quote:
            quotes[row[2]] = row
        else:
            others[(row.instrument_id, type(row), _about(row))] = row
    others.update(((instrument_id, Quote), row) for instrument_id, row in quotes.items())
    return others


def _about(row: MarketRow) -> str:
    if isinstance(row, Stat):
        return row.field
    if isinstance(row, Greeks):
        return row.kind
    if isinstance(row, Trade):  # one without the day's average must not hide the one before it
        return row.source if row.vwap is None else f"{row.source} with vwap"
    return ""


def _put_quote(known: _Current, row: Quote) -> None:
    known.quote.values[:_LAST] = row[8:12]
    known.quote.touched = True


def _put_trade(known: _Current, row: Trade) -> None:
    values = known.quote.values
    values[_LAST], values[_LAST_SIZE] = row.price, row.size
    if row.source != "last":
        values[_LAST_TS] = row.ts
    if row.vwap is not None:
        values[_VWAP] = row.vwap
    known.quote.touched = True


def _put_greeks(known: _Current, row: Greeks) -> None:
    if row.kind in _IV_AT:
        known.greeks.values[_IV_AT[row.kind]] = row.iv
    else:  # a whole set: IB's model, a vendor's, or computed
        known.greeks.values[_MODEL_SPAN] = row[8:16]
    known.greeks.touched = True


def _put_stat_row(known: _Current, row: Stat) -> None:
    _put_stat(known, row.field, row.value)


def _put_stat(known: _Current, name: str, value: float | str | None) -> None:
    # A number where a text column stands, or the other way round, stays in history only.
    fits = value is None or isinstance(value, str) == (name in STAT_TEXTS)
    if name == "volume" and fits:
        known.quote.values[_VOLUME] = value
        known.quote.touched = True
    elif name == "last_timestamp" and isinstance(value, float):
        known.quote.values[_LAST_TS] = int(value * 1_000_000) - PG_EPOCH_UNIX_US
        known.quote.touched = True
    elif fits and name in _STAT_AT:
        known.stat.values[_STAT_AT[name]] = value
        known.stat.touched = True


_PUT: Final[dict[type, Callable[[_Current, Any], None]]] = {
    Quote: _put_quote,
    Trade: _put_trade,
    Greeks: _put_greeks,
    Stat: _put_stat_row,
}
