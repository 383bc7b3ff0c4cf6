"""One API connection: handshake, request loop, and a bounded way out.

    accepted -> negotiated -> started -> closed

A request that cannot be read is answered 320 (or 321 where the values are wrong), noted in the
ledger, and the connection lives on; bytes that are not frames end it. Output is joined and
written once per turn of the gateway's pump, and a client that does not read is never buffered
for without bound: `congested` stops the generation of its ticks.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final, Protocol

import structlog

from ibcore.sim import messages, requests, wire
from ibcore.sim.config import Clock
from ibcore.sim.ledger import Ledger, LineKey, Received, SessionRecord
from ibcore.sim.lines import Line

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

_HANDSHAKE_S: Final = 10.0
_HARD_LIMIT: Final = 64 << 20  # bytes; nobody who reads at all is ever this far behind
_VERSIONS: Final = re.compile(rb"v(\d{2,6})(?:\.\.(\d{2,6}))?(?: .*)?", re.DOTALL)


class Host(Protocol):
    """What a session needs of its gateway."""

    clock: Clock
    ledger: Ledger

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
        *,
        write_limit: int,
    ) -> None:
        self.number = number
        self.client_id = -1
        self.version = 0
        self.started = False
        self.lines: dict[int, Line] = {}
        self.market_data_kind = 1
        self.conflated = 0
        self._reader, self._writer = streams
        self._host = host
        self._write_limit = write_limit
        self._out: list[bytes] = []
        self._queued = 0  # bytes in _out
        self._ticks: list[tuple[LineKey, bytes]] = []

    # -- the way in ------------------------------------------------------------------------

    async def run(self) -> str:
        """Serve the connection until it ends; return why it did."""
        self._note("opened", str(self._writer.get_extra_info("peername")))
        try:
            await asyncio.wait_for(self._negotiate(), _HANDSHAKE_S)
            while True:
                self._take(await wire.read_body(self._reader))
        except asyncio.IncompleteReadError:
            return "closed by the client"
        except (asyncio.TimeoutError, TimeoutError):
            return "no handshake"
        except (ConnectionError, wire.WireError) as error:
            return str(error) or type(error).__name__

    async def _negotiate(self) -> None:
        if await self._reader.readexactly(4) != b"API\0":
            raise wire.WireError("not the API's greeting")
        match = _VERSIONS.fullmatch(await wire.read_body(self._reader))
        if match is None:
            raise wire.WireError("no version range in the greeting")
        newest = int(match[2] or match[1])
        if newest < wire.MIN_CLIENT_VERSION:
            raise wire.WireError(f"the client speaks {newest}, too old")
        self.version = min(wire.SERVER_VERSION, newest)
        at = self._host.clock.utcnow()
        self.send(wire.frame(self.version, f"{at:%Y%m%d %H:%M:%S} Greenwich Mean Time"))
        self.flush()

    def _take(self, body: bytes) -> None:
        raw = wire.split(body)
        try:
            request = requests.parse(raw, self.version)
        except requests.Unsupported as unsupported:
            self._receive(raw, unsupported.req_id, verdict=str(unsupported))
            self.error(unsupported.req_id, 320, f"Error reading request:{unsupported}")
        except requests.Malformed as malformed:
            self._receive(raw, malformed.req_id, verdict=str(malformed))
            cause = f"Error validating request.-'bR' : cause - {malformed}"
            self.error(malformed.req_id, 321, cause)
        else:
            self._receive(raw, request.req_id, verdict="ok")
            self._dispatch(request)
        self.flush()

    def _dispatch(self, request: requests.Request) -> None:
        if isinstance(request, requests.StartApi):
            self._start(request.client_id)
        elif self.started:
            self._host.answer(self, request)
        else:
            self.error(request.req_id, 504, "Not connected")

    def _start(self, client_id: int) -> None:
        if self.started:
            self.error(-1, 320, "Error reading request:API is started already")
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
        msg_id = int(raw[0][:9]) if raw and raw[0].isdecimal() else -1
        at_ns = self._host.clock.unix_ns()
        self._host.ledger.request(
            Received(at_ns, self.number, self.client_id, msg_id, req_id, tuple(raw[1:]), verdict)
        )

    def _note(self, event: str, detail: str) -> None:
        at_ns = self._host.clock.unix_ns()
        self._host.ledger.session(SessionRecord(at_ns, self.number, self.client_id, event, detail))

    # -- the way out -----------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Queue one frame for the next write."""
        self._out.append(data)
        self._queued += len(data)

    def send_message(self, name: str, **values: object) -> None:
        """Queue one message of the table."""
        self.send(messages.encode(name, self.version, **values))

    def send_tick(self, key: LineKey, data: bytes) -> None:
        """Queue one market-data frame; the ledger hears of it when it is written."""
        self.send(data)
        self._ticks.append((key, data))

    def error(self, req_id: int, code: int, text: str) -> None:
        """Queue an error or notice."""
        self._host.ledger.counts[f"notice_{code}"] += 1
        self.send_message("error", req_id=req_id, code=code, text=text)

    def flush(self) -> None:
        """Write what is queued, and note its ticks with the time of the write."""
        if not self._out:
            return
        data = b"".join(self._out)
        self._out.clear()
        self._queued = 0
        transport = self._writer.transport
        if transport.is_closing():
            self._ticks.clear()
            return
        at_ns = self._host.clock.unix_ns()
        transport.write(data)
        if self._ticks:
            self._host.ledger.ticks(at_ns, self._ticks)
            self._ticks = []
        if transport.get_write_buffer_size() > _HARD_LIMIT:
            log.warning("sim_client_stopped_reading", session=self.number)
            transport.abort()

    @property
    def buffered(self) -> int:
        """How many bytes wait for the client to read."""
        return self._queued + self._writer.transport.get_write_buffer_size()

    @property
    def congested(self) -> bool:
        """Whether the client is so far behind that its ticks are conflated."""
        return self.buffered > self._write_limit

    def abort(self) -> None:
        """Cut the connection without a goodbye."""
        self._writer.transport.abort()

    async def close(self, why: str) -> None:
        """Close the connection after what is queued has been handed over."""
        self.flush()
        self._note("closed", why)
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), 1.0)
        except (asyncio.TimeoutError, TimeoutError, ConnectionError):
            self.abort()
