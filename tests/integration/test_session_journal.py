"""The journal lands in SQL, and a database that is away neither blocks nor loses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ibcore.sim.server import Gateway, SimConfig
from sidecar.journal import Journal
from tests.integration.gateways import Notebook, refusing, running, session_at
from tests.integration.test_session import Impatience

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def writing(journal: Journal) -> AsyncIterator[None]:
    task = asyncio.create_task(journal.run(), name="journal")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def rows(url: str, table: str) -> list[dict[str, Any]]:
    query = psycopg.sql.SQL("SELECT * FROM {} ORDER BY id").format(
        psycopg.sql.Identifier("ibkeeper", table)
    )
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute(query).fetchall()


async def test_the_backoff_of_a_refusing_gateway_is_in_session_event(db_url):
    journal = Journal(db_url, sidecar="main", epoch=1)
    async with refusing() as port, writing(journal):
        waiter = Impatience(8)
        async with running(session_at(port, journal, waiter=waiter)):
            await waiter.enough.wait()
        assert await journal.drain(5.0)
    events = rows(db_url, "session_event")
    assert [e["backoff_s"] for e in events if e["backoff_s"]] == [1, 2, 4, 8, 16, 32, 60, 60]
    attempts = rows(db_url, "session")
    assert [a["attempt"] for a in attempts] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [a["state"] for a in attempts] == ["waiting"] * 7 + ["stopped"]
    assert all(a["closed_at"] >= a["opened_at"] and a["ready_at"] is None for a in attempts)
    assert {e["session_id"] for e in events} == {a["id"] for a in attempts}


async def test_a_ready_session_is_one_row_with_when_and_how_fast(db_url):
    journal = Journal(db_url, sidecar="main", epoch=1)
    async with Gateway(SimConfig()) as gateway, writing(journal):
        session = session_at(gateway.port, journal)
        async with running(session):
            await session.ready()
        assert await journal.drain(5.0)
    (row,) = rows(db_url, "session")
    assert (row["state"], row["role"], row["provider"]) == ("stopped", "stream", "ib")
    assert row["opened_at"] <= row["ready_at"] <= row["closed_at"]
    assert row["server_version"] == 178
    assert 0 < row["connect_ms"] < 5_000
    assert row["close_reason"] == "the sidecar stops"


async def test_what_happens_while_the_database_is_away_is_written_when_it_is_back(db_url):
    port = int(psycopg.conninfo.conninfo_to_dict(db_url)["port"])
    async with refusing() as dead_port:
        dead_url = db_url.replace(f"port={port}", f"port={dead_port}")
        journal = Journal(dead_url, sidecar="main", epoch=1)
        async with Gateway(SimConfig()) as gateway, writing(journal):
            session = session_at(gateway.port, journal)
            async with running(session):
                await asyncio.wait_for(session.ready(), 2.0)
            assert not await journal.drain(0.1)
    journal.url = db_url
    async with writing(journal):
        assert await journal.drain(5.0)
    states = [e["new_state"] for e in rows(db_url, "session_event")]
    assert states == ["connecting", "ready", "stopped"]


async def test_an_entry_written_twice_is_there_once(db_url):
    notebook = Notebook()
    async with Gateway(SimConfig()) as gateway:
        session = session_at(gateway.port, notebook)
        async with running(session):
            await session.ready()
    journal = Journal(db_url, sidecar="main", epoch=1)
    async with writing(journal):
        for entry in [*notebook.entries, notebook.entries[-1]]:
            journal.note(entry)
        assert await journal.drain(5.0)
    assert len(rows(db_url, "session")) == 1
    assert len(rows(db_url, "session_event")) == 3


async def test_a_full_queue_gives_up_the_oldest_and_later_rows_still_end_up_right(db_url):
    notebook = Notebook()
    async with Gateway(SimConfig()) as gateway:
        session = session_at(gateway.port, notebook)
        async with running(session):
            await session.ready()
    journal = Journal(db_url, sidecar="main", epoch=1, limit=1)
    for entry in notebook.entries:
        journal.note(entry)
    assert journal.dropped == 2
    async with writing(journal):
        assert await journal.drain(5.0)
    (row,) = rows(db_url, "session")
    assert row["state"] == "stopped"
    assert row["ready_at"] is not None
