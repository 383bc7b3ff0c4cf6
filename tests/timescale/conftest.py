"""A real TimescaleDB for the tests: PostgreSQL 17 as WebAssembly (PGlite), run by node.

Installed once from the locked packages of this folder into .venv-timescale. It takes one
connection at a time and no COPY, so ingest is tested where IBKEEPER_TEST_TIMESCALE_URL names a
server (test_ingest.py), and nowhere else.
"""

from __future__ import annotations

import fcntl
import filecmp
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ibcore import db

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".venv-timescale"
LOCK = "package-lock.json"
MATERIALIZED = """
SELECT to_regclass('ibkeeper.bar_1m_quote') IS NOT NULL AND EXISTS (
    SELECT FROM _timescaledb_catalog.continuous_aggs_watermark
     WHERE watermark > _timescaledb_functions.to_unix_microseconds('1970-01-01'))"""


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[str]:
    """Run a TimescaleDB and return its URL."""
    command = [_program("node"), str(HERE / "server.mjs"), str(_installed())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        ready = server.stdout.readline().split()
        assert ready[:1] == ["ready"], ready
        yield f"postgresql://postgres:postgres@127.0.0.1:{ready[1]}/postgres?sslmode=disable"
        server.communicate(timeout=30)


@pytest.fixture
def timescale_url(timescale_server: str) -> str:
    """Return the URL of a TimescaleDB at the newest schema, its market tables empty."""
    make_new(timescale_server)
    return timescale_server


def make_new(url: str) -> None:
    """Bring the server to the newest schema, with empty market tables and no bar materialized."""
    with psycopg.connect(url, autocommit=True) as conn:
        # One backend serves every connection: what the last one prepared is still there.
        conn.execute("DEALLOCATE ALL")
        # What comes below the mark of an aggregate is not seen until a job refreshes it, and
        # TRUNCATE does not take the mark back.
        if conn.execute(MATERIALIZED).fetchone() == (True,):
            conn.execute("DROP SCHEMA ibkeeper CASCADE")
    db.migrate(url)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("DEALLOCATE ALL")
        conn.execute(
            "TRUNCATE ibkeeper.quote, ibkeeper.trade, ibkeeper.greeks, ibkeeper.instrument_stat,"
            " ibkeeper.gap_fill CASCADE"
        )


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"TimescaleDB for tests needs {name}, which is not installed")
    return found


def _installed() -> Path:
    """Return the folder of the locked packages, installing them when they are not there."""
    npm, done = _program("npm"), FOLDER / "node_modules" / LOCK
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "installing").open("w") as lock:  # one worker does, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or not filecmp.cmp(done, HERE / LOCK, shallow=False):
            _install(npm)
            shutil.copy(HERE / LOCK, done)
    return FOLDER


def _install(npm: str) -> None:
    for name in ("package.json", LOCK):
        shutil.copy(HERE / name, FOLDER)
    # Legacy peer deps: pglite is a fork, which the socket's peer dependency does not know.
    command = [npm, "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
    made = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"TimescaleDB for tests: npm ci failed: {made.stderr.strip()[-300:]}")
