"""The journal of the sessions: every step becomes rows, and a dead database stops nobody.

`note` is called on the way to reconnecting and never waits (`sidecar.outbox`). An entry carries
the whole row of its attempt, so that one written twice, or after a lost one, still ends up right.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import tuple_row

from ibcore import db
from ibcore.domain import SessionState
from ibcore.link_states import LinkState
from sidecar.outbox import LIMIT, Outbox

# For the status page, which also works while the database is away.
RECENT: Final = 2_000


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
    link: LinkState = LinkState.up


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


class Journal(Outbox[Entry]):
    """Writes entries in order, whenever the database is there."""

    def __init__(self, database_url: str, *, sidecar: str, epoch: int, limit: int = LIMIT) -> None:
        super().__init__(database_url, self._store, name="journal", limit=limit)
        self._owner = {"sidecar": sidecar, "epoch": epoch}
        self.recent: deque[Entry] = deque(maxlen=RECENT)

    def note(self, entry: Entry) -> None:
        """Queue an entry; never waits."""
        self.recent.append(entry)
        self.put(entry)

    async def _store(self, connection: db.Connection, entry: Entry) -> None:
        async with connection.cursor(row_factory=tuple_row) as cursor:
            session_id = None
            if entry.attempt is not None:
                row = asdict(entry.attempt) | self._owner
                await cursor.execute(db.QUERIES["note_session"], row)
                found = await cursor.fetchone()
                session_id = None if found is None else found[0]
            step = asdict(entry.step) | self._owner | {"session_id": session_id}
            await cursor.execute(db.QUERIES["note_session_event"], step)
