"""Bars: sums of grains over clock intervals, days, weeks or months."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibcore.sim import hours
from ibcore.sim.grains import ASK, BID, COUNT, START, TRADES, TURNOVER, VOLUME, Grains

DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
MONTH_S: Final = 30 * DAY_S
_NONE: Final = -1.0  # volume, wap and count of bars that are not of trades

SIZES: Final[dict[str, int]] = {
    **{f"{n} secs": n for n in (1, 5, 10, 15, 30)},
    "1 min": 60,
    **{f"{n} mins": n * 60 for n in (2, 3, 5, 10, 15, 20, 30)},
    "1 hour": 3600,
    **{f"{n} hours": n * 3600 for n in (2, 3, 4, 8)},
    "1 day": DAY_S,
    "1 week": WEEK_S,
    "1W": WEEK_S,
    "1 month": MONTH_S,
    "1M": MONTH_S,
}
LEGAL_SIZES: Final = (
    "1 secs, 5 secs, 10 secs, 15 secs, 30 secs, 1 min, 2 mins, 3 mins, 5 mins, 10 mins, 15 mins,"
    " 20 mins, 30 mins, 1 hour, 2 hours, 3 hours, 4 hours, 8 hours, 1 day, 1W, 1M"
)

Array = NDArray[np.float64]


class Bar(NamedTuple):
    """One bar; `start` is its first second, of days and more the day it is named after."""

    start: float
    open: float
    high: float
    low: float
    close: float
    volume: float
    wap: float
    trades: int


def prices(grains: Grains, show: str) -> Array:
    """Return open, high, low and close of each grain as `show` asks; NaN where there is none."""
    bid, ask = grains[:, BID], grains[:, ASK]
    if show == "BID":
        return bid
    if show == "ASK":
        return ask
    if show == "MIDPOINT":
        return np.round((bid + ask) / 2, 6)
    if show == "BID_ASK":  # average bid, highest ask, lowest bid, average ask
        return np.stack([bid.mean(axis=1), ask[:, 1], bid[:, 2], ask.mean(axis=1)], axis=1)
    return grains[:, TRADES]


def build(grains: Grains, show: str, span: int) -> list[Bar]:
    """Sum grains into bars; intervals in which nothing happened have none."""
    shown = prices(grains, show)
    there = ~np.isnan(shown[:, 0])
    rows, shown = grains[there], shown[there]
    if not len(rows):
        return []
    keys = _keys(rows[:, START], span)
    edges = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(rows)]
    return [
        _bar(rows[first:last], shown[first:last], show, start=_start(rows[first:last], span))
        for first, last in pairwise(edges)
    ]


def _bar(rows: Grains, shown: Array, show: str, *, start: float) -> Bar:
    high, low = float(shown[:, 1].max()), float(shown[:, 2].min())
    opened, closed = float(shown[0, 0]), float(shown[-1, 3])
    if show == "BID_ASK":
        opened, closed = float(shown[:, 0].mean()), float(shown[:, 3].mean())
        opened, closed = round(opened, 6), round(closed, 6)
    volume, count = float(rows[:, VOLUME].sum()), int(rows[:, COUNT].sum())
    if show not in ("TRADES", "ADJUSTED_LAST") or not volume:
        return Bar(start, opened, high, low, closed, _NONE, _NONE, int(_NONE))
    wap = min(max(round(float(rows[:, TURNOVER].sum()) / volume, 6), low), high)
    return Bar(start, opened, high, low, closed, volume, wap, count)


def _keys(starts: Array, span: int) -> Array:
    """Number the intervals; they follow New York's clock, and a day is never split or joined."""
    offsets = _offsets(starts)
    local = starts + offsets
    days = np.floor(local / DAY_S)
    if span == WEEK_S:
        weeks: Array = np.floor((days + 3) / 7)  # 1970 began on a Thursday
        return weeks
    if span == MONTH_S:
        months: Array = days.astype("datetime64[D]").astype("datetime64[M]").astype(float)
        return months
    within: Array = np.floor(local / min(span, DAY_S))
    return within


def _offsets(starts: Array) -> Array:
    """Return New York's offset for each moment, looked up once a day."""
    days, places = np.unique(np.floor(starts / DAY_S), return_inverse=True)
    found = [_offset(float(day) * DAY_S + DAY_S / 2) for day in days]
    result: Array = np.array(found)[places]
    return result


def _offset(moment: float) -> float:
    offset = datetime.fromtimestamp(moment, hours.NEW_YORK).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0


def _start(rows: Grains, span: int) -> float:
    """An interval begins on the clock, or with the session where that is later."""
    first, last = float(rows[0, START]), float(rows[-1, START])
    if span >= DAY_S:
        return last if span > DAY_S else first
    local = first + _offset(first)
    on_clock = first - local % span
    opens = _session_open(first)
    return max(on_clock, opens) if first >= opens else on_clock


def _session_open(moment: float) -> float:
    day = day_of(moment)
    return datetime(day.year, day.month, day.day, 9, 30, tzinfo=hours.NEW_YORK).timestamp()


def day_of(moment: float) -> date:
    """Return the New York date of a moment."""
    return datetime.fromtimestamp(moment, hours.NEW_YORK).date()


def written(bars: list[Bar], span: int, *, as_number: bool) -> Iterator[object]:
    """Write bars as message 17 does: date, open, high, low, close, volume, wap, count."""
    for bar in bars:
        yield moment(bar.start, span, as_number=as_number)
        yield from bar[1:]


def moment(start: float, span: int, *, as_number: bool) -> str:
    """Write when a bar begins: a day's is its date, whatever the format."""
    if span >= DAY_S:
        return f"{day_of(start):%Y%m%d}"
    if as_number:
        return str(int(start))
    at = datetime.fromtimestamp(start, hours.NEW_YORK)
    return f"{at:%Y%m%d %H:%M:%S} {hours.ZONE_ID}"
