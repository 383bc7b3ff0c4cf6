"""A clock that can be wrong: what a gateway tells its clients when its own clock is skewed."""

from __future__ import annotations

from datetime import datetime, timedelta

from ibcore.sim.config import Clock


class SkewedClock:
    """Another clock, shifted by `skew_s`; the monotonic seconds are never shifted."""

    def __init__(self, true: Clock) -> None:
        self._true = true
        self.skew_s = 0.0

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._true.monotonic()

    def utcnow(self) -> datetime:
        """Return the shifted wall clock."""
        return self._true.utcnow() + timedelta(seconds=self.skew_s)

    def unix_ns(self) -> int:
        """Return the shifted wall clock in nanoseconds since 1970."""
        return self._true.unix_ns() + int(self.skew_s * 1e9)
