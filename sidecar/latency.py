"""Commit time minus receive time, row by row, over a sliding minute.

A ring of five-second histograms with buckets that grow by 4 %: a quantile is right to within
4 %, the maximum is exact, and the memory does not grow with the load. Pure: `now` comes in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_GROWTH: Final = 1.04
_FIRST_US: Final = 100.0
_BUCKETS: Final = 420  # 100 us * 1.04 ** 420 = 24 minutes
_EDGES: Final = tuple(_FIRST_US * _GROWTH**step for step in range(_BUCKETS))


class Quantiles(NamedTuple):
    """The latency of the rows of a window, in milliseconds; None while there are none."""

    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None


@dataclass(slots=True)
class Histogram:
    """How many rows took how long."""

    counts: Counter[int] = field(default_factory=Counter)
    max_us: int = 0

    def add(self, latency_us: int, rows: int) -> None:
        """Count `rows` that took `latency_us`."""
        self.counts[min(bisect_left(_EDGES, latency_us), _BUCKETS - 1)] += rows
        self.max_us = max(self.max_us, latency_us)

    def add_all(self, other: Histogram) -> None:
        """Count what `other` counted."""
        self.counts.update(other.counts)
        self.max_us = max(self.max_us, other.max_us)

    def quantiles(self) -> Quantiles:
        """Return median, 99th percentile and maximum."""
        if not self.counts:
            return Quantiles()
        return Quantiles(self._at(0.50), self._at(0.99), self.max_us / 1_000)

    def _at(self, share: float) -> float:
        wanted = share * sum(self.counts.values())
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return min(_EDGES[bucket], self.max_us) / 1_000
        return self.max_us / 1_000


class LatencyWindow:
    """Histograms of the last minute."""

    def __init__(self, *, window_s: float = 60.0, step_s: float = 5.0) -> None:
        self._window_s = window_s
        self._step_s = step_s
        self._ring: deque[tuple[float, Histogram]] = deque()

    def add(self, now: float, commit_us: int, received: Mapping[int, int]) -> None:
        """Count rows committed at `commit_us`: `received` is arrival time -> rows."""
        current = self._current(now)
        for recv_us, rows in received.items():
            # A wall clock that was set back must not make a negative latency.
            current.add(max(0, commit_us - recv_us), rows)

    def quantiles(self, now: float) -> Quantiles:
        """Return the figures of the minute that ends `now`."""
        self._expire(now)
        whole = Histogram()
        for _, part in self._ring:
            whole.add_all(part)
        return whole.quantiles()

    def _current(self, now: float) -> Histogram:
        self._expire(now)
        if not self._ring or now - self._ring[-1][0] >= self._step_s:
            self._ring.append((now, Histogram()))
        return self._ring[-1][1]

    def _expire(self, now: float) -> None:
        while self._ring and now - self._ring[0][0] >= self._window_s:
            self._ring.popleft()
