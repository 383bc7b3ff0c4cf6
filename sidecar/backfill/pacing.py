"""IB's pacing of historical data, kept before IB has to say so. Pure: `now` is an argument.

At most sixty questions in ten minutes, fewer than six about one contract and kind of data in two
seconds, none twice within fifteen; a question for bid and ask counts twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

WINDOW_S: Final = 600.0
IN_WINDOW: Final = 60
SUBJECT_S: Final = 2.0
PER_SUBJECT: Final = 5
IDENTICAL_S: Final = 15.0
# The gateway's clock and ours are apart, and so are sending and being counted.
MARGIN_S: Final = 0.5


@dataclass(slots=True)
class HistoryPacer:
    """The allowance of one user: when the next question may be asked."""

    _asked: deque[tuple[float, Hashable, Hashable]] = field(default_factory=deque)

    def wait_s(self, now: float, subject: Hashable, question: Hashable, *, weight: int) -> float:
        """Return how long to wait before `question` about `subject` may be asked (0.0: now)."""
        while self._asked and now - self._asked[0][0] >= WINDOW_S + MARGIN_S:
            self._asked.popleft()
        times = [at for at, _, _ in self._asked]
        same = [at for at, about, _ in self._asked if about == subject]
        free_at = [
            _until(times, IN_WINDOW - weight, WINDOW_S),
            _until(same, PER_SUBJECT - weight, SUBJECT_S),
            _until([at for at, _, asked in self._asked if asked == question], 0, IDENTICAL_S),
        ]
        return max(0.0, max(free_at) - now)

    def asked(self, now: float, subject: Hashable, question: Hashable, *, weight: int) -> None:
        """Count a question that was sent."""
        self._asked.extend([(now, subject, question)] * weight)


def _until(times: list[float], room: int, window_s: float) -> float:
    """Return when at most `room` of `times` are younger than the window."""
    return times[-room - 1] + window_s + MARGIN_S if len(times) > room else 0.0
