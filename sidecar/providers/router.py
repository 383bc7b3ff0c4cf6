"""Looks at every provider, decides by `ibcore.failover`, switches, and tells.

The one owner of the gates. A switch is one turn of the loop: the old gate is shut before the new
one opens, so no row of a provider that was left follows a row of the one that was taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import anyio

from ibcore.clock import monotonic, utcnow
from ibcore.domain import Provider, SessionState
from ibcore.failover import Failover, Rung, Switch
from ibcore.incidents import Incident, IncidentKind
from ibcore.link_states import LinkState
from ibcore.liveness.health import LineCause, LineHealth
from ibcore.log import get_logger
from sidecar.incident_board import IncidentBoard
from sidecar.lines import Wanted
from sidecar.providers.gate import Gate
from sidecar.providers.gated_feed import GatedFeed
from sidecar.providers.switch_journal import Switched, SwitchJournal
from sidecar.providers.watched import Watched

log = get_logger(__name__)

EVERY_S: Final = 0.5
# A backup that is away for longer is told: with it away there is no failover.
BACKUP_DOWN_AFTER_S: Final = 60.0


class PrimarySession(Protocol):
    """What is asked of the session of the primary."""

    state: SessionState
    link: LinkState
    failures: int


class Primary:
    """The provider that rows are taken from unless it is out."""

    def __init__(
        self,
        session: PrimarySession,
        feed: GatedFeed,
        *,
        health: Callable[[], tuple[LineHealth, ...]],
        wanted: Callable[[], Mapping[int, Wanted]],
    ) -> None:
        self.feed = feed
        self.wanted = wanted
        self._session = session
        self._health = health

    def rungs(self) -> dict[int, Rung]:
        """Return how it is for every instrument."""
        session = self._session
        ready = session.state is SessionState.ready
        noticed = not ready or session.link is LinkState.lost
        return {
            one.instrument_id: Rung(
                Provider.ib,
                ready,
                session.failures,
                one,
                noticed=noticed,
                in_step=self.feed.in_step(one.instrument_id),
            )
            for one in self._health()
        }


class Router:
    """Switches instruments between providers."""

    def __init__(
        self,
        primary: Primary,
        backups: Sequence[Watched],
        *,
        gates: Mapping[Provider, Gate],
        failover: Failover,
        journal: SwitchJournal,
        incidents: IncidentBoard,
        sidecar: str,
    ) -> None:
        self._primary = primary
        self._backups = backups
        self._gates = gates
        self._failover = failover
        self._journal = journal
        self._incidents = incidents
        self._sidecar = sidecar
        self._number = 0
        self._down: set[Provider] = set()

    @property
    def switches(self) -> int:
        """Return how many times something was switched since the start."""
        return self._number

    def active(self, instrument_id: int) -> Provider:
        """Return whose rows are taken for an instrument."""
        return self._failover.active(instrument_id)

    def away(self) -> dict[int, Provider]:
        """Return the instruments that are taken from a backup, and from which."""
        return self._failover.away()

    def take_over(self, instrument_id: int, _cause: LineCause) -> bool:
        """Take that every cure of a line has failed; say whether a backup takes it."""
        self._failover.uncured(instrument_id)
        return any(one.rung(instrument_id).is_well for one in self._backups)

    async def run(self) -> None:
        """Look and decide twice a second, until cancelled."""
        while True:
            self.turn()
            await anyio.sleep(EVERY_S)

    def turn(self) -> None:
        """Look at every provider once, and switch what is due."""
        now, utc = monotonic(), utcnow()
        wanted = list(self._primary.wanted().values())
        for backup in self._backups:
            backup.turn(wanted, now, utc)
        rungs = self._primary.rungs()
        self._failover.keep(set(rungs))
        ladders = {
            number: (rung, *(backup.rung(number) for backup in self._backups))
            for number, rung in rungs.items()
        }
        switches = self._failover.turn(now, ladders)
        if switches:
            self._make(switches)
        self._tell_backups(now)

    def _make(self, switches: Sequence[Switch]) -> None:
        self._number += 1
        self._journal.note(Switched(self._number, utcnow(), switches))
        for switch in switches:
            self._gates[switch.from_provider].move(switch.instrument_id, is_open=False)
            self._gates[switch.to_provider].move(switch.instrument_id, is_open=True)
            self._activate(switch)
        causes = Counter((s.from_provider, s.to_provider, s.cause) for s in switches)
        for (old, new, cause), count in causes.items():
            log.warning("provider_switch", old=old, new=new, cause=cause, instruments=count)
        self._tell_switch(switches)

    def _activate(self, switch: Switch) -> None:
        if switch.to_provider is Provider.ib:
            self._primary.feed.activate(switch.instrument_id)
            return
        for backup in self._backups:
            if backup.provider is switch.to_provider:
                backup.backup.activate(switch.instrument_id)

    # incidents

    def _tell_switch(self, switches: Sequence[Switch]) -> None:
        away = Counter(self._failover.away().values())
        if not away:
            because = "every instrument is taken from the primary again"
            self._incidents.close(IncidentKind.failed_over, self._sidecar, because)
            return
        where = ", ".join(f"{count} from {provider}" for provider, count in away.items())
        causes = ", ".join(sorted({str(switch.cause) for switch in switches}))
        summary = f"Rows are taken from a backup: {where} ({causes}). Recording goes on."
        self._say(IncidentKind.failed_over, self._sidecar, summary)

    def _tell_backups(self, now: float) -> None:
        for one in self._backups:
            since, about = one.down_since, f"{self._sidecar} {one.provider}"
            if since is None and one.provider in self._down:
                self._down.discard(one.provider)
                self._incidents.close(IncidentKind.backup_down, about, "it is ready again")
            elif since is not None and now - since >= BACKUP_DOWN_AFTER_S:
                if one.provider not in self._down:
                    summary = f"The backup {one.provider} is not connected: there is no failover."
                    self._say(IncidentKind.backup_down, about, summary)
                self._down.add(one.provider)

    def _say(self, kind: IncidentKind, about: str, summary: str) -> None:
        self._incidents.open(Incident(kind, about, summary, f"sidecar {self._sidecar}"))
