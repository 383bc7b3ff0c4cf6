"""IB's pacing of historical data: how often one user may ask.

The same question twice within 15 s, six for the same contract, exchange and kind of data within
2 s, or more than sixty within ten minutes are violations; a question for BID_ASK counts twice.
IB holds bars of 30 s and less, and ticks, to these rules ("small"); "all" does so for every bar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final

_IDENTICAL_S: Final = 15.0
_SAME_S: Final = 2.0
_SAME: Final = 6
_WINDOW_S: Final = 600.0
_WINDOW: Final = 60
VIOLATION: Final = (
    "Historical Market Data Service error message:Historical data request pacing violation"
)
MODES: Final = ("small", "all", "off")


class HistoryPacing:
    """The allowance of one user, over all sessions."""

    def __init__(self, mode: str = "small") -> None:
        self._mode = mode
        self._asked: deque[tuple[float, Hashable, Hashable]] = deque()  # time, subject, question

    def allows(
        self, now: float, subject: Hashable, question: Hashable, *, small: bool, weight: int = 1
    ) -> bool:
        """Count one request, and say whether it is within the rules."""
        if self._mode == "off" or (self._mode == "small" and not small):
            return True
        while self._asked and now - self._asked[0][0] >= _WINDOW_S:
            self._asked.popleft()
        identical = any(q == question and now - at < _IDENTICAL_S for at, _, q in self._asked)
        same = sum(s == subject and now - at < _SAME_S for at, s, _ in self._asked)
        allowed = not identical and same + weight < _SAME and len(self._asked) + weight <= _WINDOW
        if allowed:
            self._asked.extend([(now, subject, question)] * weight)
        return allowed
