"""A listening socket that can be closed and opened again: how a gateway really refuses.

Two sockets share one address: the first only listens, the second is a duplicate that accepts.
Without the second the kernel still completes connections and nobody takes them: a deaf gateway.
Without both, connections are refused; a third socket then holds the address without listening,
so that nobody else is given the port before it is opened again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

import structlog

from ibcore.errors import PortTaken

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

Accept: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]

_BACKLOG: Final = 100


class Listener:
    """One address; `close` or `deafen` and then `open` again keep the port."""

    def __init__(self, host: str, port: int, accept: Accept) -> None:
        self._host = host
        self.port = port  # of the socket, once it is open
        self._accept = accept
        self._bound: socket.socket | None = None
        self._held: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._opener: asyncio.Task[None] | None = None
        self.refusals = 0  # faults that want nobody let in
        self.deafnesses = 0  # faults that want nobody accepted

    @property
    def is_open(self) -> bool:
        """Whether anybody would be accepted."""
        return self._server is not None

    async def open(self) -> None:
        """Listen and accept, or say whose fault it is that we cannot."""
        if self._server is not None:
            return
        try:
            if self._bound is None:
                self._bound = self._bind()
            self._server = await asyncio.start_server(self._accept, sock=self._bound.dup())
        except OSError as error:
            raise PortTaken(
                f"The simulated gateway cannot listen on {self._host}:{self.port}"
                f" ({error.strerror}).",
                remedy="Nothing was started. Choose another port, or stop what holds this one.",
            ) from None
        self.port = int(self._bound.getsockname()[1])

    def _bind(self) -> socket.socket:
        """Return a socket that listens: the one that held the address, or a new one."""
        bound, self._held = self._held or self._hold(), None
        bound.listen(_BACKLOG)
        return bound

    def _hold(self) -> socket.socket:
        """Return a socket that has the address and does not listen."""
        sock = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self._host, self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def deafen(self) -> None:
        """Accept nobody, while the kernel goes on completing connections."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def close(self) -> None:
        """Stop listening; connections that are open live on."""
        self.deafen()
        for sock in (self._bound, self._held):
            if sock is not None:
                sock.close()
        self._bound = self._held = None

    def _refuse(self) -> None:
        if self._held is None:
            self.close()
            self._held = self._hold()

    def settle(self) -> None:
        """Refuse, deafen or open, whatever the faults want after one came or went."""
        try:
            self._settle()
        except OSError as error:
            log.warning("sim_lost_its_port", port=self.port, error=str(error))

    def _settle(self) -> None:
        if self.refusals:
            self._refuse()
        elif self.deafnesses:
            self._bound = self._bound or self._bind()
            self.deafen()
        else:
            self._opener = asyncio.create_task(self._try_to_open(), name="sim-reopen")

    async def settled(self) -> None:
        """Wait for an opening that is under way."""
        if self._opener is not None:
            await asyncio.gather(self._opener, return_exceptions=True)

    async def _try_to_open(self) -> None:
        try:
            await self.open()
        except PortTaken as error:
            log.warning("sim_cannot_reopen", error=str(error))

    async def stop(self) -> None:
        """Close for good."""
        await self.settled()
        self.close()
