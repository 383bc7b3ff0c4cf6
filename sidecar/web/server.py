"""uvicorn as a task of the sidecar: its socket, its loop, its signals are the sidecar's."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import anyio
import uvicorn
from starlette.types import ASGIApp

from ibcore.errors import PortTaken

HOST: Final = "127.0.0.1"
# A browser holds some connections open; more askers than this get 503.
_MOST: Final = 100


class Server(uvicorn.Server):
    """Serves until its task is cancelled."""

    def __init__(self, app: ASGIApp) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        config = uvicorn.Config(
            app,
            loop="none",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MOST,
        )
        super().__init__(config)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGTERM and SIGINT to the sidecar."""
        yield

    async def hold(self, listening: socket.socket) -> None:
        """Serve on a socket until cancelled; nothing is open afterwards."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve_whole, listening, name="status page: uvicorn")
            try:
                await anyio.sleep_forever()
            finally:
                # Browsers keep connections open: they are not waited for.
                self.should_exit = self.force_exit = True

    async def _serve_whole(self, listening: socket.socket) -> None:
        # uvicorn ends by its flag; cancelled, it would leave its sockets open.
        with anyio.CancelScope(shield=True):
            await self.serve(sockets=[listening])


def listen(port: int) -> socket.socket:
    """Take the port on loopback, or raise PortTaken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen()
        made.setblocking(False)
    except OSError as refused:
        made.close()
        raise PortTaken(
            f"Port {port}, wanted for the status page, cannot be had: {refused.strerror}.",
            remedy="Ticks are recorded all the same. Set IBKEEPER_HTTP__PORT to another; 0: none.",
        ) from None
    return made
