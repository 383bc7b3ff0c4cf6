"""The spool on a real disk before a real database: what was written is committed, once."""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import psycopg
import pytest

from ibcore.clock import now_us
from ibcore.domain import Quote, Trade
from ibcore.errors import InstanceConflict
from ibcore.stack import spool_depth
from sidecar.change import Change, Now, Stamp
from sidecar.fold import Print
from sidecar.lane import Lane
from sidecar.latest import QUOTE_GROUP
from sidecar.recorder import Recorder
from sidecar.spool_file import Name, SpoolFile, Stretch, Work
from sidecar.spool_row import pack
from sidecar.writer import Writer
from tests.integration.recording import (
    make_recorder,
    record,
    recording,
    select,
    stored_seqs,
    until,
)
from tests.spooled import ORIGIN, batch

pytestmark = pytest.mark.anyio

GAPS = "SELECT cause, spool::text, first_seq, last_seq, rows FROM ibkeeper.feed_gap ORDER BY cause"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a spool shall be."""
    return tmp_path / "spool" / "main.db"


@pytest.fixture(autouse=True)
def gaps_are_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.minutes.REFRESH_S", 0.1)


@contextmanager
def opened(path: Path) -> Iterator[SpoolFile]:
    file = SpoolFile.open(path)
    try:
        yield file
    finally:
        file.close()


@asynccontextmanager
async def without_database(file: Path, **settings: int) -> AsyncIterator[Recorder]:
    """Run a recorder whose database is away; end it as SIGTERM would."""
    recorder = make_recorder(f"postgresql://nobody@:5432/none?host={file}", file, **settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recorder.run)
        yield recorder
        await recorder.drain(0.2)
        await until(lambda: recorder.unsafe_rows == 0)
        tasks.cancel_scope.cancel()


async def test_what_one_life_could_not_commit_the_next_one_does(
    db_url: str, file: Path, dice: random.Random
) -> None:
    async with without_database(file) as first:
        record(first, dice, 500)
    async with recording(db_url, spool=file, epoch=2) as second:
        record(second, dice, 70)
        await until(lambda: len(stored_seqs(db_url)) >= 570)
    spans = "SELECT spool, sum(rows), min(first_seq), max(last_seq) FROM ibkeeper.ingest_batch"
    stored = select(db_url, spans + " GROUP BY spool ORDER BY max(epoch)")
    assert stored == [(first.origin.spool, 500, 1, 500), (second.origin.spool, 70, 1, 70)]
    assert len(stored_seqs(db_url)) == 570
    with opened(file) as after:
        assert after.left == []


async def test_what_was_committed_but_not_dropped_is_not_committed_again(
    db_url: str, file: Path
) -> None:
    batches = [batch(number) for number in range(1, 11)]
    with opened(file) as spool:
        spool.write(Work(batches))
    writer = Writer.connect(db_url, "test")
    writer.commit([batches[0], batches[1], batches[4]])
    writer.close()
    async with recording(db_url, spool=file) as recorder:
        await until(lambda: len(stored_seqs(db_url)) >= 100)
        await until(lambda: recorder.depth.batches == 0)
    assert stored_seqs(db_url) == list(range(1, 101))
    assert select(db_url, GAPS) == []


async def test_a_print_that_waits_in_the_spool_is_known_to_the_next_life(
    db_url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = now_us()
    tail = ("ib", "live", 4, "last")
    async with recording(db_url, spool=file) as first:
        for instrument in (1, 2):
            head = (now, now, instrument, first.next_seq(), 1)
            first.record(Trade(*head, *tail, 5.0, 1.0, None, None))
    async with without_database(file) as second:
        for instrument, price in ((2, 6.0), (2, 7.0), (3, 8.0)):
            head = (now + 9, now + 9, instrument, second.next_seq(), 2)
            second.record(Trade(*head, *tail, price, None, 3.0, 4.0))
        head = (now - 9, now - 9, 1, second.next_seq(), 2)
        second.record(Trade(*head, *tail, 4.0, 1.0, None, None))
    async with recording(db_url, spool=file, epoch=3) as third:
        await until(lambda: third.last_print(1) is not None)
        assert [third.last_print(instrument) for instrument in (1, 2, 3)] == [
            Print(5.0, 1.0), Print(7.0, None), Print(8.0, None)
        ]  # fmt: skip
        head = (now + 20, now + 20, 2, third.next_seq(), 3, "ib", "live")
        third.record(Quote(*head, 1, 6.5, 1.0, None, None))
    cached = "SELECT last, bid FROM ibkeeper.quote_latest WHERE instrument_id = 2"
    assert select(db_url, cached) == [(7.0, 6.5)]


async def test_a_damaged_batch_goes_to_the_quarantine_and_the_rest_is_committed(
    db_url: str, file: Path
) -> None:
    with opened(file) as spool:
        spool.write(Work([batch(number) for number in range(1, 6)]))
        spool.connection.execute("UPDATE batch SET body = zeroblob(100) WHERE number = 3")
    for _ in range(2):  # a second start finds nothing to stumble over
        async with recording(db_url, spool=file):
            await until(lambda: len(stored_seqs(db_url)) >= 40 and bool(select(db_url, GAPS)))
    assert stored_seqs(db_url) == [*range(1, 21), *range(31, 51)]
    assert [row[0] for row in select(db_url, GAPS)] == ["batch_damaged"]
    with opened(file) as after:
        kept = after.connection.execute("SELECT number, reason FROM quarantine").fetchall()
    assert kept == [(3, "its checksum is wrong")]


async def test_a_refused_batch_is_kept_for_a_person_and_told_with_its_numbers(
    db_url: str, file: Path, dice: random.Random
) -> None:
    async with recording(db_url, spool=file) as recorder:
        now = now_us()
        head = (now, now, 1, recorder.next_seq(), 1, "ib")
        recorder.record(Quote(*head, "bogus", 1, 1.0, 1.0, None, None))
        await until(lambda: recorder.stats().dropped_rows == 1)
        record(recorder, dice, 10)
        await until(lambda: bool(select(db_url, GAPS)))
    spool = str(recorder.origin.spool)
    assert select(db_url, GAPS) == [("batch_refused", spool, 1, 1, 1)]
    assert stored_seqs(db_url) == list(range(2, 12))
    with opened(file) as after:
        ((reason,),) = after.connection.execute("SELECT reason FROM quarantine").fetchall()
    assert "quote_quality_known" in reason


async def test_what_a_refused_batch_said_is_not_offered_to_the_cache_again(
    db_url: str, file: Path, dice: random.Random
) -> None:
    async with recording(db_url, spool=file) as recorder:
        now = now_us()
        head = (now, now, 77, recorder.next_seq(), 1, "ib")
        recorder.record(Quote(*head, "bogus", 1, 1.0, 1.0, None, None))
        await until(lambda: bool(select(db_url, GAPS)))
        await recorder._cache.refresh()  # the market is quiet: all that is known is looked for
        record(recorder, dice, 10)
    assert stored_seqs(db_url) == list(range(2, 12))
    assert select(db_url, "SELECT 1 FROM ibkeeper.quote_latest WHERE instrument_id = 77") == []


async def test_a_change_that_the_cache_refuses_costs_no_row(db_url: str) -> None:
    stamp = Stamp(now_us(), now_us(), 1, 1, "ib", "bogus")
    change = Change(quote={1: Now(stamp, (None,) * len(QUOTE_GROUP))})
    lane = Lane(db_url, "test")
    refused = await lane.commit([replace(batch(1, 5), change=change)])
    lane.disconnect()
    assert refused == []
    assert select(db_url, "SELECT count(*) FROM ibkeeper.ingest_batch") == [(1,)]


async def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(
    db_url: str, file: Path, dice: random.Random
) -> None:
    write_nonsense(file)
    async with recording(db_url, spool=file) as recorder:
        record(recorder, dice, 50)
        await until(lambda: bool(select(db_url, GAPS)))
    assert stored_seqs(db_url) == list(range(1, 51))
    assert [row[0] for row in select(db_url, GAPS)] == ["spool_damaged"]
    (aside,) = file.parent.glob("main.db.damaged-*")
    assert aside.read_bytes().startswith(b"no database")


def write_nonsense(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"no database at all" * 1_000)


async def test_a_file_damaged_under_way_loses_nothing_that_the_memory_has(
    db_url: str, file: Path, dice: random.Random
) -> None:
    async with without_database(file) as first:
        record(first, dice, 300)
        await until(lambda: first.depth.rows == 300)
        # What another program did to it: SQLite finds out at the next write.
        with sqlite3.connect(file) as vandal:
            vandal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        vandal.close()
        with file.open("r+b") as raw:
            raw.write(b"\0" * 8_192 * 3)
        record(first, dice, 100)
        await until(lambda: any(file.parent.glob("main.db.damaged-*")))
    async with recording(db_url, spool=file, epoch=2):
        await until(lambda: len(stored_seqs(db_url)) >= 400)
    assert stored_seqs(db_url) == list(range(1, 401))


async def test_rows_reach_the_database_while_the_disk_is_full_and_the_disk_when_it_is_not(
    db_url: str, file: Path, dice: random.Random
) -> None:
    async with recording(db_url, spool=file) as recorder:
        await until(file.exists)
        spool = recorder._spool
        disk = (await spool._opened()).connection
        disk.execute("PRAGMA max_page_count = 1")
        for _ in range(5):
            record(recorder, dice, 2_000)
            await recorder.drain(10.0)
        assert stored_seqs(db_url) == list(range(1, 10_001))
        assert recorder.unsafe_rows == 0
        disk.execute("PRAGMA max_page_count = 1073741823")
        record(recorder, dice, 10)
        await until(lambda: recorder.depth.batches == 0 and spool.unwritten == 0)
    assert stored_seqs(db_url) == list(range(1, 10_011))
    assert recorder.stats().dropped_rows == 0


async def test_above_the_cap_trades_are_whole_and_every_lost_quote_is_in_feed_gap(
    db_url: str, file: Path, dice: random.Random
) -> None:
    async with without_database(file, spool_mib=1, flush_ms=1, batch_rows=1_000) as first:
        for sent in range(1_000, 11_000, 1_000):
            record(first, dice, 1_000)
            await until(lambda n=sent: first.depth.rows + first.stats().dropped_rows == n)
        now = now_us()
        for number in range(200):
            head = (now, now, 1 + number % 3, first.next_seq(), 1, "ib", "live")
            first.record(Trade(*head, 4, "last", 5.0, None, None, None))
            head = (now, now, 1 + number % 3, first.next_seq(), 1, "ib", "live")
            first.record(Quote(*head, 1, float(number), 1.0, None, None))
        dropped = first.stats().dropped_rows
    assert first.depth.bytes < 1.3 * 2**20
    async with recording(db_url, spool=file, epoch=2) as second:
        await until(lambda: bool(select(db_url, GAPS)))
        await second.drain(10.0)
    last = first.next_seq() - 1
    (gap,) = select(db_url, "SELECT cause, rows FROM ibkeeper.feed_gap")
    assert gap[0] == "spool_full"
    assert gap[1] >= dropped > 0
    told = "SELECT kind, (detail ->> 'rows')::int FROM ibkeeper.incident WHERE closed_at IS NULL"
    assert select(db_url, told) == [("rows_lost", gap[1])]
    assert len(stored_seqs(db_url)) + gap[1] == last
    ours = "SELECT count(*) FROM ibkeeper.trade WHERE seq > %s"
    assert select(db_url, ours, last - 400) == [(200,)]
    newest = "SELECT max(bid) FROM ibkeeper.quote WHERE seq > %s"
    assert select(db_url, newest, last - 400) == [(199.0,)]


async def test_new_rows_are_committed_before_a_long_backlog_is(
    db_url: str, file: Path, dice: random.Random
) -> None:
    async with without_database(file, batch_rows=1_000) as first:
        for _ in range(60):
            record(first, dice, 1_000)
            await anyio.lowlevel.checkpoint()
    async with recording(db_url, spool=file, epoch=2) as second:
        record(second, dice, 10)
        live = "SELECT count(*) FROM ibkeeper.ingest_batch WHERE epoch = 2"
        await until(lambda: select(db_url, live) == [(1,)])
        assert second.stats().backlog_rows > 0, "the backlog is still being replayed"
        await second.drain(20.0)
        # One old life, one new: the latency of the figures is that of the live rows.
        assert (second.stats().latency_p99_ms or 0) < 2_000
    assert len(stored_seqs(db_url)) == 60_010


async def test_what_an_outage_left_to_the_disk_is_in_history_and_in_the_cache(
    db_url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.recorder.LIVE_ROWS", 50)
    async with recording(db_url, spool=file, flush_ms=1) as recorder:
        await recorder.drain(1.0)
        with psycopg.connect(db_url) as lock:
            lock.execute("LOCK TABLE ibkeeper.quote IN ACCESS EXCLUSIVE MODE")
            now = now_us()
            for instrument in range(1, 301):
                head = (now, now, instrument, recorder.next_seq(), 1, "ib", "live")
                recorder.record(Quote(*head, 1, float(instrument), 1.0, None, None))
                if instrument % 10 == 0:
                    await recorder.drain(0.005)
        assert await recorder.drain(10.0) == 0
    assert stored_seqs(db_url) == list(range(1, 301))
    cached = select(db_url, "SELECT instrument_id, bid FROM ibkeeper.quote_latest ORDER BY 1")
    assert cached == [(instrument, float(instrument)) for instrument in range(1, 301)]


def test_a_write_that_the_disk_has_no_room_for_does_nothing_of_it(file: Path) -> None:
    small, large = batch(1), [batch(number, rows=2_000) for number in range(2, 8)]
    with opened(file) as spool:
        spool.write(Work([small]))
        ((pages,),) = spool.connection.execute("PRAGMA page_count").fetchall()
        spool.connection.execute(f"PRAGMA max_page_count = {pages + 60}").fetchall()
        with pytest.raises(sqlite3.OperationalError, match="full"):
            spool.write(Work(large, drops=[Name(str(ORIGIN.spool), 1)]))
    with opened(file) as after:
        assert [left.stretch for left in after.left] == [Stretch(str(ORIGIN.spool), 1, 1)]


def test_the_depth_is_read_from_the_file_while_it_is_open_and_after(file: Path) -> None:
    assert spool_depth.read(file, now_us=0, cap_bytes=1) is None
    batches = [batch(number) for number in range(1, 4)]
    with opened(file) as spool:
        spool.write(Work(batches))
        spool.quarantine(Name(str(ORIGIN.spool), 2), "for the test")
        during = spool_depth.read(file, now_us=3_000_007, cap_bytes=2**20)
    after = spool_depth.read(file, now_us=3_000_007, cap_bytes=2**20)
    assert during == after
    assert during is not None
    assert (during.batches, during.rows, during.oldest_s, during.quarantined) == (2, 20, 3.0, 1)
    assert during.bytes == sum(len(pack(batches[place])[-1]) for place in (0, 2))


async def test_status_shows_the_spool_while_the_database_is_away(
    file: Path, dice: random.Random
) -> None:
    async with without_database(file) as recorder:
        record(recorder, dice, 300)
        await until(lambda: recorder.depth.rows == 300)
        said = await anyio.to_thread.run_sync(status_of, file.parent.parent)
    assert re.search("^spool +300 rows in 1 batches, .* of 2,048 MiB", said, re.MULTILINE), said


def status_of(home: Path) -> str:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("IBKEEPER_")}
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    done = subprocess.run(
        [sys.executable, "-m", "ibcore.cli", "status"],
        env=environ | {"IBKEEPER_HOME": str(home), "IBKEEPER_DATABASE_URL": nowhere},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    return done.stdout


def test_a_second_process_is_refused_the_file(file: Path) -> None:
    with opened(file), pytest.raises(InstanceConflict, match="in use by process"):
        SpoolFile.open(file)


def test_the_files_are_their_owners_alone(file: Path) -> None:
    with opened(file):
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700


def test_an_outage_gives_its_pages_back_to_the_disk(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.spool_file._KEEP_PAGES", 100)
    rows = [batch(number, rows=1_000) for number in range(1, 101)]
    with opened(file) as spool:
        spool.write(Work(rows))
        spool.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        big = file.stat().st_size
        for b in rows:
            spool.write(Work(drops=[Name(str(ORIGIN.spool), b.number)]))
        spool.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert big > 8 * 2**20
        assert file.stat().st_size < 2 * 2**20


async def test_whatever_is_killed_when_rows_are_committed_once_and_only_the_end_is_lost(
    db_url: str, tmp_path: Path, dice: random.Random
) -> None:
    safe: list[int] = []
    lives = 12
    (tmp_path / "0").mkdir()  # the first may be killed before it has made it
    for life in range(lives):
        file = tmp_path / str(life) / "main.db"
        recorder = make_recorder(db_url, file, epoch=life + 1, flush_ms=1, batch_rows=20)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(recorder.run)
            for _ in range(dice.randrange(1, 8)):
                record(recorder, dice, dice.randrange(1, 80))
                await anyio.sleep(dice.uniform(0, 0.02))
                if dice.random() < 0.2:
                    kill_backends(db_url)
            # kill -9: the file as it is now, and nothing of the memory.
            written = [b for b in recorder._backlog if recorder._spool.is_written(b)]
            copy_as_it_is(file, tmp_path / str(life + 1))
            safe.append(max((b.span.last_seq for b in written), default=0))
            tasks.cancel_scope.cancel()
    async with recording(db_url, spool=tmp_path / str(lives) / "main.db", epoch=99) as last:
        assert await last.drain(20.0) == 0
    for life, at_least in enumerate(safe):
        seqs = seqs_of(db_url, life + 1)
        assert seqs == list(range(1, len(seqs) + 1)), "no hole, none twice"
        assert len(seqs) >= at_least, "what was on the disk is there"
    assert sum(safe) > 0


def copy_as_it_is(file: Path, to: Path) -> None:
    """Copy the spool's directory while its owner works, as one moment of it."""
    if not file.exists():
        to.mkdir()
        return
    # Files copied one after the other are of several moments, and a journal goes while it is read.
    # The write lock keeps writers out meanwhile; a checkpoint under way leaves the WAL whole.
    with closing(sqlite3.connect(file, isolation_level=None)) as witness:
        witness.execute("BEGIN IMMEDIATE")
        shutil.copytree(file.parent, to, ignore=shutil.ignore_patterns("*-shm"))


def kill_backends(url: str) -> None:
    select(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE 'ibkeeper recorder%'"
        " OR application_name LIKE 'ibkeeper replay%'",
    )


def seqs_of(url: str, epoch: int) -> list[int]:
    query = """
        SELECT seq FROM (SELECT seq, epoch FROM ibkeeper.quote
                         UNION ALL SELECT seq, epoch FROM ibkeeper.trade
                         UNION ALL SELECT seq, epoch FROM ibkeeper.greeks
                         UNION ALL SELECT seq, epoch FROM ibkeeper.instrument_stat) AS stored
         WHERE epoch = %s ORDER BY seq"""
    return [seq for (seq,) in select(url, query, epoch)]
