"""A listening socket that can be closed and opened again: how a gateway really refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from ibcore.errors import PortTaken

Accept: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


class Listener:
    """One address; `close` and `open` again keep the port."""

    def __init__(self, host: str, port: int, accept: Accept) -> None:
        self._host = host
        self.port = port  # of the socket, once it is open
        self._accept = accept
        self._server: asyncio.Server | None = None
        self._reopening: asyncio.TimerHandle | None = None
        self._opener: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether anybody would be accepted."""
        return self._server is not None

    async def open(self) -> None:
        """Listen, or say whose fault it is that we cannot."""
        if self._server is not None:
            return
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self.port)
        except OSError as error:
            raise PortTaken(
                f"The simulated gateway cannot listen on {self._host}:{self.port}"
                f" ({error.strerror}).",
                remedy="Nothing was started. Choose another port, or stop what holds this one.",
            ) from None
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening; connections that are open live on."""
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        if self._server is not None:
            self._server.close()
            self._server = None

    def refuse_for(self, seconds: float) -> None:
        """Refuse connections for a while."""
        self.close()
        self._reopening = asyncio.get_running_loop().call_later(seconds, self._reopen)

    def _reopen(self) -> None:
        self._reopening = None
        self._opener = asyncio.create_task(self.open(), name="sim-reopen")

    async def stop(self) -> None:
        """Close, and wait for an opening that is under way."""
        if self._opener is not None:
            await asyncio.gather(self._opener, return_exceptions=True)
        self.close()
