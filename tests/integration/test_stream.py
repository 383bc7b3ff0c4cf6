"""The reader of market rows: none missed, none doubled, whatever happens to whom."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import psycopg
import pytest

from ibcore import db, roles
from ibcore.domain import MarketRow, Quote
from ibcore.embedded import Server
from ibcore.errors import CursorTooOld, DatabaseUnavailable
from ibcore.stream import BEGINNING, Cursor, Page, follow
from tests.integration.recording import make_recorder, record, recording, select, until

pytestmark = pytest.mark.anyio
Key = tuple[int, int]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "streaming.md"


def keys(rows: list[MarketRow]) -> list[Key]:
    return [(row.epoch, row.seq) for row in rows]


class Reading:
    """What one follower has read."""

    def __init__(self) -> None:
        self.rows: list[MarketRow] = []
        self.pages: list[Page] = []
        self.cursor: Cursor = BEGINNING

    def take(self, page: Page) -> None:
        self.rows += page.rows
        self.pages.append(page)
        self.cursor = page.cursor

    async def run(self, url: str, **how: object) -> None:
        async with aclosing(follow(url, **{"since": self.cursor, **how})) as pages:
            async for page in pages:
                self.take(page)


@asynccontextmanager
async def reading(url: str, **how: object) -> AsyncIterator[Reading]:
    """Read beside the block."""
    reader = Reading()

    async def run() -> None:
        await reader.run(url, **how)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        yield reader
        tasks.cancel_scope.cancel()


async def test_every_row_is_read_once_and_as_it_was_recorded(
    db_url: str, dice: random.Random
) -> None:
    rows: list[MarketRow] = []
    async with reading(db_url) as reader, recording(db_url, batch_rows=40) as recorder:
        for _ in range(10):
            rows += record(recorder, dice, dice.randrange(1, 200))
            await anyio.lowlevel.checkpoint()
        await until(lambda: len(reader.rows) >= len(rows))
    assert reader.rows == rows


async def test_only_the_instruments_that_are_named_are_read(
    db_url: str, dice: random.Random
) -> None:
    async with recording(db_url) as recorder:
        rows = record(recorder, dice, 400)
    wanted = [row for row in rows if row.instrument_id in (3, 7)]
    async with reading(db_url, instruments=[3, 7]) as reader:
        await until(lambda: len(reader.rows) == len(wanted))
    assert reader.rows == wanted


async def test_without_a_cursor_only_what_is_committed_from_now_on_is_read(
    db_url: str, dice: random.Random
) -> None:
    async with recording(db_url) as recorder:
        record(recorder, dice, 50)
        await until(lambda: recorder.stats().rows_total == 50)
        async with reading(db_url, since=None) as reader:
            await until(lambda: bool(select(db_url, WAITING)))
            late = record(recorder, dice, 50)
            await until(lambda: len(reader.rows) >= 50)
    assert reader.rows == late


async def test_a_page_is_bounded_even_within_a_batch(db_url: str, dice: random.Random) -> None:
    async with recording(db_url, flush_ms=1_000) as recorder:
        rows = record(recorder, dice, 500)
    async with reading(db_url, page_rows=7) as reader:
        await until(lambda: len(reader.rows) >= 500)
    assert reader.rows == rows
    assert max(len(page.rows) for page in reader.pages) == 7


async def test_a_reader_that_is_stopped_anywhere_goes_on_from_its_stored_cursor(
    db_url: str, dice: random.Random
) -> None:
    async with recording(db_url, batch_rows=30) as recorder:
        rows = record(recorder, dice, 600)
    kept: list[MarketRow] = []
    stored = str(BEGINNING)
    while len(kept) < len(rows):
        async with aclosing(follow(db_url, since=stored, page_rows=13)) as pages:
            for _ in range(dice.randrange(1, 9)):
                page = await anext(pages)
                kept += page.rows
                stored = str(page.cursor)
                if len(kept) == len(rows):
                    break
    assert kept == rows


# A reader that waits has looked once more after its LISTEN, and found nothing.
WAITING = """SELECT pid FROM pg_stat_activity
              WHERE application_name = 'ibkeeper stream' AND state = 'idle'
                AND query LIKE 'SELECT o.position%'
                AND state_change < clock_timestamp() - interval '30 ms'"""
LAST_WORDS = "SELECT query FROM pg_stat_activity WHERE application_name = 'ibkeeper stream'"
KILL = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE application_name = 'ibkeeper stream'"""


async def test_lost_connections_cost_no_row(db_url: str, dice: random.Random) -> None:
    rows: list[MarketRow] = []
    kills = 0
    async with reading(db_url) as reader, recording(db_url, flush_ms=1) as recorder:
        # The first connection may fail, and says so to the caller: only later ones are made anew.
        rows += record(recorder, dice, 1)
        await until(lambda: len(reader.rows) == 1)
        for _ in range(12):
            rows += record(recorder, dice, dice.randrange(1, 60))
            await anyio.sleep(dice.uniform(0, 0.05))
            kills += len(select(db_url, KILL))
        await until(lambda: len(reader.rows) >= len(rows), within_s=30)
    assert kills > 0
    assert reader.rows == rows


async def test_what_no_notification_tells_is_found_by_the_poll(
    db_url: str, dice: random.Random
) -> None:
    async with reading(db_url, poll_s=0.05) as reader:
        await until(lambda: bool(select(db_url, WAITING)))
        commit_quietly(db_url, epoch=1, batch=1)
        await until(lambda: len(reader.rows) == 1)
        commit_quietly(db_url, epoch=1, batch=2)
        await until(lambda: len(reader.rows) == 2)


def commit_quietly(url: str, *, epoch: int, batch: int) -> None:
    """Commit one row as the writer does, but tell nobody."""
    with psycopg.connect(url) as conn:
        put_row(conn, epoch=epoch, batch=batch)


def put_row(conn: psycopg.Connection, *, epoch: int, batch: int) -> None:
    conn.execute(
        """INSERT INTO ibkeeper.quote (ts, recv_ts, instrument_id, seq, epoch, provider, quality,
                                       tick_type)
           VALUES (now(), now(), 1, %s, %s, 'ib', 'live', 1)""",
        [batch, epoch],
    )
    conn.execute(
        """INSERT INTO ibkeeper.ingest_batch (spool, batch, sidecar, epoch, first_seq, last_seq,
                                              rows, sealed_at)
           VALUES (%s, %s, 'a', %s, %s, %s, 1, now())""",
        [f"00000000-0000-4000-8000-{epoch:012d}", batch, epoch, batch, batch],
    )


GATE = """
CREATE FUNCTION pg_temp.wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER zz_gate AFTER INSERT ON ibkeeper.ingest_batch
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.epoch = 1)
    EXECUTE FUNCTION pg_temp.wait_at_the_gate()"""
IN_COMMIT = """SELECT count(*) FROM pg_stat_activity
                WHERE query = 'COMMIT' AND wait_event_type = 'Lock'"""


async def test_a_commit_that_becomes_visible_late_is_not_passed_by(db_url: str) -> None:
    """One transaction has its position and stands still in COMMIT; another commits meanwhile."""

    def commit(epoch: int) -> None:
        commit_quietly(db_url, epoch=epoch, batch=1)

    with psycopg.connect(db_url, autocommit=True) as gatekeeper:
        gatekeeper.execute(GATE)
        gatekeeper.execute("SELECT pg_advisory_lock(4711)")
        try:
            async with reading(db_url, poll_s=0.01) as reader, anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.to_thread.run_sync, commit, 1)
                await until(lambda: select(db_url, IN_COMMIT) == [(1,)])
                tasks.start_soon(anyio.to_thread.run_sync, commit, 2)
                await until(lambda: select(db_url, IN_COMMIT) == [(2,)] or bool(reader.rows))
                gatekeeper.execute("SELECT pg_advisory_unlock(4711)")
                await until(lambda: len(reader.rows) == 2)
        finally:
            gatekeeper.execute("DROP TRIGGER IF EXISTS zz_gate ON ibkeeper.ingest_batch")
    assert keys(reader.rows) == [(1, 1), (2, 1)]


async def test_many_that_commit_beside_each_other_are_read_in_full(
    db_url: str, dice: random.Random
) -> None:
    """Three sidecars, and what an earlier life left on the disk comes in between."""
    rows: list[MarketRow] = []
    with tempfile.TemporaryDirectory(prefix="ibk-spool-") as folder:
        spools = [Path(folder) / f"{n}.db" for n in range(3)]
        for epoch, spool in enumerate(spools, 1):
            rows += await left_behind(spool, dice, epoch=epoch)
        async with reading(db_url, page_rows=50) as reader:
            async with (
                recording(db_url, spool=spools[0], epoch=11, flush_ms=1) as one,
                recording(db_url, spool=spools[1], epoch=12, flush_ms=2) as two,
                recording(db_url, spool=spools[2], epoch=13, flush_ms=3) as three,
            ):
                for _ in range(40):
                    for recorder in (one, two, three):
                        rows += record(recorder, dice, dice.randrange(20))
                    await anyio.sleep(0.002)
            await until(lambda: len(reader.rows) >= len(rows))
    assert Counter(keys(reader.rows)) == Counter(keys(rows))


async def left_behind(spool: Path, dice: random.Random, *, epoch: int) -> list[MarketRow]:
    """Record to the disk only: there is no such database."""
    nowhere = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"
    recorder = make_recorder(nowhere, spool, epoch=epoch, batch_rows=20)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recorder.run)
        rows = record(recorder, dice, 300)
        await until(lambda: recorder.unsafe_rows == 0)
        tasks.cancel_scope.cancel()
    return rows


async def test_a_database_that_is_killed_and_started_again_costs_no_row(
    dice: random.Random,
) -> None:
    with tempfile.TemporaryDirectory(prefix="ibk-") as folder:
        home = Path(folder) / "home"
        rows: list[MarketRow] = []
        with Server(home) as server:
            db.migrate(server.url())
        with Server(home) as first:
            url = first.url()
            async with reading(url) as reader, recording(url) as recorder:
                rows += record(recorder, dice, 1)
                await until(lambda: len(reader.rows) == 1)  # it has begun
                for _ in range(2):
                    rows += record(recorder, dice, 100)
                    await anyio.sleep(dice.uniform(0, 0.05))
                    rows += record(recorder, dice, 100)
                    await anyio.sleep(dice.uniform(0, 0.05))
                    assert first.pid is not None
                    os.kill(first.pid, signal.SIGKILL)
                    first.stop()
                    first.__enter__()
                await until(lambda: len(reader.rows) >= len(rows), within_s=30)
            assert Counter(keys(reader.rows)) == Counter(keys(rows))


def age(url: str, upto: int) -> None:
    """Make the batches up to number `upto` older than the ledger is kept."""
    with psycopg.connect(url) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute(
            "UPDATE ibkeeper.ingest_batch SET committed_at = now() - interval '100 days'"
            " WHERE batch <= %s",
            [upto],
        )
    with psycopg.connect(url) as conn:
        conn.execute("SELECT ibkeeper.prune_ledger(90)")


async def test_a_cursor_that_the_ledger_no_longer_reaches_is_refused(db_url: str) -> None:
    for batch in range(1, 6):
        commit_quietly(db_url, epoch=1, batch=batch)
    with psycopg.connect(db_url) as conn:
        places = [
            p for (p,) in conn.execute("SELECT position FROM ibkeeper.ingest_order ORDER BY 1")
        ]
    age(db_url, 3)
    async with reading(db_url, since=Cursor(places[2], 3)) as reader:
        await until(lambda: len(reader.rows) == 2)
    async with reading(db_url) as reader:
        await until(lambda: keys(reader.rows) == [(1, 4), (1, 5)])
    with pytest.raises(CursorTooOld, match=r"pruned beyond the cursor .* Keep more"):
        await anext(follow(db_url, since=Cursor(places[1], 2)))


async def test_the_first_connection_must_succeed() -> None:
    with pytest.raises(DatabaseUnavailable):
        await anext(follow("postgresql://nobody@127.0.0.1:1/none"))


async def test_a_reader_that_stands_still_listens_to_nothing(
    db_url: str, dice: random.Random
) -> None:
    """A listener that does not read would in the end stop every writer (its queue is finite)."""
    async with (
        recording(db_url) as recorder,
        aclosing(follow(db_url, since=None, poll_s=60)) as pages,
    ):

        async def write() -> None:
            await until(lambda: bool(select(db_url, WAITING)))
            record(recorder, dice, 5)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            await anext(pages)
        assert select(db_url, LAST_WORDS) == [("UNLISTEN ibkeeper_rows",)]


async def test_the_reader_role_may_follow(db_url: str, dice: random.Random) -> None:
    async with recording(db_url) as recorder:
        rows = record(recorder, dice, 20)
    async with reading(roles.url_as(db_url, "reader")) as reader:
        await until(lambda: reader.rows == rows)


async def test_the_program_of_the_page_reads_on_where_it_was_killed(
    db_url: str, dice: random.Random, tmp_path: Path
) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    (tmp_path / "program.py").write_text(code[1])
    wanted: list[list[bytes]] = []
    printed: list[list[bytes]] = []
    async with recording(db_url, batch_rows=50) as recorder:
        for _ in range(2):
            wanted += [
                [str(row.epoch).encode(), str(row.seq).encode()]
                for row in record(recorder, dice, 600)
                if isinstance(row, Quote) and row.instrument_id in (3, 7)
            ]
            printed += await lines_until(wanted[-1], tmp_path, db_url)
    # A kill between the last line and the bookmark shows one page twice, and no more.
    assert [line for n, line in enumerate(printed) if line not in printed[:n]] == wanted
    assert len(printed) < 1.5 * len(wanted)


async def lines_until(last: list[bytes], folder: Path, url: str) -> list[list[bytes]]:
    """Run the program until it printed the line `last` and stored its place; then kill it."""
    mark = folder / "bookmark"
    before = mark.stat().st_mtime_ns if mark.exists() else 0
    command = [sys.executable, str(folder / "program.py"), url, str(mark), "3", "7"]
    lines: list[list[bytes]] = []
    async with await anyio.open_process(command, stderr=None, cwd=PAGE.parents[1]) as program:
        assert program.stdout is not None
        text = b""
        with anyio.fail_after(40):
            while last not in lines:
                text += await program.stdout.receive()
                lines = [line.split()[:2] for line in text.splitlines()]
        await until(lambda: mark.exists() and mark.stat().st_mtime_ns > before)
        program.kill()
    return lines
