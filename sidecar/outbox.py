"""A queue of what the database is to be told by parts that must not wait for it.

`put` never waits: the queue is bounded (policy: the oldest goes first, and is counted). One task
writes in order, one transaction an entry, and tries again for as long as the database is away.
An entry may be written twice when a connection breaks between its commit and the answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, NoReturn, TypeVar

import anyio
import psycopg

from ibcore import db
from ibcore.errors import DatabaseUnavailable
from ibcore.log import get_logger
from ibcore.policy import backoff_s

log = get_logger(__name__)

LIMIT: Final = 1_000
LONGEST_WAIT_S: Final = 8.0

T = TypeVar("T")
Write = Callable[[db.Connection, T], Awaitable[None]]


class Outbox(Generic[T]):
    """Writes entries in order, whenever the database is there."""

    def __init__(self, url: str, write: Write[T], *, name: str, limit: int = LIMIT) -> None:
        self.url = url
        self.dropped = 0
        self._write = write
        self._name = name
        self._limit = limit
        self._entries: deque[T] = deque()
        self._failures = 0
        self._more = asyncio.Event()
        self._written = asyncio.Event()
        self._written.set()

    def put(self, entry: T) -> None:
        """Queue an entry; never waits."""
        if len(self._entries) >= self._limit:
            self._entries.popleft()
            self.dropped += 1
        self._entries.append(entry)
        self._written.clear()
        self._more.set()

    async def run(self) -> None:
        """Write what is queued, for ever."""
        while True:
            await self._more.wait()
            try:
                await self._write_until_lost()
            except DatabaseUnavailable as gone:
                self._failures += 1
                log.warning(
                    "outbox_waits", of=self._name, why=str(gone), entries=len(self._entries)
                )
                await anyio.sleep(min(backoff_s(self._failures), LONGEST_WAIT_S))

    async def drain(self, deadline_s: float) -> bool:
        """Wait until everything queued is written; False when the deadline came first."""
        with anyio.move_on_after(deadline_s):
            await self._written.wait()
        return self._written.is_set()

    async def _write_until_lost(self) -> NoReturn:
        async with db.opened(self.url, application=f"ibkeeper-{self._name}") as connection:
            try:
                while True:
                    await self._write_queued(connection)
                    await self._more.wait()
            except psycopg.Error as lost:
                # Not an error of this entry: it stays queued and is written on the next connection.
                raise DatabaseUnavailable(f"The {self._name} cannot write: {lost}") from lost

    async def _write_queued(self, connection: db.Connection) -> None:
        while self._entries:
            entry = self._entries[0]
            try:
                async with connection.transaction():
                    await self._write(connection, entry)
            except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.RaiseException):
                # The database refuses the entry itself: repeating it would block all later ones.
                log.exception("outbox_entry_refused", of=self._name, entry=str(entry))
            if self._entries and self._entries[0] is entry:
                self._entries.popleft()
        self._failures = 0
        self._more.clear()
        self._written.set()
