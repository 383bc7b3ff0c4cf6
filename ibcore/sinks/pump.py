"""Moves committed rows to one sink, for ever: a page, its cursor, the next page.

    database ──follow──► page ──names──► sink ──► cursor

A sink or a database that is away is tried again after 1, 2, 4 … 30 s. Where a sink has nothing yet
it begins with what `quote_latest` says now, and goes on from there. What it does and how far it
is stands in the table `sink`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple

import anyio
from psycopg.rows import dict_row

from ibcore import clock, db, stream
from ibcore.domain import MarketRow
from ibcore.errors import CursorTooOld, IbkeeperError
from ibcore.incidents import Incident, IncidentKind, key_of
from ibcore.log import get_logger
from ibcore.policy import backoff_s
from ibcore.sinks.sink import Sink, Told
from ibcore.stream import Cursor, Page

log = get_logger(__name__)

PAGE_ROWS: Final = 2_000
RETRY_MAX_S: Final = 30.0
NOTE_S: Final = 1.0
TELL_AFTER: Final = 4  # failures in a row: some 15 s


class Name(NamedTuple):
    """What an instrument is called."""

    symbol: str
    sec_type: str
    local_symbol: str


class Pump:
    """The one owner of a sink."""

    def __init__(self, url: str, sink: Sink, *, page_rows: int = PAGE_ROWS) -> None:
        self._url = url
        self._sink = sink
        self._page_rows = page_rows
        self._names: dict[int, Name] = {}
        self._cursor: Cursor | None = None
        self._published = 0
        self._newest_us: int | None = None
        self._error: str | None = None
        self._failures = 0
        self._told = True  # an earlier life may have: closed with the first page

    async def run(self) -> None:
        """Publish until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._note_for_ever, name=f"sink {self._sink.name}: notes")
            while True:
                try:
                    await self._publish_until_lost()
                except IbkeeperError as away:
                    self._failed(away)
                    await anyio.sleep(min(backoff_s(self._failures), RETRY_MAX_S))

    async def _publish_until_lost(self) -> None:
        try:
            since = await self._sink.open(await self._stored())
            self._cursor = since = await self._beginning() if since is None else since
            log.info("sink_open", sink=self._sink.name, cursor=str(since))
            pages = stream.follow(self._url, since=since, page_rows=self._page_rows)
            async with aclosing(pages):
                async for page in pages:
                    await self._take(page)
        finally:
            with anyio.CancelScope(shield=True):
                await self._sink.close()

    async def _beginning(self) -> Cursor:
        # The cursor first: what comes between the two is told twice, never not at all.
        cursor = await stream.here(self._url)
        await self._sink.begin(await _rows(self._url, "sink_latest", {}), cursor)
        return cursor

    async def _take(self, page: Page) -> None:
        await self._sink.publish(await self._named(page.rows), page.cursor)
        self._published += len(page.rows)
        self._cursor = page.cursor
        self._newest_us = max(row.recv_ts for row in page.rows)
        if self._failures:
            log.info("sink_goes_on", sink=self._sink.name)
            self._error, self._failures = None, 0

    async def _named(self, rows: Sequence[MarketRow]) -> list[Told]:
        unknown = {row.instrument_id for row in rows} - self._names.keys()
        if unknown:
            found = await _rows(self._url, "instrument_names", {"ids": sorted(unknown)})
            self._names |= {
                row["id"]: Name(row["symbol"], row["sec_type"], row["local_symbol"])
                for row in found
            }
        return [Told(row, *self._names[row.instrument_id]) for row in rows]

    def _failed(self, away: IbkeeperError) -> None:
        self._failures += 1
        self._error = str(away)
        log.warning("sink_waits", sink=self._sink.name, why=str(away), attempt=self._failures)
        if isinstance(away, CursorTooOld):
            # Nobody can tell what was missed; the consumers see it by the numbers.
            self._cursor = None

    async def _stored(self) -> Cursor | None:
        if self._failures and self._cursor is not None:
            return self._cursor
        found = await _rows(self._url, "sink_look", {"name": self._sink.name})
        text = found[0]["cursor"] if found else None
        return Cursor.parse(text) if text else None

    async def _note_for_ever(self) -> None:
        while True:
            await anyio.sleep(NOTE_S)
            try:
                await _rows(self._url, "sink_note", self._note())
                await self._tell()
            except IbkeeperError as away:
                log.warning("sink_not_noted", sink=self._sink.name, why=str(away))

    async def _tell(self) -> None:
        about, down = self._sink.name, self._failures >= TELL_AFTER
        if down and not self._told:
            told = Incident(IncidentKind.sink_down, about, f"{self._error}", f"sink {about}")
            await _rows(self._url, "open_incident", told.row())
        elif self._told and not self._failures:
            end = {"key": key_of(IncidentKind.sink_down, about), "reason": "it takes rows again"}
            await _rows(self._url, "close_incident", end)
        self._told = down or bool(self._told and self._failures)

    def _note(self) -> Mapping[str, Any]:
        published, self._published = self._published, 0
        newest = self._newest_us
        return {
            "name": self._sink.name,
            "cursor": None if self._cursor is None else str(self._cursor),
            "published": published,
            "newest_ts": None if newest is None else clock.datetime_from_us(newest),
            "error": self._error,
        }


async def run(url: str, sinks: Iterable[Sink]) -> None:
    """Publish to every sink, each by itself, until cancelled."""
    async with anyio.create_task_group() as tasks:
        for sink in sinks:
            tasks.start_soon(Pump(url, sink).run, name=f"sink {sink.name}")


async def _rows(url: str, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    async with db.opened(url, application="sinks") as connection:
        with db.translated():
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(db.QUERIES[query], values)
                return await cursor.fetchall() if cursor.description else []
