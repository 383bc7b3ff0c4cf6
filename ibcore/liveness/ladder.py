"""Which cure comes next for a line that is out: gentle first, each given time to show.

    dead_line, farm, link   re_request -> reconnect (only when most lines are out, at most once in
                            RECONNECT_EVERY_S, never for what a notice explains) -> fail_over
    competing_session       fail_over, then a re_request now and then: the other login is not fought

When the ladder is used up it rests, and begins again: nothing is given up for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ibcore.liveness.health import Cure, LineCause

LADDERS: Final[Mapping[LineCause, tuple[Cure, ...]]] = {
    LineCause.dead_line: (Cure.re_request, Cure.reconnect, Cure.fail_over),
    LineCause.farm: (Cure.re_request, Cure.reconnect, Cure.fail_over),
    LineCause.link: (Cure.re_request, Cure.reconnect, Cure.fail_over),
    LineCause.competing_session: (Cure.fail_over, Cure.re_request),
}
# A notice says what is wrong and will say when it is over; this long it is believed.
NOTICE_PATIENCE_S: Final = 120.0
REST_S: Final = 300.0
PROBE_EVERY_S: Final = 60.0
RECONNECT_EVERY_S: Final = 300.0


@dataclass(slots=True)
class Ladder:
    """How far the cures of one line have come; times are monotonic seconds."""

    cause: LineCause = LineCause.ticking
    rung: int = 0
    not_before: float = 0.0

    def saw(self, now: float, cause: LineCause, *, noticed: bool) -> None:
        """Take the cause that was found; another cause begins its own ladder at the bottom."""
        if cause is self.cause:
            return
        self.cause, self.rung = cause, 0
        patient = noticed and cause in (LineCause.farm, LineCause.link)
        self.not_before = now + (NOTICE_PATIENCE_S if patient else 0.0)

    def next(self, now: float, *, may_reconnect: bool) -> Cure | None:
        """Return the cure to begin now, or None; `began` must follow when it was begun."""
        steps = LADDERS.get(self.cause)
        if steps is None or now < self.not_before:
            return None
        if self.rung >= len(steps):
            self.rung = 0
        if steps[self.rung] is Cure.reconnect and not may_reconnect:
            self.rung += 1
        return steps[self.rung]

    def began(self, now: float, *, takes_s: float) -> None:
        """Note that the cure was begun; it has `takes_s` to show."""
        self.rung += 1
        self.not_before = now + takes_s
        if self.rung >= len(LADDERS[self.cause]):
            competing = self.cause is LineCause.competing_session
            self.not_before = now + (PROBE_EVERY_S if competing else REST_S)
