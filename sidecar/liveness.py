"""Looks after the lines of the stream session: hears them, has them judged, cures and tells.

The decisions are `ibcore.liveness.ward`'s; here are the clock, the lines, the rows and the
incidents. Every second each line's ticks are looked up (the tick path only counts them). Notices
act at once. A backup provider, where there is one, is `take_over`; `health` is for whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import anyio

from ibcore.clock import monotonic, utcnow
from ibcore.config import LivenessSettings
from ibcore.incidents import Incident, IncidentKind
from ibcore.liveness.health import OUTAGES, Cure, CureState, LineCause, LineHealth
from ibcore.liveness.hours import ALWAYS
from ibcore.liveness.patient import CureNote
from ibcore.liveness.ward import TakeOver, Ward, nobody_takes_over
from ibcore.log import get_logger
from ibcore.notices import COMPETING_SESSION, MARKET_FARM_BROKEN, Action, Notice, Scope
from sidecar.incident_board import IncidentBoard
from sidecar.line_journal import LineJournal
from sidecar.lines import Lines, Wanted

log = get_logger(__name__)

# Out for longer than this a line is told to a person; most cures take less.
TOLD_AFTER_S: Final = 60.0


class Counted(Protocol):
    """What is asked of the feed."""

    def events(self, instrument_id: int) -> int: ...
    def is_halted(self, instrument_id: int) -> bool: ...


class Supervised(Protocol):
    """What is asked of the session."""

    def reconnect(self, why: str) -> None: ...
    def verified(self) -> None: ...


class Liveness:
    """Watches the lines of one session."""

    def __init__(
        self,
        lines: Lines,
        feed: Counted,
        *,
        session: Callable[[], Supervised],
        journal: LineJournal,
        incidents: IncidentBoard,
        sidecar: str,
        settings: LivenessSettings,
        take_over: TakeOver = nobody_takes_over,
    ) -> None:
        self._lines = lines
        self._feed = feed
        self._session = session
        self._journal = journal
        self._incidents = incidents
        self._sidecar = sidecar
        self._every_s = settings.every_s
        self._always = settings.hours == "always"
        self._ward = Ward(
            verify_s=settings.verify_s, floor_s=settings.silence_s, take_over=take_over
        )
        self._events: dict[int, int] = {}
        self._told: set[IncidentKind] = set()

    def health(self) -> tuple[LineHealth, ...]:
        """Return how every line is now."""
        return self._ward.health(monotonic())

    # what the session calls

    def on_ready(self) -> None:
        """Take that every line was just asked for on a new session."""
        self._look()
        self._ward.ready(monotonic())

    def on_lost(self, _reason: str) -> None:
        """Take that there is no session: every line is out at once."""
        self._ward.lost()
        self.turn()

    def on_notice(self, req_id: int, notice: Notice, text: str) -> None:
        """Take what IB says of its link, its farms, or another login."""
        self._look()  # what was heard before the notice says nothing against it
        match notice.scope:
            case Scope.link:
                self._on_link(notice.action)
            case Scope.farm:
                self._on_farm(notice, text)
            case Scope.line if notice.code == COMPETING_SESSION:
                instrument_id = self._lines.instrument_of(req_id)
                if instrument_id is None or not self._ward.competing(instrument_id):
                    return  # IB repeats it for every line, many times a second
            case _:
                return
        self.turn()

    def _on_link(self, action: Action) -> None:
        if action is Action.mark_stale:
            self._ward.link_lost()
            return
        self._ward.link_back(monotonic())
        if action is Action.resubscribe:
            self._ward.asked_anew(monotonic())

    def _on_farm(self, notice: Notice, text: str) -> None:
        farm = text.rpartition(":")[2].strip()
        now = monotonic()
        if notice.action is Action.verify_lines:
            self._ward.farm_back(farm, now)
        elif notice.code == MARKET_FARM_BROKEN:
            self._ward.farm_broken(farm, now)
        elif notice.action is Action.mark_stale:
            self._ward.suspect_silent(now, now)

    # tasks

    async def run(self) -> None:
        """Look, judge and cure once a second, until cancelled."""
        while True:
            self._look()
            self.turn()
            await anyio.sleep(self._every_s)

    def turn(self) -> None:
        """Judge every line now, act on it and write it down."""
        now = monotonic()
        for note in self._ward.turn(now, utcnow()):
            self._act(note)
            self._journal.note_cure(note)
        health = self._ward.health(now)
        self._journal.note_health(health, now)
        self._tell(health)
        if not self._ward.suspects and not self._ward.link_is_lost:
            self._session().verified()

    def _look(self) -> None:
        now, utc = monotonic(), utcnow()
        wanted = list(self._lines.wanted().values())
        self._ward.keep(one.line.instrument_id for one in wanted)
        for one in wanted:
            number = one.line.instrument_id
            hours = ALWAYS if self._always else one.hours
            self._ward.hold(number, group=group_of(one), hours=hours, now=now, utc=utc)
            self._ward.halted(number, halted=self._feed.is_halted(number))
            events = self._feed.events(number)
            if events != self._events.get(number, 0):
                self._events[number] = events
                self._ward.heard(number, now, utc)

    def _act(self, note: CureNote) -> None:
        if note.state is not CureState.running:
            log.info("line_cure_ended", cure=str(note.cure), state=str(note.state))
            return
        log.warning(
            "line_cure", cure=str(note.cure), cause=str(note.cause), instrument=note.instrument_id
        )
        if note.cure is Cure.re_request and note.instrument_id is not None:
            self._lines.ask_again(note.instrument_id)
        elif note.cure is Cure.reconnect:
            self._session().reconnect("Most lines are silent, and asking again did not help.")

    # incidents

    def _tell(self, health: tuple[LineHealth, ...]) -> None:
        taken = [one for one in health if one.cause is LineCause.competing_session]
        self._say(
            IncidentKind.competing_session,
            bool(taken),
            f"Another login takes the data of {len(taken)} lines; it is not fought.",
        )
        now = utcnow()
        out = [
            one
            for one in health
            if one.cause in OUTAGES - {LineCause.competing_session}
            and (now - one.since).total_seconds() > TOLD_AFTER_S
        ]
        causes = ", ".join(sorted({str(one.cause) for one in out}))
        self._say(
            IncidentKind.lines_out, bool(out), f"{len(out)} of {len(health)} lines out: {causes}."
        )

    def _say(self, kind: IncidentKind, holds: bool, summary: str) -> None:
        if holds and kind not in self._told:
            self._told.add(kind)
            who = f"sidecar {self._sidecar}"
            self._incidents.open(Incident(kind, self._sidecar, summary, who))
        elif not holds and kind in self._told:
            self._told.discard(kind)
            self._incidents.close(kind, self._sidecar, "every line ticks, or none has to")


def group_of(wanted: Wanted) -> str:
    """Return which lines are siblings: IB has farms by kind of security and currency."""
    return f"{wanted.line.sec_type} {wanted.contract.currency}"
