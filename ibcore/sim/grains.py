"""Grains: the smallest pieces of history, one row a second or a minute, sixteen columns.

    START | trades: open high low close volume turnover count | bid: o h l c | ask: o h l c

A row without trades has NaN prices and volume 0; a side without quotes is NaN. Everything that is
asked of history (bars of any size, ticks, histograms) is a sum over such rows.
"""

from __future__ import annotations

from array import array
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Grains: TypeAlias = NDArray[np.float64]

START: Final = 0
TRADES: Final = slice(1, 5)
VOLUME: Final = 5
TURNOVER: Final = 6
COUNT: Final = 7
BID: Final = slice(8, 12)
ASK: Final = slice(12, 16)
WIDTH: Final = 16
_NAN: Final = float("nan")
_BLANK: Final = [_NAN, _NAN, _NAN, _NAN]


def blank(rows: int) -> Grains:
    """Return rows without anything."""
    result = np.full((rows, WIDTH), np.nan)
    result[:, VOLUME : COUNT + 1] = 0.0
    return result


def between(grains: Grains, first: float, last: float) -> Grains:
    """Return the rows that start at or after `first` and before `last`; they are sorted."""
    low, high = np.searchsorted(grains[:, START], [first, last])
    return grains[low:high]


def join(parts: list[Grains]) -> Grains:
    """Put pieces together."""
    return np.concatenate(parts) if parts else blank(0)


def summary(grains: Grains) -> Grains:
    """Sum rows into one: a day of which only the whole is asked for."""
    result = blank(1)
    result[0, START] = grains[0, START]
    for part in (TRADES, BID, ASK):
        there = grains[~np.isnan(grains[:, part.start]), part]
        if len(there):
            high, low = there[:, 1].max(), there[:, 2].min()
            result[0, part] = there[0, 0], high, low, there[-1, 3]
    result[0, VOLUME : COUNT + 1] = grains[:, VOLUME : COUNT + 1].sum(axis=0)
    return result


class Ring:
    """Grains of one span as they happen; the oldest fall out above `limit` rows."""

    __slots__ = ("_closed", "_limit", "_row", "_span")

    def __init__(self, span: int, limit: int) -> None:
        self._span = span
        self._limit = limit * WIDTH
        self._closed = array("d")
        self._row: list[float] | None = None

    def print(self, at_s: float, price: float, size: float) -> None:
        """Add a trade."""
        row = self._at(at_s)
        _extend(row, 1, price)
        row[VOLUME] += size
        row[TURNOVER] += price * size
        row[COUNT] += 1

    def quote(self, at_s: float, bid: float, ask: float) -> None:
        """Add a quote; 0 is a side without one."""
        row = self._at(at_s)
        if bid > 0:
            _extend(row, BID.start, bid)
        if ask > 0:
            _extend(row, ASK.start, ask)

    def _at(self, at_s: float) -> list[float]:
        start = float(at_s // self._span * self._span)
        row = self._row
        if row is not None and row[START] >= start:
            return row  # also if the clock went back
        if row is not None:
            self._closed.extend(row)
            if len(self._closed) > 2 * self._limit:
                del self._closed[: -self._limit]
        self._row = [start, *_BLANK, 0.0, 0.0, 0.0, *_stand(row, BID), *_stand(row, ASK)]
        return self._row

    def grains(self) -> Grains:
        """Return a copy of all rows."""
        rows = np.array(self._closed).reshape(-1, WIDTH)
        return rows if self._row is None else np.concatenate([rows, [self._row]])


def _stand(row: list[float] | None, side: slice) -> list[float]:
    """A quote stands until the next one: a new row opens with it."""
    return _BLANK if row is None else [row[side.stop - 1]] * 4


def _extend(row: list[float], place: int, value: float) -> None:
    if row[place] != row[place]:  # NaN: the first of its kind
        row[place : place + 4] = [value] * 4
        return
    row[place + 1] = max(row[place + 1], value)
    row[place + 2] = min(row[place + 2], value)
    row[place + 3] = value
