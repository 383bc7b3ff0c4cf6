"""How time passes for the gateway: how long it stood still, and how fast its market runs."""

from __future__ import annotations

from typing import Final

_STALL_S: Final = 0.05  # between two turns; they are ten times as frequent


class Pace:
    """Counts the turns of one pump."""

    def __init__(self) -> None:
        self.at: float | None = None  # of the last turn
        self._stalled_s = 0.0
        self._market: float | None = None

    def turn(self, now: float) -> float:
        """Note a turn; return how many seconds have passed since the last."""
        passed = now - self.at if self.at is not None else 0.0
        self._stalled_s = self.stalled_s(now)
        self._market = now if self._market is None else self._market
        self.at = now
        return passed

    def stalled_s(self, now: float) -> float:
        """Return how long the pump has ever stood still, this very moment included."""
        since = now - self.at if self.at is not None else 0.0
        return self._stalled_s + (since if since > _STALL_S else 0.0)

    def market(self, passed: float, speed: float) -> float:
        """Return the market's own monotonic seconds after `passed` of ours at `speed`."""
        assert self._market is not None
        self._market += passed * speed
        return self._market
