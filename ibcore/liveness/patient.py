"""One line under watch: what was seen of it and what is being done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from ibcore.liveness.health import Cure, CureState, LineCause, LineHealth
from ibcore.liveness.hours import Hours, Phase
from ibcore.liveness.ladder import Ladder
from ibcore.liveness.rhythm import Rhythm
from ibcore.liveness.verdict import Signs


class CureNote(NamedTuple):
    """A cure that was begun or has ended: a row of `line_cure`. No instrument: of all lines."""

    id: UUID
    instrument_id: int | None
    cause: LineCause
    cure: Cure
    state: CureState
    begun_at: datetime
    ended_at: datetime | None
    reason: str | None

    def ended(self, state: CureState, at: datetime, reason: str) -> CureNote:
        """Return the note of its end."""
        return self._replace(state=state, ended_at=max(at, self.begun_at), reason=reason)


class Suspicion(NamedTuple):
    """Why a line must show that it lives, and by when; monotonic seconds."""

    cause: LineCause
    until: float


class Running(NamedTuple):
    """A cure that has not shown yet; `silent_since` is when the line was heard last."""

    note: CureNote
    silent_since: float
    since: float
    until: float


def begun(instrument_id: int | None, cause: LineCause, cure: Cure, at: datetime) -> CureNote:
    """Return the note of a cure that begins."""
    return CureNote(uuid4(), instrument_id, cause, cure, CureState.running, at, None, None)


@dataclass(slots=True)
class Patient:
    """The state of one line; times are monotonic seconds unless they are datetimes."""

    instrument_id: int
    group: str
    hours: Hours
    asked_at: float
    since: datetime
    cause: LineCause = LineCause.quiet
    heard_at: float | None = None
    heard_utc: datetime | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)
    ladder: Ladder = field(default_factory=Ladder)
    suspicion: Suspicion | None = None
    running: Running | None = None
    phase: Phase = Phase.unknown
    open_s: float = float("inf")
    halted: bool = False
    competing: bool = False
    unverified: bool = False

    def spoke(self, now: float, utc: datetime, *, out: bool) -> None:
        """Take that it has spoken. `out`: the silence before was an outage, no rhythm."""
        last, self.heard_at, self.heard_utc = self.heard_at, now, utc
        self.suspicion, self.competing, self.unverified = None, False, False
        if last is None or out or last < self.asked_at or self.phase is not Phase.open:
            return
        if now - last < self.open_s:
            self.rhythm.heard_after(now - last)

    def silence_s(self, now: float) -> float:
        """Return how long it has been silent while it could have spoken."""
        return min(now - max(self.heard_at or 0.0, self.asked_at), self.open_s)

    def signs(self, now: float, floor_s: float) -> Signs:
        """Return what is seen of it now."""
        return Signs(
            self.phase,
            self.silence_s(now),
            self.rhythm.expected_s(floor_s),
            self.halted,
            self.competing,
            self.unverified,
        )

    def health(self, now: float, floor_s: float, provider: str) -> LineHealth:
        """Return how it is, for others."""
        return LineHealth(
            self.instrument_id,
            provider,
            self.cause,
            self.since,
            self.heard_utc,
            None if self.heard_at is None else now - self.heard_at,
            self.rhythm.rate_per_min,
            self.rhythm.expected_s(floor_s),
        )

    def spoke_since(self, moment: float) -> bool:
        """Say whether it has spoken after `moment`."""
        return self.heard_at is not None and self.heard_at > moment
