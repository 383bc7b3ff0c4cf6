"""Limits IB puts on a connection: fifty messages a second, and what happens above them.

The allowance is a bucket that holds one second's worth and fills at the same pace: a client that
keeps to IB's rule never empties it. A message that finds it empty is answered 100 and not acted
upon; a client that goes on like that is cut off.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

MESSAGES_A_SECOND: Final = 50.0
WARNINGS: Final = 5  # answers 100 before the socket closes
_FORGET_S: Final = 10.0  # without a message too many, the old ones are forgotten
RATE_EXCEEDED: Final = "Max rate of messages per second has been exceeded."


class Verdict(Enum):
    """What becomes of a message."""

    allowed = "allowed"
    refused = "refused"  # answered 100
    last = "last"  # answered 100, and then the socket closes


class Pacing:
    """The allowance of one connection; without a rate everything is allowed."""

    def __init__(self, rate: float | None, *, warnings: int = WARNINGS) -> None:
        self._rate = rate
        self._warnings = warnings
        self._left = rate or 0.0
        self._at: float | None = None
        self._stalled_s = 0.0
        self._refused = 0
        self._refused_at = 0.0

    def spend(self, now: float, stalled_s: float = 0.0) -> Verdict:
        """Count one message at `now`; `stalled_s` is how long the gateway has ever stood still.

        What arrives while the gateway stands still is read at once when it goes on: that is its
        own fault and not the client's, so the time of a standstill is credited in full.
        """
        if self._rate is None:
            return Verdict.allowed
        self._fill(now, stalled_s, self._rate)
        if self._left >= 1.0:
            self._left -= 1.0
            return Verdict.allowed
        if now - self._refused_at > _FORGET_S:
            self._refused = 0
        self._refused += 1
        self._refused_at = now
        return Verdict.refused if self._refused < self._warnings else Verdict.last

    def _fill(self, now: float, stalled_s: float, rate: float) -> None:
        if self._at is not None:
            full = rate * (1.0 + stalled_s - self._stalled_s)
            self._left = min(self._left + (now - self._at) * rate, max(full, self._left))
        self._at, self._stalled_s = now, stalled_s
