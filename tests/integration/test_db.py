"""The door to the database, against a real server: errors, notifications, schema, lock."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime, timezone

import anyio
import psycopg
import pytest

from ibcore import db
from ibcore.errors import DatabaseUnavailable, InstanceConflict, SchemaMismatch
from tests.canary import PASSWORD

pytestmark = pytest.mark.anyio


@pytest.fixture
async def conn(db_url: str) -> AsyncIterator[db.Connection]:
    """Return an open connection."""
    async with await db.connect(db_url, application="test") as connection:
        yield connection


async def test_a_connection_carries_its_name_and_commits_by_itself(conn: db.Connection) -> None:
    cursor = await conn.execute("SHOW application_name")

    assert await cursor.fetchone() == ("ibkeeper test",)
    assert conn.autocommit


async def test_a_server_that_is_not_there_is_named_in_one_line() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening: nobody else can take the port
        url = f"postgresql://u:{PASSWORD}@127.0.0.1:{held.getsockname()[1]}/d"
        with pytest.raises(DatabaseUnavailable) as refused:
            await db.connect(url, application="test")

    message = str(refused.value)
    assert "refused" in message
    assert "IBKEEPER_DATABASE_URL" in message
    assert PASSWORD not in message
    assert "\n" not in message


async def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"postgresql://u@127.0.0.1:{deaf.getsockname()[1]}/d?connect_timeout=2"
        with anyio.fail_after(10), pytest.raises(DatabaseUnavailable, match="timeout"):
            await db.connect(url, application="test")


async def test_a_database_that_does_not_exist_is_said(postgres_url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        await db.connect(postgres_url.replace("/ibkeeper?", "/nowhere?"), application="test")


async def test_a_killed_connection_is_unavailable_and_retryable(
    conn: db.Connection, db_url: str
) -> None:
    async with await db.connect(db_url, application="victim") as victim:
        await conn.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])
        with pytest.raises(DatabaseUnavailable) as lost, db.translated():
            await victim.execute("SELECT 1")

    assert lost.value.retryable


async def test_the_pool_gives_connections_back(db_url: str) -> None:
    async with db.pool(db_url, application="pool", max_size=1) as pool:
        for _ in range(2):
            async with pool.connection() as connection:
                await connection.execute("SELECT 1")


async def test_a_listener_is_told_to_look_before_it_hears_anything(conn: db.Connection) -> None:
    async with aclosing(db.listen_or_poll(conn, "ibkeeper_rows", poll_s=60)) as heard:
        assert await anext(heard) is None


async def test_a_listener_hears_everything_in_order(conn: db.Connection, db_url: str) -> None:
    async with aclosing(db.listen_or_poll(conn, "ibkeeper_rows", poll_s=60)) as heard:
        await anext(heard)
        async with await db.connect(db_url, application="teller") as teller:
            for word in ("one", "two", "three"):
                await teller.execute("SELECT pg_notify('ibkeeper_rows', %s)", [word])
        with anyio.fail_after(10):
            assert [await anext(heard) for _ in range(3)] == ["one", "two", "three"]


async def test_a_listener_polls_in_silence(conn: db.Connection) -> None:
    async with aclosing(db.listen_or_poll(conn, "ibkeeper_rows", poll_s=0.01)) as heard:
        with anyio.fail_after(10):
            assert [await anext(heard) for _ in range(4)] == [None] * 4


async def test_a_listener_whose_connection_dies_says_so(conn: db.Connection, db_url: str) -> None:
    async with (
        await db.connect(db_url, application="listener") as listening,
        aclosing(db.listen_or_poll(listening, "ibkeeper_rows", poll_s=60)) as heard,
    ):
        await anext(heard)
        await conn.execute("SELECT pg_terminate_backend(%s)", [listening.info.backend_pid])
        with anyio.fail_after(10), pytest.raises(DatabaseUnavailable):
            await anext(heard)


async def test_the_schema_of_head_is_accepted(conn: db.Connection) -> None:
    await db.check_schema(conn)


@pytest.mark.parametrize(
    ("version", "remedy"), [("0000", "ibkeeper db migrate"), ("9999", "Run the newer ibkeeper")]
)
async def test_a_schema_of_another_version_is_refused(
    db_url: str, version: str, remedy: str
) -> None:
    async with await db.connect(db_url, application="test", autocommit=False) as conn:
        await conn.execute("UPDATE ibkeeper.alembic_version SET version_num = %s", [version])
        with pytest.raises(SchemaMismatch, match=remedy):
            await db.check_schema(conn)
        await conn.rollback()


async def test_an_empty_database_is_told_to_migrate(db_url: str) -> None:
    url = db_url.replace("/ibkeeper?", "/prefect?")
    async with await db.connect(url, application="test") as conn:
        with pytest.raises(SchemaMismatch, match=r"at nothing.*ibkeeper db migrate"):
            await db.check_schema(conn)


async def test_the_second_sidecar_of_a_name_is_told_who_runs(
    conn: db.Connection, db_url: str
) -> None:
    await _until_free(conn)
    await conn.execute(
        "INSERT INTO ibkeeper.sidecar (name, epoch, pid, host, state, started_at, heartbeat_at)"
        " VALUES ('main', 1, 4711, 'box', 'running', now(), %s)",
        [datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)],
    )

    async with await db.connect(db_url, application="second") as second:
        with pytest.raises(InstanceConflict, match="pid 4711 on box") as conflict:
            await db.hold_instance_lock(second, "main")
        await db.hold_instance_lock(second, "other")

    assert conflict.value.exit_code == 4


async def test_a_holder_without_a_row_is_named_by_its_connection(
    conn: db.Connection, db_url: str
) -> None:
    await _until_free(conn)

    async with await db.connect(db_url, application="second") as second:
        with pytest.raises(InstanceConflict, match="ibkeeper test, connected since"):
            await db.hold_instance_lock(second, "main")


async def test_the_lock_ends_with_the_connection(db_url: str, conn: db.Connection) -> None:
    async with await db.connect(db_url, application="first") as first:
        await db.hold_instance_lock(first, "main")

    with anyio.fail_after(10):
        await _until_free(conn)


async def test_sessions_of_a_killed_sidecar_end_with_its_last_heartbeat(
    conn: db.Connection,
) -> None:
    await conn.execute(
        "INSERT INTO ibkeeper.sidecar (name, epoch, state, started_at, heartbeat_at)"
        " VALUES ('main', 7, 'running', now() - interval '2 h', now() - interval '1 h')"
    )
    await conn.execute(
        "INSERT INTO ibkeeper.session (sidecar, epoch, role, provider, host, port, client_id,"
        " state, attempt, opened_at, ready_at) VALUES ('main', 7, 'stream', 'ib', 'h', 1, 1,"
        " 'ready', 1, now() - interval '2 h', now() - interval '2 h')"
    )

    await conn.execute(db.QUERIES["session_close_orphans"], {"sidecar": "main", "epoch": 8})

    cursor = await conn.execute("SELECT state, now() - closed_at FROM ibkeeper.session")
    state, ago = await cursor.fetchone() or (None, None)
    assert state == "stopped"
    assert 3600 <= ago.total_seconds() < 3660


async def test_every_named_statement_is_valid_sql(conn: db.Connection) -> None:
    wrong = {}
    for name, statement in db.QUERIES.items():
        if statement.upper().startswith(b"COPY"):
            continue
        try:
            async with conn.transaction(force_rollback=True):
                await conn.execute(b"EXPLAIN " + statement, _Nothing())
        except psycopg.errors.SyntaxError as error:
            wrong[name] = str(error)
        except psycopg.Error:
            continue  # a NULL where a value belongs is no fault of the text

    assert wrong == {}


class _Nothing(dict[str, None]):
    def __missing__(self, key: str) -> None:
        return None


async def _until_free(conn: db.Connection) -> None:
    # A connection that is closed is one that its server may not have ended yet.
    while True:
        try:
            return await db.hold_instance_lock(conn, "main")
        except InstanceConflict:
            await anyio.sleep(0.01)
