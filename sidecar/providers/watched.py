"""A backup provider under watch: why its lines are silent, and what is done about it.

The same judgement as for the primary (`ibcore.liveness.ward`), fed once a second by what the
backup has heard. A backup that has no cure of its own heals itself or is found out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from ibcore.config import LivenessSettings
from ibcore.domain import Provider
from ibcore.failover import Rung
from ibcore.liveness.health import CureState, LineHealth
from ibcore.liveness.hours import ALWAYS
from ibcore.liveness.patient import CureNote
from ibcore.liveness.ward import Ward
from sidecar.line_journal import LineJournal
from sidecar.lines import Wanted
from sidecar.liveness import group_of
from sidecar.providers.backup import Backup


def nothing(_note: CureNote) -> None:
    """Leave it to the backup."""


class Watched:
    """One backup, judged."""

    def __init__(
        self,
        backup: Backup,
        *,
        journal: LineJournal,
        settings: LivenessSettings,
        cure: Callable[[CureNote], None] = nothing,
        in_step: Callable[[int], bool] = lambda _: True,
        has: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self.backup = backup
        self.journal = journal
        self._cure = cure
        self._in_step = in_step
        self._has = has
        self._always = settings.hours == "always"
        self._ward = Ward(
            verify_s=settings.verify_s, floor_s=settings.silence_s, provider=backup.provider
        )
        self._ready = False
        self._events: dict[int, int] = {}
        self._health: dict[int, LineHealth] = {}
        self.down_since: float | None = None

    @property
    def provider(self) -> Provider:
        """Return who it is."""
        return self.backup.provider

    def turn(self, wanted: Sequence[Wanted], now: float, utc: datetime) -> None:
        """Tell it what is wanted, hear what it heard, judge, cure and write down."""
        self.backup.want(wanted)
        self._look_at_session(now)
        # What it cannot have is not silent: there is no such line.
        self._look_at_lines([w for w in wanted if self._has(w.line.instrument_id)], now, utc)
        for note in self._ward.turn(now, utc):
            if note.state is CureState.running:
                self._cure(note)
            self.journal.note_cure(note)
        health = self._ward.health(now)
        self.journal.note_health(health, now)
        self._health = {one.instrument_id: one for one in health}

    def rung(self, instrument_id: int) -> Rung:
        """Return how it is for one instrument."""
        ready = self._ready
        health = self._health.get(instrument_id)
        step = self._in_step(instrument_id)
        return Rung(self.provider, ready, 0, health, noticed=not ready, in_step=step)

    def _look_at_session(self, now: float) -> None:
        ready = self.backup.is_ready
        if ready and not self._ready:
            self._ward.ready(now)
        elif not ready and self._ready:
            self._ward.lost()
        self._ready = ready
        if ready:
            self.down_since = None
        elif self.down_since is None:
            self.down_since = now

    def _look_at_lines(self, wanted: Sequence[Wanted], now: float, utc: datetime) -> None:
        self._ward.keep(one.line.instrument_id for one in wanted)
        for one in wanted:
            number = one.line.instrument_id
            hours = ALWAYS if self._always else one.hours
            self._ward.hold(number, group=group_of(one), hours=hours, now=now, utc=utc)
            events = self.backup.events(number)
            if events != self._events.get(number, 0):
                self._events[number] = events
                self._ward.heard(number, now, utc)
