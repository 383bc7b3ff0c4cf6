"""The gateway: listens, admits sessions, and turns the pump that moves the market and its lines.

    async with Gateway(SimConfig(seed=7)) as gateway:
        await IB().connectAsync("127.0.0.1", gateway.port, clientId=1)
        ...
        assert gateway.ledger.sent_ticks

Everything runs on one event loop. Tasks: one accept server, one task a session, one pump.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Final

import structlog

from ibcore.errors import PortTaken
from ibcore.sim import answers, requests, tape
from ibcore.sim.config import SimConfig
from ibcore.sim.control import ControlPort
from ibcore.sim.ledger import Ledger
from ibcore.sim.listener import Listener
from ibcore.sim.market import Market
from ibcore.sim.rate import RateDriver
from ibcore.sim.replay import DayReplay, RecordedReplay
from ibcore.sim.session import Session
from ibcore.sim.source import Source
from ibcore.sim.subscriptions import Subscriptions
from ibcore.sim.trading import Trading

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

__all__ = ["Gateway", "SimConfig"]

_PUMP_S: Final = 0.005
_REFUSE_S: Final = 20.0
_STEPS_PER_TURN: Final = 50  # then other tasks have their turn


def open_source(config: SimConfig) -> Source:
    """Choose the model or the tape; reading a day's tape takes about two seconds."""
    if config.tape is None:
        return Market(config)
    path = Path(config.tape)
    return DayReplay(config, path) if tape.is_day(path) else RecordedReplay(config, path)


def _rate_driver(config: SimConfig, source: Source, ledger: Ledger) -> RateDriver | None:
    if config.rate is None or not isinstance(source, Market):
        return None
    return RateDriver(config.rate, source, ledger, seed=config.seed)


class Gateway:
    """One simulated gateway on one port."""

    def __init__(self, config: SimConfig | None = None) -> None:
        self.config = config or SimConfig()
        self.clock = self.config.clock
        self.ledger = Ledger(limit=self.config.ledger_limit)
        self.source: Source = open_source(self.config)
        self._rate = _rate_driver(self.config, self.source, self.ledger)
        self.subscriptions = Subscriptions(self.source, self.ledger, limit=self.config.lines)
        self.sessions: dict[int, Session] = {}  # by client id, started ones only
        self.trading = Trading(self.config, self.source, self.sessions, ledger=self.ledger.orders)
        self.stopping = asyncio.Event()
        self.control_port: int | None = None
        self._connections: dict[asyncio.Task[None], Session] = {}
        self._opened = 0
        self._listener = Listener(self.config.host, self.config.port, self._accept)
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
        await self._listener.open()
        if self.config.control_port is not None:
            self._control = ControlPort(self, self.config.control_port)
            try:
                self.control_port = await self._control.start()
            except PortTaken:
                self._listener.close()
                raise
        self._pump = asyncio.create_task(self._run_pump(), name="sim-pump")

    @property
    def port(self) -> int:
        """Return the API port that is bound."""
        return self._listener.port

    @property
    def listening(self) -> bool:
        """Whether connections are accepted."""
        return self._listener.is_open

    async def stop(self) -> None:
        """Cut every session and release the ports; safe to call twice."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._pump = None
        await self._listener.stop()
        self.drop_all()
        if self._connections:
            await asyncio.wait(list(self._connections))
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
            "tape": str(self.config.tape) if self.config.tape else None,
            "sessions": sorted(self.sessions),
            "lines": self.subscriptions.count,
        }

    async def fault(self, name: str, for_s: float | None) -> str:
        """Start or end a fault; return what was done."""
        self.ledger.counts[f"fault_{name}"] += 1
        match name:
            case "drop":
                return f"{self.drop_all()} connections cut"
            case "refuse":
                seconds = for_s or _REFUSE_S
                self._listener.refuse_for(seconds)
                return f"{self.drop_all()} connections cut, none accepted for {seconds:g} s"
            case "accept":
                self._listener.close()
                await self._listener.open()
                return "connections are accepted"
            case _:
                raise ValueError(f"no fault is named {name!r}; there are drop, refuse, accept")

    def request_stop(self) -> None:
        """Ask whoever runs the gateway to stop it."""
        self.stopping.set()

    def drop_all(self) -> int:
        """Cut every connection; return how many there were."""
        for session in self._connections.values():
            session.abort()
        return len(self._connections)

    # -- sessions --------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._opened += 1
        limit = self.config.write_limit
        session = Session(self._opened, (reader, writer), self, write_limit=limit)
        task = asyncio.create_task(self._serve(session), name=f"sim-session-{session.number}")
        self._connections[task] = session
        task.add_done_callback(self._connections.pop)

    async def _serve(self, session: Session) -> None:
        why = "failed"
        try:
            why = await session.run()
        except Exception:
            log.exception("sim_session_failed", session=session.number)
            self.ledger.counts["sessions_failed"] += 1
        finally:
            self.subscriptions.drop_all(session)
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
            self._turn(self.clock.monotonic())

    def _turn(self, now: float) -> None:
        if self._rate is not None:
            self._rate.turn(self.subscriptions, now, clock=self.clock)
        else:
            self._move(now)
        self.subscriptions.end_snapshots(now)
        self.trading.turn()
        for session in self.sessions.values():
            session.flush()

    def _move(self, now: float) -> None:
        for _ in range(_STEPS_PER_TURN):
            changes = self.source.advance(now)
            if not changes:
                break
            self.subscriptions.apply(changes)
        self.subscriptions.catch_up()
