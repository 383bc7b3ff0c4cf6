"""What a drill may touch and look at: the sessions, the feed of the primary, and its backups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ibcore.domain import SessionState
from sidecar.drill.course import Course, Moment
from sidecar.drill.mechanism import Deaf, Drilled


@dataclass(frozen=True, slots=True)
class Subject:
    """One sidecar, as a drill sees it.

    `ticks`: messages heard of the primary. `unheard`: those that came for no line. `away`: whether
    anything is taken from a backup. `backup_rows`: rows recorded from backups. `out`: whether any
    line of the primary is out. `standby`, `feed`: None where there is no standby gateway.
    """

    session: Drilled
    ticks: Callable[[], int]
    unheard: Callable[[], int] = lambda: 0
    away: Callable[[], bool] = lambda: False
    backup_rows: Callable[[], int] = lambda: 0
    backup_ticks: Callable[[], int] = lambda: 0
    out: Callable[[], bool] = lambda: False
    standby: Drilled | None = None
    feed: Deaf | None = None

    def lost_session(self, course: Course, hold_s: float) -> list[Moment]:
        """Return the moments of a session that is cut, refused or muted; `hold_s` 0: at once."""
        released = [self._released(course, hold_s)] if hold_s else []
        before_ready = "released" if hold_s else "noticed"
        ready = Moment("ready", lambda: _is_ready(self.session), before_ready)
        return [
            Moment("noticed", lambda: not _is_ready(self.session)),
            *released,
            ready,
            Moment("first tick", course.grows(self.ticks, since="noticed"), "ready"),
            *self._switches(course),
        ]

    def stale_feed(self, course: Course, hold_s: float) -> list[Moment]:
        """Return the moments of a primary that falls silent."""
        return [
            Moment("noticed", self.out),
            self._released(course, hold_s),
            Moment("first tick", course.grows(self.ticks, since="begun"), "released"),
            *self._switches(course),
        ]

    def lost_standby(self, course: Course, hold_s: float) -> list[Moment]:
        """Return the moments of a standby that is lost and comes back."""
        standby = self.standby
        assert standby is not None
        return [
            Moment("noticed", lambda: not _is_ready(standby)),
            self._released(course, hold_s),
            Moment("ready", lambda: _is_ready(standby), "released"),
            Moment("first tick", course.grows(self.backup_ticks, since="noticed"), "ready"),
            Moment("failed over", self.away, needed=lambda: False),
        ]

    def _released(self, course: Course, hold_s: float) -> Moment:
        return Moment("released", lambda: course.seconds() >= hold_s)

    def _switches(self, course: Course) -> list[Moment]:
        # Needed only once it has failed over; a drill that is too short for that does not wait.
        went = lambda: "failed over" in course  # noqa: E731
        grown = course.grows(self.backup_rows, since="failed over")
        return [
            Moment("failed over", self.away, needed=lambda: False),
            Moment("backup tick", grown, "failed over", needed=went),
            Moment("failed back", lambda: not self.away(), "failed over", needed=went),
        ]


def _is_ready(session: Drilled) -> bool:
    return session.state is SessionState.ready
