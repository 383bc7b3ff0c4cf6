"""What only the database knows: gaps, incidents, cures, switches, and the time before this start.

Read beside the page, at most once a second however many look, and not at all while nobody does.
Nobody waits for it: while the database is away, or slow, the page shows what was read last and
says of when that is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

import anyio
from psycopg.rows import dict_row

from ibcore import db
from ibcore.clock import monotonic, utcnow
from ibcore.errors import IbkeeperError
from ibcore.log import get_logger

log = get_logger(__name__)

Rows = list[dict[str, Any]]

EVERY_S: Final = 1.0
# Of the time between two readings at most a tenth is spent reading.
_SHARE: Final = 10.0
_PATIENCE_S: Final = 2.0
_MOST: Final = 20
# Nobody has looked for so long: the connection is given back.
_FORGOTTEN_S: Final = 30.0
_HOUR: Final = timedelta(hours=1)
_NEWS: Final = {
    "gaps": "page_gaps",
    "incidents": "page_incidents",
    "cures": "page_cures",
    "unserved": "page_unserved",
}
_EARLIER: Final = {
    "steps": "page_steps_before",
    "minutes": "page_minutes_before",
    "switches": "page_switches_before",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What was read last, and of when it is."""

    read_at: datetime | None = None
    error: str | None = None
    news: Mapping[str, Rows] = field(default_factory=dict)
    earlier: Mapping[str, Rows] = field(default_factory=dict)


class History:
    """Reads for whoever looks."""

    def __init__(self, url: str, *, sidecar: str, epoch: int, started_at: datetime) -> None:
        self.known = Known()
        self._url = url
        self._name = sidecar
        self._wanted = {
            "sidecar": sidecar,
            "epoch": epoch,
            "started_at": started_at,
            "since": started_at - _HOUR,
            "most": _MOST,
        }
        self._connection: db.Connection | None = None
        self._asked = asyncio.Event()
        self._asked_at = 0.0
        self._read = asyncio.Event()

    def ask(self) -> Known:
        """Return what is known, and see to it that it will be news soon."""
        self._asked_at = monotonic()
        self._asked.set()
        return self.known

    async def ask_and_wait(self, seconds: float) -> Known:
        """Return what is read now, or after `seconds` what is known."""
        read = self._read
        self.ask()
        with anyio.move_on_after(seconds):
            await read.wait()
        return self.known

    async def run(self) -> NoReturn:
        """Read whenever somebody asks, until cancelled."""
        try:
            while True:
                with anyio.move_on_after(_FORGOTTEN_S) as forgotten:
                    await self._asked.wait()
                if forgotten.cancelled_caught:
                    await self._close()
                    continue
                self._asked.clear()
                took_s = await self._refresh()
                await anyio.sleep(max(EVERY_S, _SHARE * took_s))
        finally:
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _refresh(self) -> float:
        began = monotonic()
        try:
            with anyio.fail_after(_PATIENCE_S), db.translated():
                await self._look()
        except (IbkeeperError, TimeoutError) as away:
            error = str(away) or "The database does not answer."
            self.known = Known(self.known.read_at, error, self.known.news, self.known.earlier)
            await self._close()
        read, self._read = self._read, asyncio.Event()
        read.set()
        return monotonic() - began

    async def _look(self) -> None:
        connection = await self._connected()
        earlier = self.known.earlier or await self._rows(connection, _EARLIER)
        news = await self._rows(connection, _NEWS)
        self.known = Known(utcnow(), None, news, earlier)

    async def _rows(
        self, connection: db.Connection, queries: Mapping[str, str]
    ) -> Mapping[str, Rows]:
        found = {}
        async with connection.cursor(row_factory=dict_row) as cursor:
            for name, query in queries.items():
                await cursor.execute(db.QUERIES[query], self._wanted)
                found[name] = await cursor.fetchall()
        return found

    async def _connected(self) -> db.Connection:
        if self._connection is None or self._connection.closed:
            application = f"status page {self._name}"
            self._connection = await db.connect(self._url, application=application)
        return self._connection

    async def _close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()
