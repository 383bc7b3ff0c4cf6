"""What is known of a line's health, and the cures that a silent line gets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from ibcore.domain import StrEnum


class LineCause(StrEnum):
    """Why a line is silent; `ticking` says that it is not.

    `quiet`: nothing is wrong that anybody can see. `halted`: IB says so. `closed`: outside its
    trading hours. `dead_line`: it should have spoken, its siblings do. `farm`: its farm is broken,
    by notice or because all of its siblings are silent. `link`: there is no session, IB's link is
    lost, or every line is silent. `competing_session`: somebody else's login takes the data.
    """

    ticking = "ticking"
    quiet = "quiet"
    halted = "halted"
    closed = "closed"
    dead_line = "dead_line"
    farm = "farm"
    link = "link"
    competing_session = "competing_session"


# Silence that is an outage: what a backup provider is for.
OUTAGES: Final = frozenset(
    {LineCause.dead_line, LineCause.farm, LineCause.link, LineCause.competing_session}
)


class LineHealth(NamedTuple):
    """One line now: the cause of its silence, since when, and how it usually speaks.

    `age_s` is the time since its last event, None before the first; `expected_s` how long a
    silence would mean something, None where none does.
    """

    instrument_id: int
    provider: str
    cause: LineCause
    since: datetime
    last_event_at: datetime | None
    age_s: float | None
    rate_per_min: float | None
    expected_s: float | None

    @property
    def is_out(self) -> bool:
        """Say whether this silence is an outage."""
        return self.cause in OUTAGES


class Cure(StrEnum):
    """What is done about an outage, from the gentlest up.

    `re_request`: the line is cancelled and asked for again. `reconnect`: the session is ended and
    opened anew. `fail_over`: a backup provider is asked to take the line.
    """

    re_request = "re_request"
    reconnect = "reconnect"
    fail_over = "fail_over"


class CureState(StrEnum):
    """A cure and what came of it; drawn in docs/states.md."""

    running = "running"
    cured = "cured"
    failed = "failed"
    overtaken = "overtaken"


CURE_TRANSITIONS: Final[Mapping[CureState, frozenset[CureState]]] = {
    CureState.running: frozenset({CureState.cured, CureState.failed, CureState.overtaken}),
    CureState.cured: frozenset(),
    CureState.failed: frozenset(),
    CureState.overtaken: frozenset(),
}
