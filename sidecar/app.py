"""The composition root: every part of the sidecar is made, joined and ended here.

Workers (sessions, watch list, requests) produce; keepers (recorder, journal, heartbeat) write.
On SIGTERM or SIGINT the workers end first, then the keepers get `sidecar.drain_s` to write what
is left; a second signal, or a database that answers nothing, ends the process at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import anyio
from psycopg.conninfo import conninfo_to_dict

from ibcore import backfill, chain, db, drill, roles
from ibcore.clock import monotonic
from ibcore.config import Settings
from ibcore.domain import Endpoint
from ibcore.errors import DatabaseUnavailable, IbkeeperError
from ibcore.log import get_logger, hide
from ibcore.policy import LineBudget
from sidecar import alarm, failover
from sidecar import stream as stream_part
from sidecar import sweep as sweep_part
from sidecar.backfill.handler import GapBackfill
from sidecar.chains import ChainSnapshots
from sidecar.drill.handler import Drills
from sidecar.failover import Backing
from sidecar.heartbeat import Heartbeat
from sidecar.ib_compat import harden, ib_defaults
from sidecar.incident_board import IncidentBoard
from sidecar.journal import Journal
from sidecar.orders import desk as orders_desk
from sidecar.orders.desk import OrdersDesk
from sidecar.recorder import Recorder
from sidecar.rejects import RejectBook, RejectKeeper
from sidecar.requests import RequestWorker
from sidecar.session import Session
from sidecar.spool_alarm import spool_told
from sidecar.stream import Stream
from sidecar.sweep import SweepPart
from sidecar.watch import Watcher
from sidecar.web import page

log = get_logger(__name__)

DEFAULT_HOST: Final = "127.0.0.1"
# From the signal to the end of the process, whatever the database does: drain_s and this.
LAST_WORDS_S: Final = 0.7

Task = Callable[[], Coroutine[Any, Any, object]]


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that runs in one sidecar."""

    recorder: Recorder
    journal: Journal
    rejects: RejectKeeper
    incidents: IncidentBoard
    streaming: Stream
    sweep: SweepPart
    requests: RequestWorker
    budget: LineBudget
    orders: OrdersDesk | None
    told: dict[str, Task]
    backing: Backing

    @property
    def stream(self) -> Session:
        """Return the session that streams."""
        return self.streaming.session

    @property
    def watcher(self) -> Watcher:
        """Return who keeps the watch list."""
        return self.streaming.watcher

    def workers(self) -> dict[str, Task]:
        """Return what produces: ended first."""
        return {
            **self.streaming.workers(),
            **self.backing.workers(),
            **self.sweep.workers(),
            "requests": self.requests.run,
            **(self.orders.workers() if self.orders else {}),
        }

    def keepers(self) -> dict[str, Task]:
        """Return what writes: ended last."""
        return {
            "recorder": self.recorder.run,
            "journal": self.journal.run,
            "incidents": self.incidents.run,
            "rejects": self.rejects.run,
            **self.told,
            **self.streaming.keepers(),
            **self.backing.keepers(),
            **(self.orders.keepers() if self.orders else {}),
        }


async def serve(settings: Settings) -> None:
    """Run the sidecar until a signal; raise what it cannot go on with."""
    harden()
    # It warns of every query that our own stop cuts short.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    ib_defaults(settings.defaults)  # a wrong time zone must not wait for the first connection
    url = db.resolve_url(settings)
    hide(_password(db.conninfo(url, application="sidecar")))
    url = await anyio.to_thread.run_sync(roles.url_as, url, "writer")
    heartbeat = Heartbeat(url, sidecar=settings.sidecar.name, every_s=settings.sidecar.heartbeat_s)
    try:
        epoch = await heartbeat.claim(lines_limit=settings.gateway.lines)
        log.info("sidecar_started", name=settings.sidecar.name, epoch=epoch, pid=os.getpid())
        parts = assemble(settings, url, epoch)
        shown = page.tasks_of(settings, url, epoch, parts=parts, heartbeat=heartbeat)
        await _Run(settings, parts, heartbeat, shown).until_stopped()
    finally:
        with anyio.CancelScope(shield=True):
            await heartbeat.close()


def assemble(settings: Settings, url: str, epoch: int) -> Parts:
    """Make the parts and join them; nothing is started."""
    name, gateway = settings.sidecar.name, settings.gateway
    incidents = IncidentBoard(url)
    recorder = _recorder(settings, url, epoch, incidents)
    journal = Journal(url, sidecar=name, epoch=epoch)
    budget = LineBudget(gateway.lines)
    book = RejectBook()
    rejects = RejectKeeper(url, book, sidecar=name, epoch=epoch)
    backing = failover.prepare(settings, recorder, epoch=epoch, rejects=book)
    stream = stream_part.assemble(
        settings,
        url,
        epoch,
        endpoint=_endpoint(settings, 0),
        feed=backing.feed,
        journal=journal,
        incidents=incidents,
        budget=budget,
        take_over=backing.take_over,
    )
    failover.join(
        backing, settings, url, epoch=epoch, stream=stream, journal=journal, incidents=incidents
    )
    sweep = sweep_part.assemble(
        settings, endpoint=lambda offset: _endpoint(settings, offset), journal=journal
    )
    orders = _orders(settings, url, epoch, journal, incidents) if settings.orders.enabled else None
    snapshots = ChainSnapshots(sweep.lanes, budget=budget, url=url)
    requests = RequestWorker(
        url,
        sidecar=name,
        epoch=epoch,
        handlers={
            chain.KIND: snapshots,
            drill.KIND: _drills(settings, url, stream, backing),
            backfill.KIND: GapBackfill(url, sweep.session, sidecar=name, pacer=sweep.pacer),
            **(orders.handlers() if orders else {}),
        },
        poll_s=settings.sidecar.poll_s,
    )
    told = alarm.assemble(settings, url, incidents)
    return Parts(
        *(recorder, journal, rejects, incidents, stream, sweep, requests, budget),
        *(orders, told, backing),
    )


def _recorder(settings: Settings, url: str, epoch: int, incidents: IncidentBoard) -> Recorder:
    name, file = settings.sidecar.name, settings.spool_file
    recorder = Recorder(url, settings=settings.recorder, spool=file, sidecar=name, epoch=epoch)
    recorder.gauge.on_change = spool_told(incidents, name, cap_mib=settings.recorder.spool_mib)
    return recorder


def _drills(settings: Settings, url: str, stream: Stream, backing: Backing) -> Drills:
    told = settings.alerts.targets is not None
    return Drills(url, backing.subject(stream), sidecar=settings.sidecar.name, told=told)


def _orders(
    settings: Settings, url: str, epoch: int, journal: Journal, incidents: IncidentBoard
) -> OrdersDesk:
    endpoint = _endpoint(settings, orders_desk.OFFSET)
    return orders_desk.assemble(
        settings, url, epoch, endpoint=endpoint, journal=journal, incidents=incidents
    )


def _endpoint(settings: Settings, offset: int) -> Endpoint:
    gateway = settings.gateway
    return Endpoint(gateway.host or DEFAULT_HOST, gateway.port, gateway.client_id + offset)


class _Run:
    """One life of the process, from the first task to the last row."""

    def __init__(
        self, settings: Settings, parts: Parts, heartbeat: Heartbeat, shown: dict[str, Task]
    ) -> None:
        self._drain_s = settings.sidecar.drain_s
        self._parts = parts
        self._shown = shown
        self._heartbeat = heartbeat
        self._stop = anyio.Event()
        self._ends_at = 0.0
        self._lost = 0

    async def until_stopped(self) -> None:
        async with anyio.create_task_group() as keepers:
            keepers.start_soon(self._listen_to_signals, name="signals")
            for name, task in (self._parts.keepers() | self._shown).items():
                keepers.start_soon(task, name=name)
            try:
                await self._work()
            finally:
                with anyio.CancelScope(shield=True):
                    await self._drain()
            keepers.cancel_scope.cancel()
        if self._lost:
            raise DatabaseUnavailable(
                f"{self._lost} rows could not be written within {self._drain_s:g} s and are lost.",
                remedy="Everything before them is safe. Check the database and the disk.",
            )

    async def _work(self) -> None:
        async with anyio.create_task_group() as workers:
            for name, task in self._parts.workers().items():
                workers.start_soon(task, name=name)
            workers.start_soon(self._beat, name="heartbeat")
            await self._stop.wait()
            workers.cancel_scope.cancel()

    async def _beat(self) -> None:
        self._heartbeat.state = "running"
        await self._heartbeat.run(self._parts.recorder.stats, self._parts.budget)

    async def _drain(self) -> None:
        # Counted from the signal: ending a running request may have used some of it.
        ends_at = self._ends_at or monotonic() + self._drain_s
        recorder, journal = self._parts.recorder, self._parts.journal
        await self._heartbeat.say("draining", recorder.stats(), 0)
        left = await recorder.drain(max(0.5, ends_at - monotonic()))
        self._lost = recorder.unsafe_rows
        if self._parts.orders is not None:
            await self._parts.orders.ledger.drain(max(0.1, ends_at - monotonic()))
        journalled = await journal.drain(max(0.1, ends_at - monotonic()))
        await self._parts.streaming.lines.drain(max(0.1, ends_at - monotonic()))
        await self._parts.backing.drain(max(0.1, ends_at - monotonic()))
        await self._parts.incidents.drain(max(0.1, ends_at - monotonic()))
        await self._heartbeat.say("stopped", recorder.stats(), 0)
        log.info(
            "sidecar_stopped",
            rows_in_spool=left - self._lost,
            rows_lost=self._lost,
            journal_complete=journalled,
        )

    async def _listen_to_signals(self) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                if self._stop.is_set():
                    log.warning("sidecar_ends_at_once", signal=number.name)
                    os._exit(IbkeeperError.exit_code)
                log.info("sidecar_stopping", signal=number.name)
                self._ends_at = monotonic() + self._drain_s
                self._stop.set()
                # A frozen database holds psycopg for seconds beyond every deadline of ours.
                self._end_at_latest()

    def _end_at_latest(self) -> None:
        def give_up() -> None:
            recorder = self._parts.recorder
            left, lost = recorder.stats().backlog_rows, recorder.unsafe_rows
            log.error("sidecar_gave_up_draining", rows_in_spool=left - lost, rows_lost=lost)
            os._exit(IbkeeperError.exit_code if lost else 0)

        asyncio.get_running_loop().call_later(self._drain_s + LAST_WORDS_S, give_up)


def _password(url: str) -> str | None:
    return str(conninfo_to_dict(url).get("password") or "") or None
