"""Decisions as pure arithmetic: each takes `now` (seconds, monotonic) and touches no clock.

backoff        1, 2, 4, 8, 16, 32, 60, 60 … seconds
Pacer          at most N messages in any window of a second (IB closes the socket at 50)
TokenBucket    a mean rate with small bursts, for what must not fall behind it
LineBudget     who holds how many of the market-data lines
"""

from __future__ import annotations

from collections import deque
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
    """A sliding window: at most `limit` sends in any `window_s` seconds."""

    limit: int
    window_s: float = 1.0
    _sent: deque[float] = field(default_factory=deque)

    def wait_s(self, now: float) -> float:
        """Return how long to wait before one more send is allowed (0.0: now)."""
        while self._sent and now - self._sent[0] >= self.window_s:
            self._sent.popleft()
        if len(self._sent) < self.limit:
            return 0.0
        return self._sent[0] + self.window_s - now

    def sent(self, now: float) -> None:
        """Count one send."""
        self._sent.append(now)


@dataclass(slots=True)
class TokenBucket:
    """A mean rate without drift: what was late may follow sooner, at most `burst` at once.

    In any second at most `rate_per_s + burst` are sent.
    """

    rate_per_s: float
    burst: int
    _tokens: float = 0.0
    _at: float | None = None

    def wait_s(self, now: float) -> float:
        """Return how long to wait before one more send is allowed (0.0: now)."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate_per_s)

    def sent(self, now: float) -> None:
        """Count one send."""
        self._fill(now)
        self._tokens -= 1.0

    def _fill(self, now: float) -> None:
        if self._at is None:
            self._tokens = float(self.burst)
        else:
            grown = self._tokens + max(0.0, now - self._at) * self.rate_per_s
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
