"""Real parts for every test: one embedded PostgreSQL for the session, emptied between tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from psycopg import sql

from ibcore import db, log
from ibcore.embedded import Server
from ibcore.models import METADATA, SCHEMA
from ibcore.sim.server import Gateway
from tests import canary, windows

# A deadline an example would be a test against the clock; a failure prints how to repeat it.
hypothesis.settings.register_profile("ibkeeper", deadline=None, print_blob=True)
hypothesis.settings.load_profile("ibkeeper")

os.environ.update(windows.NONE)

# What the migrations filled and no test may empty.
_KEPT = "state_transition"
_TABLES = [table.name for table in METADATA.sorted_tables if table.name != _KEPT]
_FILLED = sql.SQL(" UNION ALL ").join(
    sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(name, sql.Identifier(SCHEMA, name))
    for name in _TABLES
)


_UNSAFE = {"fsync": "off", "shared_buffers": "128MB"}


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio: ib_async knows nothing else."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Run one embedded PostgreSQL; without fsync, since its data dies with the session."""
    # Not under pytest's own folder: another session of root closes that one (0700) to the
    # account that PostgreSQL runs as.
    with (
        tempfile.TemporaryDirectory(prefix="ibkeeper-test-") as folder,
        Server(Path(folder) / "home", settings=_UNSAFE) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Server) -> str:
    """Return the URL of a database migrated to head, shared by the session."""
    # It asks for no password, and whatever shows this address shows one.
    url = postgres_server.url().replace("postgres@", f"postgres:{canary.PASSWORD}@")
    db.migrate(url)
    return url


@pytest.fixture
def db_url(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[str]:
    """Return the same URL with every table empty; no secret may be in them afterwards."""
    empty(postgres_url)
    yield postgres_url
    if request.node.get_closest_marker("sings") is None:
        with psycopg.connect(postgres_url, autocommit=True) as conn:
            assert canary.tables_with_it(conn) == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Hear whether a secret is in what the test printed, logged or left in its folder."""
    report = yield
    canary.judge(item, report)
    return report


@pytest.fixture(scope="session", autouse=True)
def _no_secret_in_shared_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Look at the folders that are no single test's: of systems that several tests share."""
    yield
    folder = tmp_path_factory.getbasetemp()
    shared = [each for each in folder.iterdir() if not each.name.startswith(("test_", "popen-"))]
    assert [(each.name, canary.files_with_it(each)) for each in shared if each.is_dir()] == [
        (each.name, []) for each in shared if each.is_dir()
    ]


def empty(url: str) -> None:
    """Empty every table but what the migrations filled."""
    with psycopg.connect(url, autocommit=True) as conn:
        filled = [name for (name,) in conn.execute(_FILLED)]
        if filled:
            tables = sql.SQL(", ").join(sql.Identifier(SCHEMA, name) for name in filled)
            conn.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))


@pytest.fixture(autouse=True)
def _secrets_of_this_test_only() -> Iterator[None]:
    """Forget what a test had hidden: a word of its own would be masked in the next one's output."""
    known = set(log._hidden)
    yield
    log._hidden.intersection_update(known)


@pytest.fixture(scope="session")
def told(postgres_server: Server) -> Iterator[psycopg.Connection[Any]]:
    """Return a connection to a database in which the story of docs/sql.md happened."""
    from tests.sqlbook import story

    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as conn:
        conn.execute("CREATE DATABASE sqlbook")
    url = postgres_server.url("sqlbook")
    db.migrate(url)
    story.tell(url)
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


@pytest.fixture
async def simulator() -> AsyncIterator[Gateway]:
    """Run a simulated gateway in this process, on a free loopback port."""
    async with Gateway() as gateway:
        yield gateway
