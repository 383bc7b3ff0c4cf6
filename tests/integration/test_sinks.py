"""Sinks against real servers: what Redis and NATS have is what the database has."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import nats
import psycopg
import pytest
from psycopg.rows import dict_row
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ibcore.sinks.nats import NatsSink
from ibcore.sinks.pump import Pump
from ibcore.sinks.redis import RedisSink
from ibcore.sinks.sink import Sink
from tests.integration.recording import record, recording, stored_seqs
from tests.ports import free_port

pytestmark = pytest.mark.anyio

INSTRUMENTS = """
INSERT INTO ibkeeper.instrument (con_id, symbol, sec_type, exchange, currency)
SELECT n, 'S' || n, 'STK', 'SMART', 'USD' FROM generate_series(1, 19) AS n ORDER BY n"""
KINDS = ("quote", "trade", "greeks", "instrument_stat")


class Server:
    """A server that can be killed and started again on the same port and the same files."""

    def __init__(self, scheme: str, *argv: str, port: int) -> None:
        self.url = f"{scheme}://127.0.0.1:{port}"
        self._argv, self._port = argv, port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            *self._argv, stdout=quiet, stderr=quiet
        )
        with anyio.fail_after(20):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await anyio.sleep(0.02)  # another process: there is nothing else to wait on

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            if how is signal.SIGKILL:
                await self._process.wait()
                self._process = None


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[Server]:
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        pytest.skip("no redis-server: apt-get install redis-server")
    port = free_port()
    options = ("--dir", str(tmp_path), "--appendonly", "yes", "--appendfsync", "always")
    server = Server(
        "redis", binary, "--port", str(port), "--bind", "127.0.0.1", *options, port=port
    )
    await server.start()
    yield server
    await server.kill()


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[Server]:
    binary = Path(sys.executable).parent / "nats-server"
    port = free_port()
    options = ("--jetstream", "--store_dir", str(tmp_path))
    server = Server(
        "nats", str(binary), "--addr", "127.0.0.1", "--port", str(port), *options, port=port
    )
    await server.start()
    yield server
    await server.kill()


@pytest.fixture
def market(db_url: str) -> str:
    with psycopg.connect(db_url) as conn:
        conn.execute(INSTRUMENTS)
    return db_url


@asynccontextmanager
async def pumping(url: str, *sinks: Sink, page_rows: int = 200) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        for sink in sinks:
            tasks.start_soon(Pump(url, sink, page_rows=page_rows).run)
        with anyio.fail_after(20):
            while len(noted(url)) < len(sinks):  # noqa: ASYNC110 (another task's row)
                await anyio.sleep(0.02)
        yield
        tasks.cancel_scope.cancel()


def noted(url: str) -> dict[str, dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        rows = conn.execute("SELECT * FROM ibkeeper.sink WHERE cursor IS NOT NULL").fetchall()
    return {row["name"]: row for row in rows}


def cached(url: str) -> dict[int, dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        rows = conn.execute("SELECT * FROM ibkeeper.quote_latest").fetchall()
    return {row["instrument_id"]: row for row in rows}


async def until(there: Callable[[], Any], *, within_s: float = 40.0) -> None:
    with anyio.fail_after(within_s):
        while not await there():  # noqa: ASYNC110 (another process)
            await anyio.sleep(0.05)


async def streamed(client: Redis) -> list[int]:
    found = [entry for kind in KINDS for entry in await client.xrange(f"ibkeeper:{kind}")]
    return sorted(json.loads(fields[b"row"])["seq"] for _, fields in found)


async def subscribed(url: str) -> list[tuple[str, dict[str, Any]]]:
    client = await nats.connect(url)
    try:
        subscription = await client.jetstream().subscribe("ibkeeper.>", ordered_consumer=True)
        info = await client.jetstream().stream_info("IBKEEPER")
        return [
            (message.subject, json.loads(message.data))
            for message in [await subscription.next_msg(5) for _ in range(info.state.messages)]
        ]
    finally:
        await client.close()


async def test_redis_has_every_row_once_and_the_present_in_hashes(
    market: str, redis_server: Server, dice: random.Random
) -> None:
    client = Redis.from_url(redis_server.url)
    async with recording(market) as recorder:
        record(recorder, dice, 100)  # before the sink has ever run: the hashes know of it
        await recorder.drain(10)
        async with pumping(market, RedisSink(redis_server.url, stream_rows=100_000)):
            record(recorder, dice, 900)
            await until(lambda: _is(streamed(client), list(range(101, 1_001))))
            latest = {i: await client.hgetall(f"ibkeeper:latest:{i}") for i in range(1, 20)}
    await client.aclose()
    for instrument_id, row in cached(market).items():
        hashed = latest[instrument_id]
        assert hashed[b"symbol"] == f"S{instrument_id}".encode()
        for name in ("bid", "ask", "ask_size", "last", "vwap", "model_iv", "bid_iv", "halted"):
            told = hashed.get(name.encode())
            assert (None if told is None else float(told)) == row[name], (instrument_id, name)


async def test_nats_has_every_row_once_on_a_subject_of_its_instrument(
    market: str, nats_server: Server, dice: random.Random
) -> None:
    sink = NatsSink(nats_server.url, stream_rows=100_000)
    async with pumping(market, sink), recording(market) as recorder:
        record(recorder, dice, 1_000)
        await recorder.drain(10)
        await until(lambda: _is(_seqs(nats_server.url), list(range(1, 1_001))))
        heard = await subscribed(nats_server.url)
    for subject, row in heard:
        assert subject == f"ibkeeper.{row['row']}.STK.{row['symbol']}.{row['instrument_id']}"
        assert row["symbol"] == f"S{row['instrument_id']}"


async def test_a_dead_sink_holds_up_neither_the_recorder_nor_the_other_and_misses_nothing(
    market: str, redis_server: Server, nats_server: Server, dice: random.Random
) -> None:
    client = Redis.from_url(redis_server.url)
    sinks = (
        RedisSink(redis_server.url, stream_rows=100_000),
        NatsSink(nats_server.url, stream_rows=100_000),
    )
    async with recording(market) as recorder, pumping(market, *sinks):
        record(recorder, dice, 300)
        await until(lambda: _is(streamed(client), list(range(1, 301))))
        await nats_server.kill(signal.SIGSTOP)
        record(recorder, dice, 700)
        await recorder.drain(10)
        assert stored_seqs(market) == list(range(1, 1_001))
        await until(lambda: _is(streamed(client), list(range(1, 1_001))))
        await nats_server.kill()
        await until(lambda: _is(_refused(market, "nats"), True))
        await nats_server.start()
        await until(lambda: _is(_distinct(nats_server.url), list(range(1, 1_001))), within_s=30)
    await client.aclose()


async def test_a_killed_redis_and_a_killed_publisher_double_nothing(
    market: str, redis_server: Server, dice: random.Random
) -> None:
    client = Redis.from_url(redis_server.url)
    environ = {**os.environ, "IBKEEPER_DATABASE_URL": market}
    environ |= {"IBKEEPER_SINKS__REDIS_URL": redis_server.url, "IBKEEPER_LOG__FORMAT": "json"}

    async def publisher() -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "ibcore.cli", "sinks", "run")
        return await asyncio.create_subprocess_exec(
            *command, env=environ, stderr=asyncio.subprocess.DEVNULL
        )

    process = await publisher()
    async with recording(market, batch_rows=20) as recorder:
        await until(lambda: _is(_exists(client, "ibkeeper:cursor"), True))
        for round_ in range(1, 4):
            record(recorder, dice, 1_000)
            await until(lambda: _is(_exists(client, "ibkeeper:quote"), True))
            process.kill()
            await process.wait()
            if round_ == 2:
                await redis_server.kill()
                await redis_server.start()
            process = await publisher()
        await recorder.drain(10)
        await until(lambda: _is(streamed(client), list(range(1, 3_001))))
    process.terminate()
    assert await process.wait() == 0
    await client.aclose()


async def test_a_sink_that_stays_away_is_an_incident_until_it_takes_rows_again(
    market: str, redis_server: Server, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibcore.sinks.pump.TELL_AFTER", 1)
    sink = RedisSink(redis_server.url, stream_rows=1_000)
    async with recording(market) as recorder, pumping(market, sink):
        await redis_server.kill()
        record(recorder, dice, 10)
        await until(lambda: _is(_incidents(market), [("sink_down", None)]))
        await redis_server.start()
        await until(lambda: _is(_incidents(market), [("sink_down", "it takes rows again")]))


async def _is(asked: Any, wanted: object) -> bool:
    with suppress(OSError, nats.errors.Error, RedisError):
        return bool(await asked == wanted)
    return False


async def _seqs(url: str) -> list[int]:
    return sorted(row["seq"] for _, row in await subscribed(url))


async def _distinct(url: str) -> list[int]:
    return sorted({row["seq"] for _, row in await subscribed(url)})


async def _exists(client: Redis, key: str) -> bool:
    return bool(await client.exists(key))


async def _refused(url: str, name: str) -> bool:
    with psycopg.connect(url) as conn:
        asked = "SELECT error IS NOT NULL FROM ibkeeper.sink WHERE name = %s"
        row = conn.execute(asked, [name]).fetchone()
    return row == (True,)


async def _incidents(url: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute("SELECT kind, closed_because FROM ibkeeper.incident").fetchall()
