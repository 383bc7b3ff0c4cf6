"""A clock that shows a tape's time: the moment of the tape that is being played.

Before the tape starts it stands at the tape's beginning, after its end at the end; the monotonic
seconds are those of the true clock.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ibcore.sim.config import Clock


class TapeClock:
    """The wall clock until it follows a tape."""

    def __init__(self, true: Clock) -> None:
        self._true = true
        self._moment: Callable[[], datetime] = true.utcnow

    def follow(self, moment: Callable[[], datetime]) -> None:
        """Show the time that `moment` returns."""
        self._moment = moment

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._true.monotonic()

    def utcnow(self) -> datetime:
        """Return the tape's time."""
        return self._moment()

    def unix_ns(self) -> int:
        """Return the tape's time in nanoseconds since 1970."""
        return int(self._moment().timestamp() * 1_000_000) * 1_000
