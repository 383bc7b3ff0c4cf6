"""One API connection, from the first SYN to the abort; never used twice.

`open` holds one deadline around everything and ends early when the gateway says why it will
not serve us; `hold` keeps asking for the time and returns only when the connection is gone.
Neither sleeps before a retry and neither retries: that is the session's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final, NamedTuple

import anyio
from ib_async import IB, Contract

from ibcore.clock import monotonic
from ibcore.config import GatewaySettings
from ibcore.domain import Endpoint
from ibcore.errors import (
    ApiReadOnly,
    ClientIdInUse,
    GatewayRefused,
    GatewayTimeout,
    GatewayTooOld,
    SessionFailed,
    SessionLost,
)
from ibcore.log import get_logger
from ibcore.notices import (
    CLIENT_ID_IN_USE,
    Action,
    Notice,
    Severity,
    classify,
    says_read_only,
)
from sidecar.ib_compat import ask_time, sever, stream_error

log = get_logger(__name__)

KEEPALIVE: Final = (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3))
USER_TIMEOUT_MS: Final = 5_000

NoticeHandler = Callable[[int, Notice, str], None]


class Ending(NamedTuple):
    """Why a connection ended, and the IB code that said so."""

    error: SessionFailed
    code: int | None = None


class Link:
    """An IB object and everything that can end its connection."""

    def __init__(
        self,
        ib: IB,
        endpoint: Endpoint,
        gateway: GatewaySettings,
        *,
        on_notice: NoticeHandler | None = None,
        sends_orders: bool = False,
    ) -> None:
        self.ib = ib
        self.ending: Ending | None = None
        self._endpoint = endpoint
        self._gateway = gateway
        self._on_notice = on_notice
        self._sends_orders = sends_orders
        self._scope = anyio.CancelScope()
        ib.client.apiError += self._note_closed
        # A peer that closes before its version is no apiError (client.py:403).
        ib.client.conn.disconnected += self._note_closed
        ib.errorEvent += self._note_notice

    async def open(self) -> float:
        """Connect and get one answer, within one deadline; return the milliseconds it took."""
        started = monotonic()
        # One deadline around everything; ib_async's own is applied to each step anew.
        self._scope = anyio.CancelScope(deadline=anyio.current_time() + self._timeout_s)
        with self._scope:
            await self._connect()
            answered = await ask_time(self.ib, self._timeout_s)
            if answered:
                self._refuse_old_gateway()
                return (monotonic() - started) * 1e3
        raise self._end(self._too_slow()).error

    async def hold(self) -> Ending:
        """Ask for the time every few seconds; return why the connection ended."""
        with anyio.CancelScope() as self._scope:
            while self.ending is None:
                await anyio.sleep(self._gateway.heartbeat_s)
                if not await ask_time(self.ib, self._gateway.heartbeat_timeout_s):
                    self._end(self._silent())
        return self._end(self._silent())

    def end(self, why: str) -> None:
        """End a connection that serves nobody; the session opens another."""
        self._end(SessionLost(why, remedy="The session reconnects."))

    async def close(self) -> None:
        """Abort the socket; every request that still waits fails."""
        with anyio.CancelScope(shield=True):
            await sever(self.ib)

    async def _connect(self) -> None:
        host, port, client_id = self._endpoint
        self.ib.wrapper.clientId = client_id
        try:
            # Not ib.connectAsync: it always subscribes to positions too (ib.py:2056), which a
            # market-data session neither needs nor wants to wait for.
            await self.ib.client.connectAsync(host, port, client_id, timeout=None)
        except OSError as failure:
            raise self._end(self._unreachable(failure)).error from None
        _watch_socket(self.ib)

    @property
    def _timeout_s(self) -> float:
        return self._gateway.connect_timeout_s

    def _end(self, error: SessionFailed, code: int | None = None) -> Ending:
        # The first reason is the cause; what follows from it is noise.
        if self.ending is None:
            self.ending = Ending(error, code)
            self._scope.cancel()
        return self.ending

    def _note_closed(self, message: str) -> None:
        if isinstance(self.ending, Ending) or "API connection failed" in message:
            return  # client.py:232 reports its own cancellation and refusal here as well
        if (garbled := stream_error(self.ib)) is not None:
            self._end(garbled)
            return
        if self.ib.client.isReady():
            what, next_step = "closed the connection", "The session reconnects."
        else:
            what, next_step = "hung up during the handshake", "Trying again."
        self._end(SessionLost(f"The gateway at {self._endpoint} {what}.", remedy=next_step))

    def _note_notice(self, req_id: int, code: int, text: str, _contract: Contract | None) -> None:
        notice = classify(code, has_request=req_id > 0)
        _log_notice(notice, text, req_id=req_id)
        if notice.action is Action.fail_session:
            self._end(self._refused_by_notice(code, text), code)
        elif self._sends_orders and says_read_only(code, text):
            self._end(self._read_only(), code)
        elif self._on_notice is not None:
            self._on_notice(req_id, notice, text)

    def _refused_by_notice(self, code: int, text: str) -> SessionFailed:
        if code == CLIENT_ID_IN_USE:
            return ClientIdInUse(
                f"Client id {self._endpoint.client_id} is connected already at "
                f"{self._endpoint.host}:{self._endpoint.port}.",
                remedy="Waiting for the old session to end; or set IBKEEPER_GATEWAY__CLIENT_ID.",
            )
        return SessionLost(f"The gateway ended the session: {text} ({code}).")

    def _read_only(self) -> ApiReadOnly:
        return ApiReadOnly(
            f"The gateway at {self._endpoint} takes no orders: its API is read-only.",
            remedy="Untick Read-Only API in the gateway's API settings,"
            " or set IBKEEPER_ORDERS__ENABLED=false.",
        )

    def _unreachable(self, failure: OSError) -> GatewayRefused:
        host, port, _ = self._endpoint
        return GatewayRefused(
            f"Nobody answers at {host}:{port} ({_words(failure)}).",
            remedy="Start the gateway and enable its API; IBKEEPER_GATEWAY__PORT names its port.",
        )

    def _too_slow(self) -> GatewayTimeout:
        return GatewayTimeout(
            f"The gateway at {self._endpoint} did not finish the handshake "
            f"in {self._timeout_s:g} s.",
            remedy="Trying again. Is it logged in, and is a dialog open?",
        )

    def _silent(self) -> SessionLost:
        return SessionLost(
            f"The gateway at {self._endpoint} did not answer a heartbeat "
            f"in {self._gateway.heartbeat_timeout_s:g} s.",
            remedy="The session reconnects.",
        )

    def _refuse_old_gateway(self) -> None:
        spoken, oldest = self.ib.client.serverVersion(), self._gateway.min_server_version
        if spoken < oldest:
            raise self._end(
                GatewayTooOld(
                    f"The gateway at {self._endpoint} speaks API version {spoken}, "
                    f"ibkeeper needs {oldest}.",
                    remedy="Update IB Gateway or TWS to build 1023 or newer.",
                )
            ).error


async def until_somebody_listens(endpoint: Endpoint, every_s: float) -> None:
    """Knock until a TCP connection is accepted; nothing is sent on it."""
    while True:
        await anyio.sleep(every_s)
        with contextlib.suppress(OSError, TimeoutError), anyio.fail_after(every_s):
            stream = await anyio.connect_tcp(endpoint.host, endpoint.port)
            await stream.aclose()
            return


def _watch_socket(ib: IB) -> None:
    """Let the kernel find a dead peer in 5 s: ib_async sets no option at all."""
    transport: asyncio.Transport | None = ib.client.conn.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (*KEEPALIVE, ("TCP_USER_TIMEOUT", USER_TIMEOUT_MS)):
        option = getattr(socket, name, None)  # macOS and Windows lack some of them
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _words(failure: OSError) -> str:
    # asyncio puts "Connect call failed ('127.0.0.1', 4002)" where the system's words stood.
    if failure.errno and not isinstance(failure, socket.gaierror):
        return os.strerror(failure.errno).lower()
    return (failure.strerror or str(failure) or type(failure).__name__).lower()


def _log_notice(notice: Notice, text: str, *, req_id: int) -> None:
    fields = {"code": notice.code, "text": text, "means": notice.meaning, "req_id": req_id}
    match notice.severity:
        case Severity.error:
            log.error("ib_notice", **fields)
        case Severity.warning:
            log.warning("ib_notice", **fields)
        case Severity.info:
            log.debug("ib_notice", **fields)
