"""The journal of the sessions: every step becomes rows, and a dead database stops nobody.

`note` is called on the way to reconnecting and never waits: entries go into a bounded queue
(policy: the oldest goes first, and is counted). One task writes them in order, one transaction
an entry, and tries again for as long as the database is away. An entry carries the whole row of
its attempt, so that one written twice, or after a lost one, still ends up right.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, NoReturn

import anyio
import psycopg
from psycopg.rows import tuple_row

from ibcore import db
from ibcore.domain import SessionState
from ibcore.errors import DatabaseUnavailable
from ibcore.log import get_logger
from ibcore.policy import backoff_s

log = get_logger(__name__)

LIMIT: Final = 1_000
LONGEST_WAIT_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to connect, and the connection it became: a row of `session`."""

    role: str
    provider: str
    host: str
    port: int
    client_id: int
    state: SessionState
    attempt: int
    opened_at: datetime
    ready_at: datetime | None = None
    closed_at: datetime | None = None
    connect_ms: float | None = None
    server_version: int | None = None
    close_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the state machine: a row of `session_event`."""

    at: datetime
    role: str
    old_state: SessionState
    new_state: SessionState
    attempt: int
    backoff_s: float | None = None
    code: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A step and the attempt it belongs to (None before the first)."""

    step: Step
    attempt: Attempt | None


class Journal:
    """Writes entries in order, whenever the database is there."""

    def __init__(self, database_url: str, *, sidecar: str, epoch: int, limit: int = LIMIT) -> None:
        self.dropped = 0
        self._url = database_url
        self._owner = {"sidecar": sidecar, "epoch": epoch}
        self._entries: deque[Entry] = deque()
        self._limit = limit
        self._failures = 0
        self._more = asyncio.Event()
        self._written = asyncio.Event()
        self._written.set()

    def note(self, entry: Entry) -> None:
        """Queue an entry; never waits."""
        if len(self._entries) >= self._limit:
            self._entries.popleft()
            self.dropped += 1
        self._entries.append(entry)
        self._written.clear()
        self._more.set()

    async def run(self) -> None:
        """Write what is noted, for ever."""
        while True:
            await self._more.wait()
            try:
                await self._write_until_lost()
            except DatabaseUnavailable as gone:
                self._failures += 1
                log.warning("journal_waits", why=str(gone), entries=len(self._entries))
                await anyio.sleep(min(backoff_s(self._failures), LONGEST_WAIT_S))

    async def drain(self, deadline_s: float) -> bool:
        """Wait until everything noted is written; False when the deadline came first."""
        with anyio.move_on_after(deadline_s):
            await self._written.wait()
        return self._written.is_set()

    async def _write_until_lost(self) -> NoReturn:
        async with db.opened(self._url, application="ibkeeper-journal") as connection:
            try:
                while True:
                    await self._write_queued(connection)
                    await self._more.wait()
            except psycopg.Error as lost:
                # Not an error of this entry: it stays queued and is written on the next connection.
                raise DatabaseUnavailable(f"The journal cannot write: {lost}") from lost

    async def _write_queued(self, connection: db.Connection) -> None:
        while self._entries:
            entry = self._entries[0]
            try:
                await self._write(connection, entry)
            except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.RaiseException):
                # The database refuses the step itself: repeating it would block all later ones.
                log.exception("journal_entry_refused", step=str(entry.step))
            if self._entries and self._entries[0] is entry:
                self._entries.popleft()
        self._failures = 0
        self._more.clear()
        self._written.set()

    async def _write(self, connection: db.Connection, entry: Entry) -> None:
        async with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            session_id = None
            if entry.attempt is not None:
                row = asdict(entry.attempt) | self._owner
                await cursor.execute(db.QUERIES["note_session"], row)
                found = await cursor.fetchone()
                session_id = None if found is None else found[0]
            step = asdict(entry.step) | self._owner | {"session_id": session_id}
            await cursor.execute(db.QUERIES["note_session_event"], step)
