"""The gateway: listens, admits sessions, and turns the pump that moves the market and its lines.

    async with Gateway(SimConfig(seed=7)) as gateway:
        await IB().connectAsync("127.0.0.1", gateway.port, clientId=1)
        ...
        assert gateway.ledger.sent_ticks

Everything runs on one event loop. Tasks: one accept server, one task a session, one pump.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Final

import structlog

from ibcore.errors import PortTaken
from ibcore.sim import answers, requests, schedule
from ibcore.sim.clocks import SkewedClock
from ibcore.sim.config import Clock, SimConfig
from ibcore.sim.control import ControlPort
from ibcore.sim.datadesk import DataDesk
from ibcore.sim.farms import Farms
from ibcore.sim.faultengine import Done, FaultEngine
from ibcore.sim.ledger import Ledger
from ibcore.sim.listener import Listener
from ibcore.sim.market import Market
from ibcore.sim.pace import Pace
from ibcore.sim.permissions import Permissions
from ibcore.sim.rate import RateDriver
from ibcore.sim.session import Session
from ibcore.sim.source import Source
from ibcore.sim.subscriptions import Subscriptions
from ibcore.sim.tapeclock import TapeClock
from ibcore.sim.tapes import open_source, shown
from ibcore.sim.trading import Trading

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

__all__ = ["Gateway", "SimConfig", "open_source"]

_PUMP_S: Final = 0.005
_AFTER_FAILURE_S: Final = 0.25  # a failure in every turn must not fill the log
_STEPS_PER_TURN: Final = 50  # then other tasks have their turn


def _rate_driver(config: SimConfig, source: Source, ledger: Ledger) -> RateDriver | None:
    if config.rate is None or not isinstance(source, Market):
        return None
    return RateDriver(config.rate, source, ledger, seed=config.seed)


class Gateway:
    """One simulated gateway on one port."""

    def __init__(self, config: SimConfig | None = None) -> None:
        given = config or SimConfig()
        self.wall = given.clock
        told = TapeClock(given.clock) if given.time == "tape" else given.clock
        self.skewed = SkewedClock(told)
        self.clock: Clock = self.skewed
        self.config = replace(given, clock=self.clock)
        self.ledger = Ledger(limit=self.config.ledger_limit, wall=self.wall)
        self.source: Source = open_source(self.config)
        if isinstance(told, TapeClock):
            told.follow(self.source.moment)
        self._rate = _rate_driver(self.config, self.source, self.ledger)
        self.sessions: dict[int, Session] = {}  # by client id, started ones only
        self.farms = Farms(self.sessions.values, wake_s=self.config.farm_wake_s)
        self.permissions = Permissions(given.permissions, closed=given.closed)
        self.subscriptions = Subscriptions(
            self.source,
            self.ledger,
            limit=self.config.lines,
            farms=self.farms,
            permissions=self.permissions,
        )
        self.data = DataDesk(
            self.source, self.config, clock=self.clock, quiet=self.subscriptions.silenced
        )
        self.trading = Trading(self.config, self.source, self.sessions, ledger=self.ledger.orders)
        self.stopping = asyncio.Event()
        self.control_port: int | None = None
        self._connections: dict[asyncio.Task[None], Session] = {}
        self._opened = 0
        self.listener = Listener(self.config.host, self.config.port, self._accept)
        self.faults = FaultEngine(self)
        self.speeds: list[float] = []  # faults that let the market run faster
        self.standstills = 0  # faults that let everything stand still
        self._pace = Pace()
        self._nightly = (
            schedule.Nightly(given.nightly, self.clock.utcnow()) if given.nightly else None
        )
        self._control: ControlPort | None = None
        self._pump: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Gateway:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Bind the ports and start the pump."""
        await self.listener.open()
        if self.config.control_port is not None:
            self._control = ControlPort(self, self.config.control_port)
            try:
                self.control_port = await self._control.start()
            except PortTaken:
                self.listener.close()
                raise
        self._pump = asyncio.create_task(self._run_pump(), name="sim-pump")

    @property
    def port(self) -> int:
        """Return the API port that is bound."""
        return self.listener.port

    @property
    def listening(self) -> bool:
        """Whether connections are accepted."""
        return self.listener.is_open

    async def stop(self) -> None:
        """Cut every session and release the ports; safe to call twice."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._pump = None
        self.faults.clear()
        await self.listener.stop()
        self.drop_all()
        if self._connections:
            await asyncio.wait(list(self._connections))
        self.source.close()
        if self._control is not None:
            await self._control.stop()
            self._control = None

    # -- control ---------------------------------------------------------------------------

    def describe(self) -> dict[str, object]:
        """Return the address, the seed and the state."""
        return {
            "host": self.config.host,
            "port": self.port,
            "control_port": self.control_port,
            "seed": self.config.seed,
            "tape": shown(self.config.tape) if self.config.tape else None,
            "sessions": sorted(self.sessions),
            "lines": self.subscriptions.count,
            "faults": self.faults.active,
        }

    async def fault(self, name: str, for_s: float | None = None, /, **given: Any) -> str:
        """Start or end a fault; return what was done. `given`: targets, seed and parameters."""
        return (await self.disturb(name, for_s, given)).done

    async def disturb(self, name: str, for_s: float | None, given: Mapping[str, Any]) -> Done:
        """Start or end a fault; return also how to repeat it."""
        done = self.faults.order(name, for_s, given)
        await self.listener.settled()
        return done

    @property
    def connections(self) -> list[Session]:
        """Every connection, started or not, in the order in which they came."""
        return list(self._connections.values())

    @property
    def turned_at(self) -> float | None:
        """When the pump turned last, by the clock that was given: all that was due is written."""
        return self._pace.at

    def stalled_s(self) -> float:
        """How long the gateway has ever stood still, as far as it knows now."""
        return self._pace.stalled_s(self.clock.monotonic())

    def request_stop(self) -> None:
        """Ask whoever runs the gateway to stop it."""
        self.stopping.set()

    def drop_all(self) -> int:
        """Cut every connection; return how many there were."""
        for session in self._connections.values():
            session.abort("the gateway stopped")
        return len(self._connections)

    # -- sessions --------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._opened += 1
        session = Session(self._opened, (reader, writer), self)
        task = asyncio.create_task(self._serve(session), name=f"sim-session-{session.number}")
        self._connections[task] = session
        task.add_done_callback(self._connections.pop)
        self.faults.admit(session)

    async def _serve(self, session: Session) -> None:
        why = "failed"
        try:
            why = await session.run()
        except Exception:
            log.exception("sim_session_failed", session=session.number)
            self.ledger.counts["sessions_failed"] += 1
        finally:
            self.subscriptions.drop_all(session)
            self.data.drop_all(session)
            self.trading.drop(session)
            if self.sessions.get(session.client_id) is session:
                del self.sessions[session.client_id]
            await session.close(why)

    def start_session(self, session: Session, client_id: int) -> bool:
        """Admit a client id that nobody uses, and greet it."""
        if client_id in self.sessions:
            return False
        session.client_id = client_id
        session.started = True
        self.sessions[client_id] = session
        answers.greet(self, session)
        self.faults.admit(session)
        return True

    def answer(self, session: Session, request: requests.Request) -> None:
        """Answer one request; a bug in an answer must not end other people's sessions."""
        try:
            answers.ANSWERS[request.msg_id](self, session, request)
        except Exception:
            log.exception("sim_answer_failed", msg_id=request.msg_id, session=session.number)
            self.ledger.counts["answers_failed"] += 1
            session.error(request.req_id, 322, "Error processing request.")

    # -- the pump --------------------------------------------------------------------------

    async def _run_pump(self) -> None:
        while True:
            await asyncio.sleep(_PUMP_S)
            try:
                self._turn(self.clock.monotonic())
            except Exception:
                log.exception("sim_turn_failed")
                self.ledger.counts["turns_failed"] += 1
                await asyncio.sleep(_AFTER_FAILURE_S)

    def _turn(self, now: float) -> None:
        passed = self._pace.turn(now)
        self.faults.turn(now)
        if self._nightly is not None and self._nightly.due(self.clock.utcnow()):
            self.faults.order("nightly", None, {})
        if self.standstills:
            return
        self.farms.turn(now)
        speed = math.prod(self.speeds)
        market_now = self._pace.market(passed, speed)
        self.subscriptions.ahead_s = self.data.ahead_s = market_now - now
        if self._rate is not None:
            self._rate.turn(self.subscriptions, market_now, clock=self.clock, speed=speed)
        elif not self.config.closed:
            self._move(market_now)
        self.subscriptions.catch_up()
        self.subscriptions.end_snapshots(now)
        self.data.turn()
        self.trading.turn()
        for session in self.sessions.values():
            session.flush()

    def _move(self, now: float) -> None:
        for _ in range(_STEPS_PER_TURN):
            changes = self.source.advance(now)
            if not changes:
                break
            self.subscriptions.apply(changes)
            self.data.note(changes)
