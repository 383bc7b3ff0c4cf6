"""The sidecar as a process: it starts, is killed, is stopped, is misconfigured, is doubled."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ibcore.clock import monotonic
from ibcore.config import SidecarSettings
from ibcore.embedded import Server
from ibcore.sim.server import Gateway, SimConfig
from tests.canary import PASSWORD, silent
from tests.integration.gateways import eventually, refusing

pytestmark = [pytest.mark.anyio, pytest.mark.paired]

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 5.0


class Process:
    """A running `python -m sidecar`."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child
        self.said = ""

    async def ended(self, within_s: float = 20.0) -> int:
        """Wait for its end; return the exit code and keep what it said."""
        _, said = await asyncio.wait_for(self.child.communicate(), within_s)
        self.said = silent(said.decode())
        assert self.child.returncode is not None
        return self.child.returncode

    @property
    def last_line(self) -> str:
        """Return the last line that it wrote."""
        return self.said.strip().splitlines()[-1]


@asynccontextmanager
async def started(home: Path, **settings: Any) -> AsyncIterator[Process]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("IBKEEPER_")}
    given = {"HOME": home, "LOG__FORMAT": "json", "SIDECAR__POLL_S": "0.2", "HTTP__PORT": 0}
    given |= {"SIDECAR__NICE": 0} | settings  # other tests run beside it
    environ |= {f"IBKEEPER_{name}": str(value) for name, value in given.items()}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar"),
        env=environ | {"PYTHONPATH": str(ROOT)},
        cwd=home,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(child)
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()


class Sql:
    """Questions to the database."""

    def __init__(self, url: str) -> None:
        self._conn = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        self._conn.close()

    def one(self, query: str, *values: object) -> Any:
        row = self._conn.execute(query, values).fetchone()
        return None if row is None else row[0]

    def all(self, query: str) -> list[Any]:
        return [row[0] for row in self._conn.execute(query).fetchall()]

    def watch(self, *symbols: str) -> None:
        for symbol in symbols:
            self._conn.execute("INSERT INTO ibkeeper.watch (symbol) VALUES (%s)", (symbol,))

    def quotes(self, epoch: int = 0) -> int:
        return int(self.one("SELECT count(*) FROM ibkeeper.quote WHERE epoch >= %s", epoch))


@pytest.fixture
def sql(db_url):
    made = Sql(db_url)
    yield made
    made.close()


async def test_sigterm_writes_what_is_left_and_exits_0_within_5_seconds(db_url, sql, tmp_path):
    sql.watch("AAPL", "SPY")
    settings = {"DATABASE_URL": db_url, "SIDECAR__NICE": SidecarSettings().nice}
    async with (
        Gateway(SimConfig()) as gateway,
        started(tmp_path, GATEWAY__PORT=gateway.port, **settings) as process,
    ):
        await eventually(lambda: sql.quotes() > 20, within_s=30.0)
        if os.geteuid() == 0:
            assert os.getpriority(os.PRIO_PROCESS, process.child.pid) == -10
        began = monotonic()
        process.child.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
        assert monotonic() - began < STOP_S
    assert sql.one("SELECT state FROM ibkeeper.sidecar") == "stopped"
    assert sql.one("SELECT stopped_at IS NOT NULL FROM ibkeeper.sidecar")
    assert sql.all("SELECT DISTINCT state FROM ibkeeper.session") == ["stopped"]
    recorded = sql.one("SELECT rows_total FROM ibkeeper.sidecar")
    assert recorded == sql.one("SELECT sum(rows) FROM ibkeeper.ingest_batch")
    assert "Traceback" not in process.said


async def test_after_kill_9_a_new_start_streams_again_without_help(db_url, sql, tmp_path):
    sql.watch("AAPL")
    async with Gateway(SimConfig()) as gateway:
        settings = {"DATABASE_URL": db_url, "GATEWAY__PORT": gateway.port}
        async with started(tmp_path, **settings) as process:
            await eventually(lambda: sql.quotes() > 5, within_s=30.0)
            process.child.kill()
            assert await process.ended() == -signal.SIGKILL
        first = sql.one("SELECT epoch FROM ibkeeper.sidecar")
        async with started(tmp_path, **settings):
            await eventually(lambda: sql.quotes(first + 1) > 5, within_s=30.0)
            assert sql.one("SELECT state FROM ibkeeper.sidecar") == "running"
            assert sql.one("SELECT state FROM ibkeeper.watch") == "active"


async def test_a_second_sidecar_of_the_same_name_exits_4_and_names_the_first(db_url, sql, tmp_path):
    async with refusing() as port:
        settings = {"DATABASE_URL": db_url, "GATEWAY__PORT": port}
        async with started(tmp_path, **settings) as first:
            beating = "SELECT count(*) FROM ibkeeper.sidecar WHERE state = 'running'"
            await eventually(lambda: sql.one(beating), within_s=30.0)
            async with started(tmp_path, **settings) as second:
                assert await second.ended() == 4
            assert f"pid {first.child.pid} on {os.uname().nodename}, since " in second.last_line
            assert second.last_line.startswith("sidecar: Another sidecar named main is running")
            assert "Traceback" not in second.said
            async with started(tmp_path, **settings, SIDECAR__NAME="other"):
                both = "SELECT count(*) FROM ibkeeper.sidecar WHERE state = 'running'"
                await eventually(lambda: sql.one(both) == 2, within_s=30.0)


async def test_a_wrong_gateway_port_is_not_fatal_and_says_so(db_url, sql, tmp_path):
    async with (
        refusing() as port,
        started(tmp_path, DATABASE_URL=db_url, GATEWAY__PORT=port) as process,
    ):
        waits = "SELECT count(*) FROM ibkeeper.session_event WHERE backoff_s = 2"
        # Stream, sweep and orders wait, each by itself.
        await eventually(lambda: sql.one(waits) == 3, within_s=30.0)
        process.child.send_signal(signal.SIGINT)
        assert await process.ended() == 0
    reason = sql.one("SELECT reason FROM ibkeeper.session_event WHERE backoff_s = 2")
    assert f"Nobody answers at 127.0.0.1:{port}" in reason
    assert "IBKEEPER_GATEWAY__PORT" in reason
    assert "Traceback" not in process.said


async def test_a_gateway_that_was_away_is_met_again_and_its_lines_with_it(db_url, sql, tmp_path):
    sql.watch("AAPL")
    gateway = Gateway(SimConfig())
    await gateway.start()
    port = gateway.port
    async with started(tmp_path, DATABASE_URL=db_url, GATEWAY__PORT=port):
        await eventually(lambda: sql.quotes() > 5, within_s=30.0)
        await gateway.stop()
        waits = (
            "SELECT backoff_s FROM ibkeeper.session_event"
            " WHERE role = 'stream' AND backoff_s IS NOT NULL ORDER BY id"
        )
        await eventually(lambda: sql.all(waits) == [1, 2, 4], within_s=30.0)
        before = sql.quotes()
        async with Gateway(SimConfig(port=port)):
            began = monotonic()
            await eventually(lambda: sql.quotes() > before + 5, within_s=30.0)
            assert monotonic() - began < 10.0


@pytest.mark.parametrize(
    ("settings", "code", "line"),
    [
        (
            {"DATABASE_URL": f"postgresql://ib:{PASSWORD}@127.0.0.1:{{free_port}}/ibkeeper"},
            1,
            "The database cannot be used: .*IBKEEPER_DATABASE_URL names it",
        ),
        ({"DATABASE_URL": "nonsense"}, 3, "The database URL cannot be read"),
        ({}, 3, "There is no database: IBKEEPER_DATABASE_URL is not set"),
        ({"GATEWAY__PROT": "4002"}, 3, "Unknown setting .*Did you mean IBKEEPER_GATEWAY__PORT"),
        ({"GATEWAY__PORT": "high"}, 3, "The settings were refused: IBKEEPER_GATEWAY__PORT"),
        ({"DEFAULTS__TIMEZONE": "Mars/Base"}, 3, "there is no time zone Mars/Base"),
    ],
    ids=["nobody listens", "no URL", "no database", "typo", "no number", "no such zone"],
)
async def test_what_cannot_work_is_one_line_with_the_remedy_and_the_code(
    settings, code, line, tmp_path
):
    async with refusing() as port:
        given = {name: value.format(free_port=port) for name, value in settings.items()}
        async with started(tmp_path, **given) as process:
            assert await process.ended() == code
    assert process.said.strip() == process.last_line, "one line"
    assert re.search(line, process.last_line)
    assert PASSWORD not in process.said


async def test_a_database_without_our_tables_is_refused_with_the_way_to_migrate(
    postgres_server: Server, tmp_path
):
    url = postgres_server.url("postgres")
    async with started(tmp_path, DATABASE_URL=url) as process:
        assert await process.ended() == 3
    assert "ibkeeper db migrate" in process.last_line
    assert process.said.strip() == process.last_line


async def test_a_second_signal_ends_it_at_once(db_url, sql, tmp_path):
    async with (
        Gateway(SimConfig()) as gateway,
        started(
            tmp_path,
            DATABASE_URL=db_url,
            GATEWAY__PORT=gateway.port,
            SIDECAR__DRAIN_S="30",
        ) as process,
    ):
        sql.watch("AAPL")
        await eventually(lambda: sql.quotes() > 5, within_s=30.0)
        async with locked(db_url):
            await asyncio.sleep(0.5)
            process.child.send_signal(signal.SIGTERM)
            await eventually(lambda: not gateway.sessions)
            process.child.send_signal(signal.SIGTERM)
            assert await process.ended(5.0) == 1


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Hold the quotes so that nothing can be committed."""
    with psycopg.connect(url) as conn:
        conn.execute("LOCK TABLE ibkeeper.quote IN ACCESS EXCLUSIVE MODE")
        yield


def rows_wait(sql: Sql) -> Callable[[], bool]:
    """Say whether rows wait since now: an older heartbeat may tell of some on their way."""
    now = sql.one("SELECT clock_timestamp()")
    waiting = "SELECT backlog_rows > 5 AND heartbeat_at > %s FROM ibkeeper.sidecar"
    return lambda: bool(sql.one(waiting, now))


async def test_a_database_that_answers_nothing_cannot_hold_up_the_end(db_url, sql, tmp_path):
    sql.watch("AAPL")
    async with Gateway(SimConfig()) as gateway:
        settings = {"DATABASE_URL": db_url, "GATEWAY__PORT": gateway.port}
        async with started(tmp_path, **settings) as process:
            await eventually(lambda: sql.quotes() > 5, within_s=30.0)
            async with locked(db_url):
                await eventually(rows_wait(sql), within_s=30.0)
                began = monotonic()
                process.child.send_signal(signal.SIGTERM)
                code = await process.ended()
                assert monotonic() - began < STOP_S
            assert code == 0, "what is in the spool is not lost"
        left = int(re.findall(r'"rows_in_spool": (\d+)', process.said)[-1])
        assert left > 5
        first = sql.one("SELECT epoch FROM ibkeeper.sidecar")
        committed = "SELECT count(*) FROM ibkeeper.quote WHERE epoch = %s"
        before = sql.one("SELECT sum(rows) FROM ibkeeper.ingest_batch")
        async with started(tmp_path, **settings):
            now = "SELECT sum(rows) FROM ibkeeper.ingest_batch WHERE epoch = %s"
            await eventually(lambda: sql.one(now, first) == before + left, within_s=30.0)
            assert sql.one(committed, first) > 5


async def test_rows_that_neither_disk_nor_database_took_are_told_by_the_exit_code(
    db_url, sql, tmp_path
):
    sql.watch("AAPL")
    (tmp_path / "spool").write_text("no folder")
    async with (
        Gateway(SimConfig()) as gateway,
        started(
            tmp_path, DATABASE_URL=db_url, GATEWAY__PORT=gateway.port, SIDECAR__DRAIN_S="0.5"
        ) as process,
    ):
        await eventually(lambda: sql.quotes() > 5, within_s=30.0)
        async with locked(db_url):
            await eventually(rows_wait(sql), within_s=30.0)
            process.child.send_signal(signal.SIGTERM)
            assert await process.ended() == 1
    assert "spool_failed" in process.said
    assert int(re.findall(r'"rows_lost": (\d+)', process.said)[-1]) > 5
