"""The recorder against a real PostgreSQL: every row once, whatever happens to the connection."""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
from pathlib import Path

import anyio
import psycopg
import pytest
from psycopg import sql

from ibcore import db
from ibcore.clock import datetime_from_us, now_us
from ibcore.domain import Greeks, MarketRow, Quote, Stat, Trade
from ibcore.embedded import Server
from ibcore.log import get_logger
from sidecar.batch import Batch, OpenBatch
from sidecar.fold import Print
from sidecar.latest import Latest
from sidecar.recorder import Recorder
from sidecar.writer import AlreadyCommitted, Writer
from tests.integration.recording import (
    make_recorder,
    make_row,
    record,
    recording,
    select,
    stored_seqs,
    until,
)

log = get_logger(__name__)
pytestmark = pytest.mark.anyio


def as_stored(row: MarketRow) -> tuple[object, ...]:
    times = (datetime_from_us(row.ts), datetime_from_us(row.recv_ts))
    if isinstance(row, Stat):
        text = isinstance(row.value, str)
        return (*times, *row[2:-1], None if text else row.value, row.value if text else None)
    return (*times, *row[2:])


async def test_every_row_is_stored_as_it_was_recorded(db_url: str, dice: random.Random) -> None:
    async with recording(db_url) as recorder:
        rows = record(recorder, dice, 500)
    tables = {Quote: "quote", Trade: "trade", Greeks: "greeks", Stat: "instrument_stat"}
    for kind, table in tables.items():
        every = sql.SQL("SELECT * FROM {} ORDER BY seq")
        stored = select(db_url, every.format(sql.Identifier("ibkeeper", table)))
        assert stored == [as_stored(row) for row in rows if type(row) is kind]


NEWEST = (
    ("bid", "quote", "bid", sql.SQL("true")),
    ("ask_size", "quote", "ask_size", sql.SQL("true")),
    ("last", "trade", "price", sql.SQL("true")),
    ("model_theta", "greeks", "theta", sql.SQL("kind IN ('model', 'vendor', 'computed')")),
    ("ask_iv", "greeks", "iv", sql.SQL("kind = 'ask'")),
    ("halted", "instrument_stat", "value", sql.SQL("field = 'halted'")),
    ("bid_exchange", "instrument_stat", "text_value", sql.SQL("field = 'bid_exchange'")),
)


async def test_quote_latest_is_the_newest_of_every_value(db_url: str, dice: random.Random) -> None:
    async with recording(db_url, batch_rows=25) as recorder:
        # A batch each, faster than they are committed: several go into one transaction.
        record(recorder, dice, 1_000)
    newest = sql.SQL(
        """SELECT l.instrument_id, l.{column}, n.{value} FROM ibkeeper.quote_latest l
           JOIN (SELECT DISTINCT ON (instrument_id) * FROM {table} WHERE {where}
                  ORDER BY instrument_id, seq DESC) n USING (instrument_id)
          WHERE l.{column} IS DISTINCT FROM n.{value}"""
    )
    for column, table, value, where in NEWEST:
        query = newest.format(
            column=sql.Identifier(column),
            table=sql.Identifier("ibkeeper", table),
            value=sql.Identifier(value),
            where=where,
        )
        assert select(db_url, query) == [], column


async def test_the_cache_is_seeded_by_what_was_there_before_the_restart(db_url: str) -> None:
    now = now_us()
    async with recording(db_url) as first:
        first.record(Trade(now, now, 5, first.next_seq(), 1, "ib", "live", 4, "last", 9.5, 3.0,
                           None, None))  # fmt: skip
    async with recording(db_url) as second:
        await until(lambda: second.last_print(5) is not None)
        assert second.last_print(5) == Print(9.5, 3.0)
        head = (now + 1, now + 1, 5, second.next_seq(), 2, "ib", "live")
        second.record(Quote(*head, 1, 9.4, 1.0, None, None))
    ((bid, last),) = select(db_url, "SELECT bid, last FROM ibkeeper.quote_latest")
    assert (bid, last) == (9.4, 9.5)


async def test_an_older_value_never_overwrites_a_newer_one(db_url: str) -> None:
    now = now_us()
    async with recording(db_url) as recorder:
        recorder.record(Quote(now, now, 5, recorder.next_seq(), 9, "ib", "live", 1, 2.0, 1.0,
                              None, None))  # fmt: skip
    async with recording(db_url) as stale:
        before = now - 1_000_000
        stale.record(Quote(before, before, 5, stale.next_seq(), 8, "ib", "live", 1, 1.0, 1.0,
                           None, None))  # fmt: skip
    assert select(db_url, "SELECT bid, epoch FROM ibkeeper.quote_latest") == [(2.0, 9)]


async def test_a_statistic_that_ib_no_longer_knows_is_null(db_url: str) -> None:
    async with recording(db_url, flush_ms=1) as recorder:
        now = now_us()
        recorder.record(Stat(now, now, 5, recorder.next_seq(), 1, "ib", "live", 49, "halted", 1.0))
        recorder.forget(5, "halted")
        head = (now, now, 5, recorder.next_seq(), 1, "ib", "live")
        recorder.record(Quote(*head, 1, 1.0, 1.0, None, None))
    assert select(db_url, "SELECT bid, halted FROM ibkeeper.quote_latest") == [(1.0, None)]


async def test_listeners_hear_which_rows_are_new(db_url: str, dice: random.Random) -> None:
    async with await db.connect(db_url, application="test") as conn:
        await conn.execute("LISTEN ibkeeper_rows")
        async with recording(db_url) as recorder:
            record(recorder, dice, 30)
        heard = [json.loads(n.payload) async for n in conn.notifies(timeout=5, stop_after=1)]
    spool = str(recorder.origin.spool)
    assert heard == [{"spool": spool, "epoch": 1, "from_seq": 1, "to_seq": 30}]


async def test_no_row_is_lost_or_doubled_while_backends_are_killed(
    db_url: str, dice: random.Random
) -> None:
    kills = 0
    async with recording(db_url, flush_ms=2) as recorder:
        for _ in range(60):
            record(recorder, dice, 40)
            await anyio.sleep(dice.uniform(0, 0.02))
            if dice.random() < 0.2:
                kills += len(
                    select(
                        db_url,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name LIKE 'ibkeeper recorder%'",
                    )
                )
        left = await recorder.drain(30.0)
    assert left == 0
    assert kills > 0
    assert stored_seqs(db_url) == list(range(1, 2401))
    assert recorder.stats().dropped_rows == 0
    assert recorder.stats().rows_total == 2400


async def test_a_frozen_server_process_holds_up_nothing_and_doubles_nothing(
    db_url: str, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.lane.COMMIT_DEADLINE_S", 0.5)
    async with recording(db_url) as recorder:
        record(recorder, dice, 20)
        assert await recorder.drain(10.0) == 0
        ((pid,),) = select(
            db_url,
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'ibkeeper recorder%'",
        )
        # It answers nothing, and its kernel still takes what is sent.
        os.kill(pid, signal.SIGSTOP)
        try:
            record(recorder, dice, 20)
            assert await recorder.drain(20.0) == 0
        finally:
            os.kill(pid, signal.SIGCONT)
    assert stored_seqs(db_url) == list(range(1, 41))


def sealed(recorder: Recorder, dice: random.Random, number: int) -> Batch:
    rows = [make_row(recorder, dice) for _ in range(10)]
    origin = recorder.origin
    return OpenBatch(rows).seal(number, Latest(), origin=origin, now_us=now_us(), keep=rows)


async def test_a_group_that_was_committed_is_refused_whole_by_the_ledger(
    db_url: str, dice: random.Random, tmp_path: Path
) -> None:
    maker = make_recorder(db_url, tmp_path / "main.db")
    group = [sealed(maker, dice, number) for number in (1, 2, 3)]
    for attempt in range(2):
        writer = Writer.connect(db_url, "test")
        try:
            if attempt == 0:
                writer.commit(group)
            else:
                with pytest.raises(AlreadyCommitted):
                    writer.commit(group)
                # The connection is good for the next group.
                writer.commit([sealed(maker, dice, 4)])
        finally:
            writer.close()
    assert stored_seqs(db_url) == list(range(1, 41))


async def test_the_recorder_takes_a_ledger_row_for_a_commit_whose_answer_was_lost(
    db_url: str, dice: random.Random
) -> None:
    async with recording(db_url) as recorder:
        with psycopg.connect(db_url, autocommit=True) as conn:
            conn.execute(
                "INSERT INTO ibkeeper.ingest_batch"
                " (spool, batch, sidecar, epoch, first_seq, last_seq, rows, sealed_at)"
                " VALUES (%s, 1, 'main', 1, 1, 10, 10, now())",
                (recorder.origin.spool,),
            )
        record(recorder, dice, 10)
        assert await recorder.drain(10.0) == 0
        record(recorder, dice, 10)
    assert stored_seqs(db_url) == list(range(11, 21))


async def test_a_batch_the_database_refuses_is_given_up_and_the_rest_flows(
    db_url: str, dice: random.Random
) -> None:
    async with recording(db_url) as recorder:
        now = now_us()
        bad = Quote(now, now, 1, recorder.next_seq(), 1, "ib", "bogus", 1, 1.0, 1.0, None, None)
        recorder.record(bad)
        await until(lambda: recorder.stats().dropped_rows == 1)
        record(recorder, dice, 10)
    assert stored_seqs(db_url) == list(range(2, 12))


async def test_without_disk_and_database_a_full_memory_gives_up_the_newest_rows(
    dice: random.Random, tmp_path: Path
) -> None:
    nowhere = f"postgresql://nobody@:5432/none?host={tmp_path}"
    (tmp_path / "file").touch()
    recorder = make_recorder(nowhere, tmp_path / "file" / "main.db", backlog_rows=1_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recorder.run)
        for _ in range(15):
            record(recorder, dice, 100)
            await recorder.drain(0.0)
        stats = recorder.stats()
        assert recorder.unsafe_rows == 1_000
        tasks.cancel_scope.cancel()
    assert (stats.backlog_rows, stats.dropped_rows) == (1_000, 500)


async def test_the_minute_says_what_came(db_url: str, dice: random.Random) -> None:
    async with recording(db_url) as recorder:
        recorder.heard(70)
        record(recorder, dice, 50)
        await recorder.drain(5.0)
        minutes = "SELECT sum(ticks), sum(rows), max(latency_p99_ms) FROM ibkeeper.feed_minute"
        await until(lambda: select(db_url, minutes)[0][:2] == (70, 50))
        ((_, _, p99),) = select(db_url, minutes)
    assert p99 > 0
    stats = recorder.stats()
    assert stats.latency_p50_ms is not None
    assert stats.ticks_total == 70


async def test_rows_wait_while_the_database_is_stopped(dice: random.Random) -> None:
    # Its path is short, so that the socket and with it the URL stay the same.
    with tempfile.TemporaryDirectory(prefix="ibk") as folder:
        fast = {"fsync": "off", "shared_buffers": "16MB"}
        with Server(Path(folder), settings=fast) as server:
            url = server.url()
            db.migrate(url)
            recorder = make_recorder(url, Path(folder) / "main.db")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(recorder.run)
                record(recorder, dice, 200)
                assert await recorder.drain(10.0) == 0
                await anyio.to_thread.run_sync(server.stop)
                for _ in range(10):
                    record(recorder, dice, 100)
                    await recorder.drain(0.05)
                assert recorder.stats().backlog_rows == 1_000
                with Server(Path(folder), settings=fast):
                    assert await recorder.drain(20.0) == 0
                    assert stored_seqs(url) == list(range(1, 1_201))
                    tasks.cancel_scope.cancel()
