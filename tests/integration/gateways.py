"""Gateways that misbehave on purpose, and a session to point at them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ibcore.clock import monotonic
from ibcore.config import GatewaySettings, TickDefaults
from ibcore.domain import Endpoint, SessionState
from sidecar.journal import Entry
from sidecar.session import Session
from tests.ports import free_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def frame(*fields: object) -> bytes:
    """Encode a message as a gateway does."""
    body = "".join(f"{field}\0" for field in fields).encode()
    return len(body).to_bytes(4, "big") + body


GREETING = frame(9, 1, 1000) + frame(15, 1, "DU1234567")
TIME = frame(49, 1, 1_800_000_000)


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """Serve every connection by `handler`; yield the port."""
    writers: list[asyncio.StreamWriter] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            return

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def deaf(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accept and never say a word."""
    while await reader.read(65_536):
        pass


async def rude(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up at once."""
    writer.close()


def scripted(*, version: int = 178, times: int = 10**9, after: bytes = b"") -> Handler:
    """Greet, send `after` with the first answer, and answer `times` questions for the time."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
        writer.write(frame(version, "20261123 09:30:00 UTC"))
        left, extra = times, after
        while True:
            body = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
            if body.startswith(b"71\0"):
                writer.write(GREETING)
            elif body.startswith(b"49\0") and left > 0:
                writer.write(TIME + extra)
                left, extra = left - 1, b""

    async def patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except asyncio.IncompleteReadError:
            return

    return patient


@asynccontextmanager
async def refusing() -> AsyncIterator[int]:
    """Yield a port on which nobody listens."""
    yield free_port()


class Notebook:
    """A journal in memory, with conditions to wait for."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._changed = asyncio.Condition()
        self._waker: set[asyncio.Task[None]] = set()

    def note(self, entry: Entry) -> None:
        """Keep an entry."""
        self.entries.append(entry)
        task = asyncio.get_running_loop().create_task(self._tell())
        self._waker.add(task)
        task.add_done_callback(self._waker.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, state: SessionState, count: int = 1) -> Entry:
        """Wait until `state` was entered `count` times; return the last of these entries."""

        def entered() -> list[Entry]:
            return [entry for entry in self.entries if entry.step.new_state is state]

        async with self._changed:
            await self._changed.wait_for(lambda: len(entered()) >= count)
        return entered()[count - 1]

    @property
    def backoffs(self) -> list[float]:
        """Return every wait that was noted."""
        return [e.step.backoff_s for e in self.entries if e.step.backoff_s is not None]


def session_at(port: int, notebook: Notebook, *, client_id: int = 10, **more: Any) -> Session:
    """Return a session with deadlines short enough for a test; `gateway` overrides them."""
    overrides = more.pop("gateway", {})
    timing = {"connect_timeout_s": 0.5, "heartbeat_s": 0.1, "heartbeat_timeout_s": 0.2}
    return Session(
        Endpoint("127.0.0.1", port, client_id),
        role="stream",
        gateway=GatewaySettings(**(timing | overrides)),
        defaults=TickDefaults(),
        journal=notebook,
        **more,
    )


@asynccontextmanager
async def running(session: Session) -> AsyncIterator[asyncio.Task[None]]:
    """Run a session for the length of the block."""
    task = asyncio.create_task(session.run(), name="session under test")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(holds: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Wait until `holds()` is true; for what tells nobody when it changes."""
    ends_at = monotonic() + within_s
    while True:
        if holds():
            return
        assert monotonic() < ends_at, "it never came true"
        await asyncio.sleep(0.01)
