"""quote_latest is UNLOGGED: a crash of PostgreSQL empties it, and the sidecar fills it again."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ibcore import db
from ibcore.clock import now_us
from ibcore.domain import Quote
from ibcore.embedded import Server
from sidecar.recorder import Recorder
from tests.integration.recording import record, recording, until

pytestmark = pytest.mark.anyio
Cache = dict[int, dict[str, Any]]


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a server that the test may kill."""
    with tempfile.TemporaryDirectory(prefix="ibk-") as folder, Server(Path(folder) / "h") as made:
        db.migrate(made.url())
        yield made


def crash(server: Server) -> None:
    """Kill the server, and start it again: it recovers, and empties what is UNLOGGED."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    server.__enter__()


def cache(server: Server) -> Cache:
    with psycopg.connect(server.url(), row_factory=dict_row) as conn:
        rows = conn.execute("SELECT * FROM ibkeeper.quote_latest").fetchall()
    return {row["instrument_id"]: row for row in rows}


def values(rows: Cache) -> Cache:
    stamp = ("ts", "recv_ts", "seq", "epoch", "provider", "quality")
    return {i: {k: v for k, v in row.items() if k not in stamp} for i, row in rows.items()}


def one_more(recorder: Recorder) -> None:
    now = now_us()
    head = (now, now, 1, recorder.next_seq(), recorder.origin.epoch, "ib", "live")
    recorder.record(Quote(*head, 1, 1.5, 100.0, 1.6, 200.0))


async def test_a_quiet_sidecar_fills_the_cache_that_a_crash_emptied(
    server: Server, dice: random.Random
) -> None:
    async with recording(server.url()) as recorder:
        record(recorder, dice, 600)
        await until(lambda: recorder.stats().rows_total == 600)
        before = cache(server)
        crash(server)
        await until(lambda: cache(server) == before)
    assert len(before) == 19


async def test_rows_that_flow_bring_the_rest_of_the_cache_with_them(
    server: Server, dice: random.Random
) -> None:
    async with recording(server.url()) as recorder:
        record(recorder, dice, 600)
        await until(lambda: recorder.stats().rows_total == 600)
        before = cache(server)
        crash(server)
        one_more(recorder)
        await until(lambda: len(cache(server)) == 19)
        one_more(recorder)
        await until(lambda: recorder.stats().rows_total == 602)
        after = values(cache(server))
    new = {"bid": 1.5, "bid_size": 100.0, "ask": 1.6, "ask_size": 200.0}
    assert after == {**values(before), 1: values(before)[1] | new}


WATCH_ALL = """
INSERT INTO ibkeeper.instrument (con_id, symbol, sec_type, exchange, currency)
SELECT n, 'S' || n, 'STK', 'SMART', 'USD' FROM generate_series(1, 19) AS n ORDER BY n"""
WATCH_LINES = """
INSERT INTO ibkeeper.watch (sidecar, symbol, con_id, instrument_id)
SELECT 'main', symbol, con_id, id FROM ibkeeper.instrument"""


async def test_a_sidecar_that_starts_after_the_crash_fills_the_cache_from_history(
    server: Server, dice: random.Random
) -> None:
    with psycopg.connect(server.url()) as conn:
        conn.execute(WATCH_ALL)
        conn.execute(WATCH_LINES)
    async with recording(server.url(), batch_rows=50) as recorder:
        record(recorder, dice, 900)
    before = cache(server)
    crash(server)
    assert cache(server) == {}
    async with recording(server.url(), epoch=2):
        await until(lambda: cache(server) == before)
