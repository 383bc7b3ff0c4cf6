"""One API connection: handshake, request loop, and a bounded way out.

    accepted -> negotiated -> started -> closed

A request that cannot be read is answered 320 (or 321 where what was read makes no sense), logged,
noted in the ledger, and the connection lives on; bytes that are not frames end it, and so do too
many messages a second. Output goes through an outlet, once per turn of the gateway's pump, and a
client that does not read is never buffered for without bound: `congested` stops the generation of
its ticks.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from typing import Final, Protocol

import structlog

from ibcore.sim import messages, requests, wire
from ibcore.sim.config import Clock, SimConfig
from ibcore.sim.ledger import Ledger, LineKey, Received, SessionRecord
from ibcore.sim.limits import RATE_EXCEEDED, Pacing, Verdict
from ibcore.sim.lines import Line
from ibcore.sim.outlet import Outlet

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

_HANDSHAKE_S: Final = 10.0
_QUESTIONS: Final = frozenset({5, 7, 16, 99})  # open orders, executions, completed orders
_FAR_BEHIND: Final = 64  # times the limit at which ticks are conflated: then it is cut off
_LINGER: Final = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST
_VERSIONS: Final = re.compile(rb"v(\d{2,6})(?:\.\.(\d{2,6}))?(?: .*)?", re.DOTALL)


class Host(Protocol):
    """What a session needs of its gateway."""

    config: SimConfig
    clock: Clock  # what clients are told; a fault may skew it
    wall: Clock  # what the ledger is written by
    ledger: Ledger

    def stalled_s(self) -> float:
        """Return how long the gateway has ever stood still."""

    def start_session(self, session: Session, client_id: int) -> bool:
        """Admit the client id, or say no."""

    def answer(self, session: Session, request: requests.Request) -> None:
        """Answer one request."""


class Session:
    """One connection of one client."""

    def __init__(
        self,
        number: int,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        host: Host,
    ) -> None:
        self.number = number
        self.client_id = -1
        self.version = 0
        self.started = False
        self.lines: dict[int, Line] = {}
        self.market_data_kind = 1
        self.conflated = 0
        self.answering = False  # what goes out now answers a question about orders
        self._cut = ""  # why this side ended it
        self._frozen_at = 0.0
        self._frozen_s = 0.0  # how long it ever was frozen
        self._reader, self._writer = streams
        self._host = host
        self._write_limit = host.config.write_limit
        self._pacing = Pacing(host.config.messages_per_second)
        self._thawed = asyncio.Event()
        self._thawed.set()
        self.out = Outlet(self, self._writer, ledger=host.ledger, wall=host.wall,
                          limit=_FAR_BEHIND * self._write_limit)  # fmt: skip

    # -- the way in ------------------------------------------------------------------------

    async def run(self) -> str:
        """Serve the connection until it ends; return why it did."""
        self._note("opened", str(self._writer.get_extra_info("peername")))
        why = await self._serve()
        return self._cut or why

    async def _serve(self) -> str:
        try:
            await self._thawed.wait()
            await asyncio.wait_for(self._negotiate(), _HANDSHAKE_S)
            while True:
                body = await wire.read_body(self._reader)
                await self._thawed.wait()
                if self._writer.is_closing():
                    return "closed"  # what was read before the cut is not acted upon after it
                self._take(body)
        except asyncio.IncompleteReadError:
            return "closed by the client"
        except (asyncio.TimeoutError, TimeoutError):
            return "no handshake"
        except (ConnectionError, wire.WireError) as error:
            return str(error) or type(error).__name__

    async def _negotiate(self) -> None:
        await wire.read_greeting(self._reader)
        match = _VERSIONS.fullmatch(await wire.read_body(self._reader))
        if match is None:
            raise wire.WireError("no version range in the greeting")
        newest = int(match[2] or match[1])
        if newest < wire.MIN_CLIENT_VERSION:
            raise wire.WireError(f"the client speaks {newest}, too old")
        self.version = min(self._host.config.server_version, newest)
        at = self._host.clock.utcnow()
        self.send(wire.frame(self.version, f"{at:%Y%m%d %H:%M:%S} Greenwich Mean Time"))
        self.flush()

    def _take(self, body: bytes) -> None:
        raw = wire.split(body)
        if not self._paced(raw):
            return
        try:
            request = requests.parse(raw, self.version)
            if not self.started and not isinstance(request, requests.StartApi):
                raise requests.Malformed("startApi has to come first.", request.req_id)
        except requests.Malformed as malformed:
            self._receive(raw, malformed.req_id, verdict=str(malformed))
            self.error(malformed.req_id, malformed.code, malformed.answer())
        else:
            self._receive(raw, request.req_id, verdict="ok")
            self._dispatch(request)
        self.flush()

    def _paced(self, raw: list[str]) -> bool:
        """Whether the client may ask this now; who asks too much for long is cut off."""
        verdict = self._pacing.spend(
            self._host.clock.monotonic(), self._host.stalled_s() + self._frozen_s
        )
        if verdict is Verdict.allowed:
            return True
        self._receive(raw, -1, verdict="too many messages a second")
        self.error(-1, 100, RATE_EXCEEDED)
        self.flush()
        if verdict is Verdict.last:
            raise ConnectionError("too many messages a second")
        return False

    def _dispatch(self, request: requests.Request) -> None:
        if isinstance(request, requests.StartApi):
            self._start(request.client_id)
        elif request.msg_id in _QUESTIONS:
            self._answer_question(request)
        else:
            self._host.answer(self, request)

    def _answer_question(self, request: requests.Request) -> None:
        """Answer apart from news: faults that hide news about orders do not touch answers."""
        self.flush()
        self.answering = True
        try:
            self._host.answer(self, request)
            self.flush()
        finally:
            self.answering = False

    def _start(self, client_id: int) -> None:
        if self.started:
            self.error(-1, 320, "Error reading request. The API is started already.")
        elif self._host.start_session(self, client_id):
            self._note("started", f"version {self.version}")
        else:
            self.error(
                -1,
                326,
                # As TWS spells it (node-ib#27).
                "Unable connect as the client id is already in use. Retry with a unique client id.",
            )
            self.flush()
            raise ConnectionError(f"client id {client_id} is in use")

    def _receive(self, raw: list[str], req_id: int, *, verdict: str) -> None:
        msg_id = requests.number_of(raw)
        if verdict != "ok":
            log.info("sim_request_refused", session=self.number, msg_id=msg_id, verdict=verdict)
        at_ns = self._host.wall.unix_ns()
        self._host.ledger.request(
            Received(at_ns, self.number, self.client_id, msg_id, req_id, tuple(raw[1:]), verdict)
        )

    def _note(self, event: str, detail: str) -> None:
        at_ns = self._host.wall.unix_ns()
        self._host.ledger.session(SessionRecord(at_ns, self.number, self.client_id, event, detail))

    # -- the way out -----------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Queue one frame for the next write."""
        self.out.send(data)

    def send_message(self, name: str, **values: object) -> None:
        """Queue one message of the table."""
        self.send(messages.encode(name, self.version, **values))

    def send_tick(self, key: LineKey, data: bytes) -> None:
        """Queue one market-data frame; the ledger hears of it when it is written."""
        self.out.send_tick(key, data)

    def error(self, req_id: int, code: int, text: str) -> None:
        """Queue an error or notice."""
        self._host.ledger.counts[f"notice_{code}"] += 1
        self.send_message("error", req_id=req_id, code=code, text=text)

    def flush(self) -> None:
        """Write what is queued."""
        self.out.flush()

    @property
    def buffered(self) -> int:
        """How many bytes wait for the client to read."""
        return self.out.buffered

    @property
    def congested(self) -> bool:
        """Whether the client is so far behind that its ticks are conflated."""
        return self.buffered > self._write_limit

    def freeze(self) -> None:
        """Read nothing and write nothing until `thaw`; the socket stays."""
        if not self.out.holds:
            self._frozen_at = self._host.clock.monotonic()
        self.out.holds += 1
        self._thawed.clear()
        self._read(False)

    def thaw(self) -> None:
        """Go on where `freeze` stopped, unless another one holds."""
        self.out.holds -= 1
        if not self.out.holds:
            self._frozen_s += self._host.clock.monotonic() - self._frozen_at
            self._thawed.set()
            self._read(True)

    def _read(self, wanted: bool) -> None:
        # What the stream reader holds already is read before this is asked again; beyond that the
        # kernel's buffer fills, as it does for a process that was stopped.
        transport = self._writer.transport
        if isinstance(transport, asyncio.Transport) and not transport.is_closing():
            if wanted:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def abort(self, why: str) -> None:
        """Cut the connection without a goodbye."""
        self._cut = self._cut or why
        self._thawed.set()
        self._writer.transport.abort()

    def reset(self, why: str) -> None:
        """Cut the connection with a reset (RST) in place of an orderly end."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None and not self._writer.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self.abort(why)

    def hang_up(self, why: str) -> None:
        """Close once what is written has gone out."""
        self._cut = self._cut or why
        self._writer.close()

    async def close(self, why: str) -> None:
        """Close the connection after what is queued has been handed over."""
        await self.out.close()
        self._note("closed", why)
        try:
            await asyncio.wait_for(self._part(), 1.0)
        except (asyncio.TimeoutError, TimeoutError, ConnectionError, OSError):
            self.abort(why)

    async def _part(self) -> None:
        # Closing with something unread resets the connection, and the client loses the words
        # that said why (100, 326): so only our half ends, until the client has ended its own.
        if not self._writer.is_closing():
            self._writer.write_eof()
            while await self._reader.read(1 << 16):
                pass
        self._writer.close()
        await self._writer.wait_closed()
