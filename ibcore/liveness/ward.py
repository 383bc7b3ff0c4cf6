"""The lines of one session under watch: what is heard and told goes in, health and cures come out.

Everything here is synchronous, in memory and told the time, so a day of it is played in a second.
`turn` is called about once a second. Times are monotonic seconds, with the wall clock beside them
for market hours and for rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from ibcore.domain import Provider
from ibcore.liveness.health import OUTAGES, Cure, CureState, LineCause, LineHealth
from ibcore.liveness.hours import Hours, Phase
from ibcore.liveness.ladder import PROBE_EVERY_S, RECONNECT_EVERY_S
from ibcore.liveness.patient import CureNote, Patient, Running, Suspicion, begun
from ibcore.liveness.siblings import Siblings
from ibcore.liveness.verdict import Around, cause_of

TakeOver = Callable[[int, LineCause], bool]
# Found by silence, not by a notice that will say when it is over.
_BY_SILENCE: Final = frozenset({LineCause.dead_line, LineCause.farm, LineCause.link})


def nobody_takes_over(_instrument_id: int, _cause: LineCause) -> bool:
    """Say that there is no backup provider."""
    return False


class Ward:
    """Watches lines, finds causes, and orders cures."""

    def __init__(
        self,
        *,
        verify_s: float = 10.0,
        floor_s: float = 30.0,
        provider: Provider = Provider.ib,
        take_over: TakeOver = nobody_takes_over,
    ) -> None:
        self._verify_s = verify_s
        self._floor_s = floor_s
        self._provider = provider.value
        self._take_over = take_over
        self._patients: dict[int, Patient] = {}
        self._siblings = Siblings()
        self._ready = False
        self._ready_at = float("-inf")
        self._link_lost = False
        self._broken: dict[str, float] = {}
        self._reconnected_at = float("-inf")
        self._reconnecting: CureNote | None = None
        self._probed_at = float("-inf")

    # what is held

    def __contains__(self, instrument_id: int) -> bool:
        return instrument_id in self._patients

    def hold(
        self, instrument_id: int, *, group: str, hours: Hours, now: float, utc: datetime
    ) -> None:
        """Watch a line, or take the news of one that is watched."""
        known = self._patients.get(instrument_id)
        if known is None:
            self._patients[instrument_id] = Patient(instrument_id, group, hours, now, utc)
        else:
            known.hours = hours

    def keep(self, instrument_ids: Iterable[int]) -> None:
        """Forget every line but these."""
        kept = set(instrument_ids)
        for gone in self._patients.keys() - kept:
            del self._patients[gone]

    # what is heard

    def ready(self, now: float) -> None:
        """Take that there is a session, and that every line was just asked for on it."""
        self._ready, self._ready_at, self._link_lost = True, now, False
        self._broken.clear()
        for patient in self._patients.values():
            patient.competing = False
        self.asked_anew(now)

    def lost(self) -> None:
        """Take that there is no session."""
        self._ready = False

    def asked_anew(self, now: float) -> None:
        """Take that every line was just asked for again: each has to show that it lives."""
        for patient in self._patients.values():
            patient.asked_at = now
            patient.unverified = False
            self._suspect(patient, LineCause.link, now)

    def heard(self, instrument_id: int, now: float, utc: datetime) -> None:
        """Take that a line has spoken."""
        patient = self._patients.get(instrument_id)
        if patient is not None:
            out = patient.cause in OUTAGES
            patient.spoke(now, utc, out=out)
            self._siblings.spoke(patient, now, out=out)

    def halted(self, instrument_id: int, *, halted: bool) -> None:
        """Take what IB says of trading in an instrument."""
        if instrument_id in self._patients:
            self._patients[instrument_id].halted = halted

    def competing(self, instrument_id: int) -> bool:
        """Take that another login has the data of a line; say whether that is news."""
        patient = self._patients.get(instrument_id)
        news = patient is not None and not patient.competing
        if patient is not None:
            patient.competing = True
        return news

    def link_lost(self) -> None:
        """Take that the gateway has no link to IB."""
        self._link_lost = True

    def link_back(self, now: float) -> None:
        """Take that the link is back and subscriptions are said to be kept."""
        self._link_lost = False
        for patient in self._patients.values():
            self._suspect(patient, LineCause.link, now)

    def farm_broken(self, farm: str, now: float) -> None:
        """Take that a farm is broken; which lines are of it, their silence tells."""
        self._broken.setdefault(farm, now)

    def farm_back(self, farm: str, now: float) -> None:
        """Take that a farm is connected; lines that were silent since it broke must show up."""
        broken_at = self._broken.pop(farm, None)
        if broken_at is not None:
            self.suspect_silent(broken_at + 1.0, now)

    def suspect_silent(self, since: float, now: float) -> None:
        """Let every line that has not spoken after `since` show that it lives."""
        for patient in self._patients.values():
            if not patient.spoke_since(since):
                self._suspect(patient, LineCause.farm, now)

    def _suspect(self, patient: Patient, cause: LineCause, now: float) -> None:
        patient.suspicion = Suspicion(cause, now + self._verify_s)

    # what follows from it

    @property
    def link_is_lost(self) -> bool:
        """Say whether IB's link is lost by notice."""
        return self._link_lost

    @property
    def suspects(self) -> int:
        """Return how many lines still have to show that they live."""
        return sum(p.suspicion is not None or p.unverified for p in self._patients.values())

    def health(self, now: float) -> tuple[LineHealth, ...]:
        """Return how every line is."""
        patients = self._patients.values()
        return tuple(one.health(now, self._floor_s, self._provider) for one in patients)

    def turn(self, now: float, utc: datetime) -> list[CureNote]:
        """Judge every line; return the cures that have ended and those to be begun now."""
        seen: dict[int, tuple[Phase, float]] = {}
        for patient in self._patients.values():
            key = id(patient.hours)
            if key not in seen:
                seen[key] = patient.hours.look(utc)
            patient.phase, patient.open_s = seen[key]
        self._siblings.look(self._patients.values(), now)
        for patient in self._patients.values():
            self._judge(patient, now, utc)
        notes = [note for p in self._patients.values() if (note := self._end(p, now, utc))]
        if not self._ready:
            return notes
        verified = [n for p in self._patients.values() if (n := self._verify(p, now, utc))]
        return [*notes, *self._reconnected(utc, now), *verified, *self._cure(now, utc)]

    def _judge(self, patient: Patient, now: float, utc: datetime) -> None:
        cause = cause_of(patient.signs(now, self._floor_s), self._around(patient, now))
        if cause is not patient.cause:
            patient.cause, patient.since = cause, utc
        patient.ladder.saw(now, cause, noticed=self._is_noticed)

    def _around(self, patient: Patient, now: float) -> Around:
        broken_at = min(self._broken.values(), default=None)
        if broken_at is not None and self._siblings.spoke_since(patient.group, broken_at + 1.0):
            broken_at = None  # it is another farm's
        return Around(
            link_up=self._ready and not self._link_lost,
            farm_broken_s=None if broken_at is None else now - broken_at,
            siblings_silent=self._siblings.is_silent(patient.group),
            all_silent=self._siblings.all_silent,
        )

    @property
    def _is_noticed(self) -> bool:
        return self._link_lost or bool(self._broken)

    def _end(self, patient: Patient, now: float, utc: datetime) -> CureNote | None:
        if (running := patient.running) is None:
            return None
        if patient.spoke_since(running.since):
            ended = running.note.ended(CureState.cured, utc, "the line spoke")
            self._suspect_others(patient, running, now)
        elif not self._ready:
            ended = running.note.ended(CureState.overtaken, utc, "the session was lost")
        elif now < running.until:
            return None
        else:
            ended = running.note.ended(CureState.failed, utc, "the line stayed silent")
            patient.unverified = True
        patient.running = None
        return ended

    def _suspect_others(self, patient: Patient, running: Running, now: float) -> None:
        # A line that came back by being asked for may not have died alone; the slow ones of its
        # kind cannot be told dead by their silence, and its voice hides that all were silent.
        # If it asked for all that another login had, that one has left them.
        left = running.note.cause is LineCause.competing_session
        for other in self._patients.values():
            if left and other.competing:
                other.competing = False
                self._suspect(other, LineCause.competing_session, now)
            elif other.group == patient.group and not other.spoke_since(running.silent_since):
                self._suspect(other, LineCause.farm, now)

    def _verify(self, patient: Patient, now: float, utc: datetime) -> CureNote | None:
        """Ask again for a line that has not shown that it lives in the time it was given."""
        suspicion = patient.suspicion
        held_up = self._is_noticed or patient.competing or patient.running is not None
        if suspicion is None or now < suspicion.until or held_up:
            return None
        patient.suspicion = None
        patient.ladder.saw(now, LineCause.dead_line, noticed=False)
        return self._begin(patient, suspicion.cause, Cure.re_request, now, utc)

    def _cure(self, now: float, utc: datetime) -> list[CureNote]:
        may_reconnect = self._may_reconnect(now)
        notes: list[CureNote] = []
        for patient in self._patients.values():
            ill = patient.running is None and patient.cause in OUTAGES
            cure = patient.ladder.next(now, may_reconnect=may_reconnect) if ill else None
            if cure is None:
                continue
            if cure is Cure.re_request and patient.cause is LineCause.competing_session:
                if now - self._probed_at < PROBE_EVERY_S:
                    patient.ladder.began(now, takes_s=self._verify_s)
                    continue  # one line asks for all: the other login is not fought
                self._probed_at = now
            if cure is Cure.reconnect:
                return [*notes, *self._reconnect(patient.cause, now, utc)]
            notes.append(self._begin(patient, patient.cause, cure, now, utc))
        return notes

    def _begin(
        self, patient: Patient, cause: LineCause, cure: Cure, now: float, utc: datetime
    ) -> CureNote:
        note = begun(patient.instrument_id, cause, cure, utc)
        patient.ladder.began(now, takes_s=self._verify_s)
        if cure is Cure.fail_over:
            if self._take_over(patient.instrument_id, cause):
                return note.ended(CureState.cured, utc, "a backup provider has it")
            return note.ended(CureState.failed, utc, "there is no backup provider")
        patient.running = Running(
            note, patient.heard_at or patient.asked_at, now, now + self._verify_s
        )
        return note

    def _may_reconnect(self, now: float) -> bool:
        open_lines = [p for p in self._patients.values() if p.phase is Phase.open]
        out = [p for p in open_lines if p.cause in _BY_SILENCE]
        return (
            not self._is_noticed
            and now - self._reconnected_at >= RECONNECT_EVERY_S
            and len(out) * 2 >= len(open_lines)
            and any(p.heard_at is not None for p in out)
        )

    def _reconnect(self, cause: LineCause, now: float, utc: datetime) -> list[CureNote]:
        self._reconnected_at = now
        for patient in self._patients.values():
            if patient.cause in OUTAGES:
                patient.ladder.began(now, takes_s=2 * self._verify_s)
        self._reconnecting = begun(None, cause, Cure.reconnect, utc)
        return [self._reconnecting]

    def _reconnected(self, utc: datetime, now: float) -> list[CureNote]:
        note, since = self._reconnecting, self._ready_at
        if note is None or since <= self._reconnected_at or now < since + self._verify_s:
            return []
        self._reconnecting = None
        silent = [p for p in self._patients.values() if not p.spoke_since(since)]
        if any(patient.phase is Phase.open for patient in silent):
            return [note.ended(CureState.failed, utc, f"{len(silent)} lines stayed silent")]
        return [note.ended(CureState.cured, utc, "every line spoke")]
