"""The supervisor behind `ibkeeper up`.

    bring up ──► stay up ──► take down ──► (guardian released)
        └── a failure, Ctrl-C or SIGTERM at any point leads straight to take down

The sidecar is started as soon as there is a schema and a gateway: ticks flow while Prefect is
still importing itself. A second signal while taking down cuts every wait short.
"""

from __future__ import annotations

import os
import signal
import socket
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup, TaskStatus

from ibcore import db
from ibcore.clock import monotonic, utcnow
from ibcore.embedded import Server
from ibcore.errors import ChildDied
from ibcore.stack import demo, ports, prefect_api, watchlist
from ibcore.stack import home as homes
from ibcore.stack import plan as plans
from ibcore.stack.child import ChildInfo, ChildSpec, memory_mb
from ibcore.stack.crew import Announce, Crew
from ibcore.stack.guardian import Guardian
from ibcore.stack.plan import Plan
from ibcore.stack.pulse import Pulse

_LOOK_EVERY_S: Final = 0.2
_GATEWAY_START_S: Final = 20.0
_FIRST_QUOTE_S: Final = 60.0
_PREFECT_START_S: Final = 120.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stack:
    """Owner of everything that `ibkeeper up` starts."""

    def __init__(
        self,
        plan: Plan,
        *,
        environ: Mapping[str, str],
        announce: Announce,
    ) -> None:
        self.plan = plan
        self.pulse = Pulse(plan.settings.sidecar.name)
        self.ready = False
        self.started_at = monotonic()
        self._environ = environ
        self._announce = announce
        self._crew: Crew | None = None
        self._server: Server | None = None
        self._server_started_at = 0.0
        self._url = ""
        self._force = anyio.Event()
        self._failure: Exception | None = None
        self._work = anyio.CancelScope()

    async def run(self) -> None:
        """Bring everything up, stay until a signal or a death, take everything down."""
        with homes.lock(self.plan.home):
            ports.check(self.plan.ports)
            guardian = Guardian(uuid.uuid4().hex, self.plan.log("guardian"))
            self._crew = Crew(guardian, self._force, self._announce, lambda: self.ready)
            try:
                await self._run_guarded(guardian)
            finally:
                guardian.release()
        if self._failure is not None:
            raise self._failure

    @property
    def stopping(self) -> bool:
        """Say whether everything is being taken down."""
        return self._work.cancel_called

    def processes(self) -> tuple[ChildInfo, ...]:
        """Return the processes for the live view."""
        children = self._crew.infos() if self._crew else ()
        return (*self._postgres_info(), *children)

    async def _run_guarded(self, guardian: Guardian) -> None:
        async with anyio.create_task_group() as outer:
            await outer.start(self._listen_for_signals)
            with self._work:
                await self._attempt(self._bring_up_and_stay, guardian)
            self.ready = False
            with anyio.CancelScope(shield=True):
                await self._take_down()
            outer.cancel_scope.cancel()

    async def _listen_for_signals(self, *, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            task_status.started()
            async for _ in signals:
                if self._work.cancel_called:
                    self._announce("forced: not waiting any longer")
                    self._force.set()
                self._work.cancel()

    async def _attempt(self, step: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Run a step; its failure is kept for the end and stops the work."""
        try:
            await step(*arguments)
        except Exception as failure:
            # Ctrl-C reaches commands like initdb too: what it cut short has not failed.
            if not self.stopping:
                self._failure = failure
            self._work.cancel()

    async def _bring_up_and_stay(self, guardian: Guardian) -> None:
        async with anyio.create_task_group() as tasks:
            await self._attempt(self._bring_up, guardian, tasks)
            await anyio.sleep_forever()

    async def _bring_up(self, guardian: Guardian, tasks: TaskGroup) -> None:
        if self.plan.simulated:
            # First, because it needs nothing: it imports itself while PostgreSQL starts.
            self._announce("starting the simulated gateway")
            self._start(plans.gateway_child(self.plan, self._environ), tasks)
        prefect_database = await self._bring_up_database(guardian, tasks)
        if self.plan.simulated:
            await self._gateway_listens()
            await self._seed_watch_list()
        ours = plans.environment(self.plan, self._environ, self._url)
        self._announce("starting the sidecar")
        self._start(plans.sidecar_child(self.plan, ours), tasks)
        if (sinks := plans.sinks_child(self.plan, ours)) is not None:
            self._start(sinks, tasks)
        tasks.start_soon(self.pulse.run, self._url)
        if self.plan.options.prefect:
            await self._bring_up_prefect(
                plans.prefect_environment(self.plan, ours, prefect_database), tasks
            )
        await self._ticks_flow()
        self.ready = True
        page = f"; status page {self.plan.status_page}" if self.plan.status_page else ""
        self._announce(f"ready after {monotonic() - self.started_at:.0f} s{page}")

    async def _bring_up_database(self, guardian: Guardian, tasks: TaskGroup) -> str | None:
        """Run or reach PostgreSQL; return the database for Prefect if the server is ours."""
        prefect_database = None
        if self.plan.embedded:
            self._announce("starting PostgreSQL")
            pid_file = self.plan.home / "postgres" / "data" / "postmaster.pid"
            guardian.watch_postmaster(pid_file)
            self._server = Server(self.plan.home)
            await to_thread.run_sync(self._server.__enter__)
            self._server_started_at = monotonic()
            self._url = self._server.url()
            prefect_database = self._server.url("prefect", scheme="postgresql+asyncpg")
            tasks.start_soon(self._attempt, self._mind_server, self._server)
        else:
            self._url = db.resolve_url(self.plan.settings)
        self._announce("bringing the schema up to date")
        await to_thread.run_sync(db.migrate, self._url)
        homes.write_run(self.plan.home, self._run_file())
        return prefect_database

    async def _mind_server(self, server: Server) -> None:
        while server.pid is not None:  # noqa: ASYNC110 (a process, not an event)
            await anyio.sleep(_LOOK_EVERY_S)
        log = self.plan.home / "postgres" / "log"
        raise ChildDied(
            f"The embedded PostgreSQL ended by itself; its log is {log}.",
            remedy="Everything else was stopped in order; what was committed is safe.",
        )

    async def _gateway_listens(self) -> None:
        # Not the gateway's own port: its ledger would show a session that never spoke.
        port = self.plan.settings.sim.control_port
        await _until(lambda: _listens(port), _GATEWAY_START_S, f"nobody listens on {port}")

    async def _seed_watch_list(self) -> None:
        settings = self.plan.settings
        offered = await demo.suggested(settings.sim.control_port)
        tape = self.plan.options.tape is not None
        specs = demo.choose(offered, tape=tape, lines=settings.gateway.lines)
        async with await db.connect(self._url, application="up") as conn:
            with db.translated():
                added = await watchlist.seed(conn, settings.sidecar.name, specs)
        if added:
            self._announce(f"put {added} demo instruments on the empty watch list")

    async def _bring_up_prefect(self, environ: Mapping[str, str], tasks: TaskGroup) -> None:
        api = self.plan.prefect_api
        assert api is not None
        self._announce("starting the Prefect server")
        self._start(plans.server_child(self.plan, environ), tasks)
        await _until_asked(prefect_api.healthy, api, "the Prefect server does not answer")
        self._announce("starting the worker, which makes the work pool")
        self._start(plans.worker_child(self.plan, environ), tasks)
        await _until_asked(prefect_api.pool_exists, api, "the work pool was not made")
        self._announce("registering the deployments")
        assert self._crew is not None
        await self._crew.run_once(plans.deploy_child(self.plan, environ))
        await self._crew.run_once(plans.automations_child(self.plan, environ))
        await _until_asked(
            lambda address: prefect_api.state(address).ready, api, "the worker is not online"
        )

    async def _ticks_flow(self) -> None:
        """Wait for the first quote of a simulator; a real market may be closed."""
        if self.plan.simulated:
            self._announce("waiting for the first quote")
            await _until(self._has_quote, _FIRST_QUOTE_S, "no quote was committed")

    def _has_quote(self) -> bool:
        reading = self.pulse.reading
        age_s = reading.newest_quote_age_s if reading else None
        # The cache outlives an orderly stop: only a quote of this run counts.
        return age_s is not None and age_s < monotonic() - self.started_at

    def _start(self, spec: ChildSpec, tasks: TaskGroup) -> None:
        assert self._crew is not None
        child = self._crew.start(spec)
        tasks.start_soon(self._attempt, self._crew.mind, child)

    async def _take_down(self) -> None:
        if self._failure is None:
            self._announce("stopping everything in order")
        assert self._crew is not None
        await self._crew.stop_all()
        if self._server is not None:
            self._announce("stopping PostgreSQL")
            await to_thread.run_sync(self._server.stop)
        homes.remove_run(self.plan.home)

    def _run_file(self) -> homes.RunFile:
        plan = self.plan
        return homes.RunFile(
            pid=os.getpid(),
            database_url=self._url,
            gateway={"host": plan.gateway_host, "port": plan.gateway_port},
            control_port=plan.settings.sim.control_port if plan.simulated else None,
            prefect_api=plan.prefect_api,
            started_at=utcnow().isoformat(),
            tape=plan.tape_name,
        )

    def _postgres_info(self) -> tuple[ChildInfo, ...]:
        pid = self._server.pid if self._server else None
        if self._server is None:
            return ()
        uptime_s = monotonic() - self._server_started_at if pid else 0.0
        state = "running" if pid else "waiting"
        return (ChildInfo("postgresql", state, pid, uptime_s, memory_mb(pid) if pid else 0.0, 0),)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((plans.LOOPBACK, port)) == 0


async def _until(condition: Callable[[], bool], within_s: float, complaint: str) -> None:
    give_up_at = monotonic() + within_s
    while not condition():
        if monotonic() > give_up_at:
            raise ChildDied(
                f"After {within_s:g} s {complaint}.",
                remedy="Everything was stopped. The logs in the state folder say why.",
            )
        await anyio.sleep(_LOOK_EVERY_S)


async def _until_asked(question: Callable[[str], bool], api: str, complaint: str) -> None:
    give_up_at = monotonic() + _PREFECT_START_S
    while not await to_thread.run_sync(question, api):
        if monotonic() > give_up_at:
            raise ChildDied(
                f"After {_PREFECT_START_S:g} s {complaint}.",
                remedy="Everything was stopped. Leave Prefect out with --no-prefect, or see logs.",
            )
        await anyio.sleep(_LOOK_EVERY_S)
