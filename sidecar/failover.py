"""The backup part of the sidecar, put together: gates, backups, router; nothing without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ibcore.config import Settings
from ibcore.domain import Endpoint, Provider
from ibcore.failover import Failover
from ibcore.liveness.health import LineCause
from sidecar.drill.subject import Subject
from sidecar.feed import Feed
from sidecar.incident_board import IncidentBoard
from sidecar.journal import Journal
from sidecar.line_journal import LineJournal
from sidecar.providers.alpaca import Alpaca
from sidecar.providers.backup import Task
from sidecar.providers.gate import Gate
from sidecar.providers.gated_feed import GatedFeed
from sidecar.providers.router import Primary, Router
from sidecar.providers.standby import Standby
from sidecar.providers.switch_journal import SwitchJournal
from sidecar.providers.watched import Watched
from sidecar.recorder import Recorder
from sidecar.rejects import RejectBook
from sidecar.stream import Stream


@dataclass(slots=True)
class Backing:
    """The feed of the primary, and what stands behind it."""

    feed: Feed
    gates: Mapping[Provider, Gate]
    standby: Standby | None = None
    backups: tuple[Watched, ...] = ()
    router: Router | None = None
    switches: SwitchJournal | None = None

    def take_over(self, instrument_id: int, cause: LineCause) -> bool:
        """Ask a backup to take a line; False where there is none."""
        return self.router is not None and self.router.take_over(instrument_id, cause)

    def active(self, instrument_id: int) -> Provider:
        """Return whose rows are taken for an instrument."""
        return Provider.ib if self.router is None else self.router.active(instrument_id)

    def subject(self, stream: Stream) -> Subject:
        """Return what a drill may touch and look at."""
        feed, standby, health = self.feed, self.standby, stream.liveness.health

        def heard(by: Feed) -> int:
            return sum(by.events(line.instrument_id) for line in health())

        if not isinstance(feed, GatedFeed) or standby is None or self.router is None:
            return Subject(stream.session, lambda: heard(feed))
        router, gate = self.router, self.gates[Provider.standby]
        return Subject(
            stream.session,
            lambda: heard(feed),
            unheard=lambda: feed.oddities.orphans,
            away=lambda: bool(router.away()),
            backup_rows=lambda: gate.passed,
            backup_ticks=lambda: heard(standby.feed),
            out=lambda: any(one.is_out for one in health()),
            standby=standby.session,
            feed=feed,
        )

    def workers(self) -> dict[str, Task]:
        """Return what listens and decides: ended first."""
        tasks = {name: task for one in self.backups for name, task in one.backup.workers().items()}
        return tasks | ({} if self.router is None else {"router": self.router.run})

    def keepers(self) -> dict[str, Task]:
        """Return what writes: ended last."""
        tasks: dict[str, Task] = {f"lines {b.provider}": b.journal.run for b in self.backups}
        return tasks | ({} if self.switches is None else {"switches": self.switches.run})

    async def drain(self, deadline_s: float) -> None:
        """Wait until what was noted is written, or the deadline has come."""
        if self.switches is not None:
            await self.switches.drain(deadline_s)
        for backup in self.backups:
            await backup.journal.drain(deadline_s)


def prepare(settings: Settings, recorder: Recorder, *, epoch: int, rejects: RejectBook) -> Backing:
    """Return the feed of the primary, behind a gate if there is a backup."""
    backups = _configured(settings)
    if not backups:
        feed = Feed(recorder, epoch=epoch, provider=Provider.ib, rejects=rejects)
        return Backing(feed, {})
    gates = {Provider.ib: Gate(recorder, primary=True)}
    gates |= {provider: Gate(recorder, primary=False) for provider in backups}
    feed = GatedFeed(gates[Provider.ib], epoch=epoch, provider=Provider.ib, rejects=rejects)
    return Backing(feed, gates)


def join(
    backing: Backing,
    settings: Settings,
    url: str,
    *,
    epoch: int,
    stream: Stream,
    journal: Journal,
    incidents: IncidentBoard,
) -> None:
    """Make the backups and the router, once the stream is there; nothing is started."""
    if not isinstance(backing.feed, GatedFeed):
        return
    name = settings.sidecar.name
    backing.backups = tuple(
        _standby(backing, settings, url, epoch=epoch, journal=journal)
        if provider is Provider.standby
        else _alpaca(backing, settings, url, epoch=epoch)
        for provider in _configured(settings)
    )
    backing.switches = SwitchJournal(url, sidecar=name, epoch=epoch)
    providers = [Provider.ib, *(one.provider for one in backing.backups)]
    backing.router = Router(
        Primary(
            stream.session,
            backing.feed,
            health=stream.liveness.health,
            wanted=stream.watcher.lines.wanted,
        ),
        backing.backups,
        gates=backing.gates,
        failover=Failover(providers, settings.failover.rules),
        journal=backing.switches,
        incidents=incidents,
        sidecar=name,
    )


def _configured(settings: Settings) -> list[Provider]:
    """Return the backups that there are, the first to be taken first."""
    configured = {
        Provider.standby: settings.standby.host is not None,
        Provider.alpaca: settings.alpaca.is_set,
    }
    return [provider for provider, is_there in configured.items() if is_there]


def _alpaca(backing: Backing, settings: Settings, url: str, *, epoch: int) -> Watched:
    name, gate = settings.sidecar.name, backing.gates[Provider.alpaca]
    alpaca = Alpaca(gate, settings.alpaca, epoch=epoch)
    return Watched(
        alpaca,
        journal=LineJournal(url, sidecar=name, epoch=epoch, provider=Provider.alpaca),
        settings=settings.liveness,
        has=alpaca.has,
    )


def _standby(
    backing: Backing, settings: Settings, url: str, *, epoch: int, journal: Journal
) -> Watched:
    wanted, name = settings.standby, settings.sidecar.name
    gate = backing.gates[Provider.standby]
    feed = GatedFeed(gate, epoch=epoch, provider=Provider.standby, rejects=RejectBook())
    backing.standby = standby = Standby(
        Endpoint(wanted.host or "", wanted.port, wanted.client_id),
        feed,
        gateway=settings.gateway.model_copy(update={"lines": wanted.lines}),
        defaults=settings.defaults,
        journal=journal,
    )
    return Watched(
        standby,
        journal=LineJournal(url, sidecar=name, epoch=epoch, provider=Provider.standby),
        settings=settings.liveness,
        cure=standby.cure,
        in_step=feed.in_step,
    )
