"""The last hour of rates and latencies, from memory: a point every ten seconds.

Looked at once a second, which also tells how late the event loop is. Pure: times come in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

EVERY_S: Final = 1.0
STEP_S: Final = 10.0
HOUR_S: Final = 3_600.0
# The rate of now is taken over so many looks.
_SMOOTH: Final = 5


class Counted(NamedTuple):
    """What is read at each look: totals since the start, and the latency of the last minute."""

    ticks: int
    rows: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Rates:
    """What comes per second now, and the longest that the event loop was late in a minute."""

    ticks_per_s: float = 0.0
    rows_per_s: float = 0.0
    loop_lag_s: float = 0.0


class Point(NamedTuple):
    """One point of the charts."""

    at: datetime
    ticks_per_s: float
    rows_per_s: float
    p50_ms: float | None
    p99_ms: float | None


class Trace:
    """Takes looks, gives points."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Counted]] = deque(maxlen=_SMOOTH + 1)
        self._lags: deque[tuple[float, float]] = deque(maxlen=round(60 / EVERY_S))
        self._points: deque[Point] = deque(maxlen=round(HOUR_S / STEP_S))
        self._stepped: tuple[float, Counted] | None = None

    def look(self, now: float, at: datetime, counted: Counted) -> None:
        """Take what is so now."""
        if self._looks:
            late = now - self._looks[-1][0] - EVERY_S
            self._lags.append((now, max(0.0, late)))
        self._looks.append((now, counted))
        if self._stepped is None:
            self._stepped = (now, counted)
        elif now - self._stepped[0] >= STEP_S:
            ticks, rows = _per_s(self._stepped, (now, counted))
            self._points.append(Point(at, ticks, rows, counted.p50_ms, counted.p99_ms))
            self._stepped = (now, counted)

    @property
    def points(self) -> Sequence[Point]:
        """Return the points of the last hour, oldest first."""
        return tuple(self._points)

    def rates(self) -> Rates:
        """Return the rates of the last seconds."""
        lag_s = max((lag for _, lag in self._lags), default=0.0)
        if len(self._looks) < 2:
            return Rates(loop_lag_s=lag_s)
        return Rates(*_per_s(self._looks[0], self._looks[-1]), lag_s)


def _per_s(old: tuple[float, Counted], new: tuple[float, Counted]) -> tuple[float, float]:
    seconds = new[0] - old[0]
    if seconds <= 0:
        return 0.0, 0.0
    before, now = old[1], new[1]
    return (now.ticks - before.ticks) / seconds, (now.rows - before.rows) / seconds
