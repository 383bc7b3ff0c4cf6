"""A database that is there and does not take rows: full, read-only, slow, in conflict."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import anyio
import psycopg
import pytest
from psycopg import sql

from ibcore import clock
from tests.integration.recording import record, recording, select, stored_seqs, until

pytestmark = pytest.mark.anyio


@contextmanager
def before_each_batch(url: str, body: str) -> Iterator[None]:
    """Let the server run `body` whenever a batch is entered in the ledger."""
    with psycopg.connect(url, autocommit=True) as conn:
        function = "CREATE FUNCTION public.unwilling() RETURNS trigger LANGUAGE plpgsql AS {}"
        text = sql.Literal(f"BEGIN {body}; RETURN NEW; END")
        conn.execute(sql.SQL(function).format(text))
        conn.execute("CREATE TRIGGER a_unwilling BEFORE INSERT ON ibkeeper.ingest_batch"
                     " FOR EACH STATEMENT EXECUTE FUNCTION public.unwilling()")  # fmt: skip
        try:
            yield
        finally:
            conn.execute("DROP FUNCTION public.unwilling CASCADE")


@pytest.mark.parametrize(
    "code",
    ["53100", "40P01", "40001", "55P03", "57014", "53300", "58030"],
    ids=["disk full", "deadlock", "serialization", "lock", "cancelled", "connections", "I/O"],
)
async def test_what_may_be_better_in_a_moment_is_tried_again_until_it_is(
    db_url: str, dice: random.Random, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr("sidecar.lane.RETRY_S", 0.02)
    async with recording(db_url, flush_ms=1) as recorder:
        record(recorder, dice, 10)
        assert await recorder.drain(5.0) == 0
        with before_each_batch(db_url, f"RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'"):
            record(recorder, dice, 100)
            await recorder.drain(0.1)
            assert recorder.stats().backlog_rows == 100
            await until(lambda: recorder.unsafe_rows == 0)
        assert await recorder.drain(5.0) == 0
    assert stored_seqs(db_url) == list(range(1, 111))
    assert recorder.stats().dropped_rows == 0


async def test_a_database_that_became_read_only_is_waited_for(
    db_url: str, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.lane.RETRY_S", 0.02)
    async with recording(db_url, flush_ms=1) as recorder:
        try:
            # As after a failover, when the address leads to the standby.
            become(db_url, "on")
            record(recorder, dice, 100)
            await recorder.drain(0.1)
            assert stored_seqs(db_url) == []
        finally:
            become(db_url, "off")
        assert await recorder.drain(5.0) == 0
    assert stored_seqs(db_url) == list(range(1, 101))


def become(url: str, read_only: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")
        name = sql.Identifier(conn.info.dbname)
        alter = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
        conn.execute(alter.format(name, sql.SQL("on" if read_only == "on" else "off")))
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE application_name LIKE 'ibkeeper recorder%'")  # fmt: skip


async def test_a_slow_database_holds_up_nobody_and_gets_every_row_once(
    db_url: str, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.recorder.LIVE_ROWS", 100)
    async with recording(db_url, flush_ms=1) as recorder:
        with before_each_batch(db_url, "PERFORM pg_sleep(0.2)"):
            began, most = clock.monotonic(), 0
            for _ in range(50):
                record(recorder, dice, 20)
                await anyio.sleep(0.005)
                most = max(most, recorder.stats().backlog_rows)
            assert clock.monotonic() - began < 3.0
            await until(lambda: recorder.unsafe_rows == 0)
            assert most > 200
        assert await recorder.drain(10.0) == 0
    assert stored_seqs(db_url) == list(range(1, 1_001))


async def test_a_wall_clock_that_jumps_harms_nothing(
    db_url: str, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_us, utcnow, day = clock.now_us, clock.utcnow, timedelta(days=1)
    monkeypatch.setattr("sidecar.minutes.REFRESH_S", 0.05)
    monkeypatch.setattr(
        "ibcore.clock.now_us", lambda: now_us() + dice.choice((-1, 0, 1)) * 86_400_000_000
    )
    monkeypatch.setattr("ibcore.clock.utcnow", lambda: utcnow() + dice.choice((-1, 0, 1)) * day)
    async with recording(db_url, flush_ms=1) as recorder:
        for _ in range(40):
            record(recorder, dice, 25)
            await anyio.sleep(0.005)
        assert await recorder.drain(10.0) == 0
        minutes = "SELECT coalesce(sum(rows), 0) FROM ibkeeper.feed_minute"
        await until(lambda: select(db_url, minutes) == [(1_000,)])
    assert stored_seqs(db_url) == list(range(1, 1_001))
    assert (recorder.stats().latency_p50_ms or 0) >= 0
