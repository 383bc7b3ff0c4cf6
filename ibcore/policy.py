"""Decisions as pure arithmetic: each takes `now` (seconds, monotonic) and touches no clock.

backoff        1, 2, 4, 8, 16, 32, 60, 60 … seconds
Pacer          N messages a second with small bursts (IB closes the socket at 50)
LineBudget     who holds how many of the market-data lines
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MAX_S: Final = 60.0


def backoff_s(attempt: int) -> float:
    """Return the wait after failed attempt number `attempt` (from 1), in seconds."""
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    return min(BACKOFF_FIRST_S * 2.0 ** min(attempt - 1, 16), BACKOFF_MAX_S)


@dataclass(slots=True)
class Pacer:
    """`limit` messages a second on the average, evenly: a tenth of them at most at once.

    What was late follows sooner, so that late timers cost no throughput. No second holds more
    than `limit` and one burst. A whole second's worth at once would be within IB's rule as well,
    and break it when the gateway reads the first of two such bursts late.
    """

    limit: int
    _tokens: float = 0.0
    _at: float | None = None

    @property
    def burst(self) -> int:
        """Return how many messages may leave at once."""
        return max(1, self.limit // 10)

    def wait_s(self, now: float) -> float:
        """Return how long to wait before one more send is allowed (0.0: now)."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self.limit)

    def sent(self, now: float) -> None:
        """Count one send."""
        self._fill(now)
        self._tokens -= 1.0

    def _fill(self, now: float) -> None:
        if self._at is None:
            self._tokens = float(self.burst)
        else:
            grown = self._tokens + max(0.0, now - self._at) * self.limit
            self._tokens = min(float(self.burst), grown)
        self._at = now


@dataclass(slots=True)
class LineBudget:
    """Market-data lines are counted per user, not per connection: one budget for all."""

    limit: int
    _held: dict[str, int] = field(default_factory=dict)

    @property
    def used(self) -> int:
        """Return how many lines are held by anybody."""
        return sum(self._held.values())

    @property
    def free(self) -> int:
        """Return how many lines nobody holds."""
        return self.limit - self.used

    def take(self, holder: str, wanted: int = 1) -> int:
        """Give `holder` up to `wanted` more lines; return how many it got."""
        given = max(0, min(wanted, self.free))
        self._held[holder] = self._held.get(holder, 0) + given
        return given

    def give_back(self, holder: str, lines: int = 1) -> None:
        """Take `lines` back from `holder`."""
        held = self._held.get(holder, 0)
        if lines > held:
            raise ValueError(f"{holder} holds {held} lines and cannot give back {lines}")
        self._held[holder] = held - lines
