"""The migrations build what the models say, undo all of it, and build it again."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import anyio
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from ibcore import db
from ibcore.embedded import Server
from ibcore.errors import DatabaseUnavailable, SchemaMismatch
from ibcore.models import METADATA, SCHEMA
from tests.integration.recording import record, recording, stored_seqs

MARKET = ("quote", "trade", "greeks", "instrument_stat")


@pytest.fixture
def empty_url(postgres_server: Server) -> Iterator[str]:
    """Return the URL of a database of this test's own."""
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as conn:
        conn.execute("DROP DATABASE IF EXISTS scratch")
        conn.execute("CREATE DATABASE scratch")
        yield postgres_server.url("scratch")
        conn.execute("DROP DATABASE scratch WITH (FORCE)")


def test_the_models_are_what_the_migrations_build(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as driver:
        engine = create_engine("postgresql+psycopg://", creator=lambda: driver, poolclass=NullPool)
        with engine.connect() as connection:
            partitions = {
                row[0]
                for row in connection.execute(
                    text("SELECT inhrelid::regclass::text FROM pg_inherits")
                )
            }
            context = MigrationContext.configure(
                connection,
                opts={
                    "include_schemas": True,
                    "include_name": lambda name, kind, parents: (
                        name == SCHEMA
                        if kind == "schema"
                        else kind != "table" or f"{SCHEMA}.{name}" not in partitions
                    ),
                    "version_table_schema": SCHEMA,
                    "compare_type": True,
                    "compare_server_default": True,
                    "target_metadata": METADATA,
                },
            )
            differences = compare_metadata(context, METADATA)

    assert differences == []
    assert len(partitions) > len(MARKET)


def test_up_down_up_leaves_the_same_schema(empty_url: str) -> None:
    db.migrate(empty_url)
    first = _everything(empty_url)
    db.migrate(empty_url, to="base")
    bare = _everything(empty_url)
    db.migrate(empty_url)

    assert bare == ["r alembic_version"]
    assert _everything(empty_url) == first
    assert len(first) > 60


def test_two_that_migrate_at_once_both_succeed(empty_url: str) -> None:
    program = "import sys; from ibcore import db; db.migrate(sys.argv[1])"
    both = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program, empty_url])
        for _ in range(2)
    ]

    assert [process.wait(timeout=30) for process in both] == [0, 0]
    assert "v v_quote_latest" in _everything(empty_url)


def test_a_newer_schema_is_refused_before_anything_is_changed(empty_url: str) -> None:
    db.migrate(empty_url)
    with psycopg.connect(empty_url) as conn:
        conn.execute("UPDATE ibkeeper.alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaMismatch, match=r"at 9999, newer than this.*Run the newer ibkeeper"):
        db.migrate(empty_url)


def test_a_table_that_somebody_holds_is_not_waited_for_long(empty_url: str) -> None:
    db.migrate(empty_url, to="0001")
    with psycopg.connect(empty_url) as holder:
        holder.execute("LOCK TABLE ibkeeper.trade IN ROW EXCLUSIVE MODE")
        with pytest.raises(DatabaseUnavailable, match=r"could not be locked.*Nothing was changed"):
            db.migrate(empty_url, lock_timeout_s=0.05)
    assert "v bar_1m" not in _everything(empty_url)
    db.migrate(empty_url)
    assert "v bar_1m" in _everything(empty_url)


@pytest.mark.anyio
async def test_migrating_costs_a_running_recorder_no_row(empty_url: str) -> None:
    db.migrate(empty_url, to="0003")
    dice = random.Random(4)
    async with recording(empty_url) as recorder:
        rows = record(recorder, dice, 200)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, db.migrate, empty_url)
            for _ in range(50):
                rows += record(recorder, dice, 20)
                await anyio.sleep(0.005)
        rows += record(recorder, dice, 200)
        assert await recorder.drain(10.0) == 0

    assert stored_seqs(empty_url) == [row.seq for row in rows]


def test_a_failing_migration_leaves_nothing_behind(empty_url: str) -> None:
    with psycopg.connect(empty_url) as conn:
        conn.execute("CREATE SCHEMA ibkeeper CREATE TABLE chain_quote (in_the_way int)")

    with pytest.raises(psycopg.errors.DuplicateTable):
        db.migrate(empty_url)

    assert _everything(empty_url) == ["r chain_quote"]


def test_every_table_view_and_column_has_a_comment(postgres_url: str) -> None:
    silent = """
        SELECT c.relname || coalesce('.' || a.attname, '')
          FROM pg_class c
          LEFT JOIN LATERAL (
               SELECT 0 AS attnum, NULL::name AS attname
               UNION ALL
               SELECT attnum, attname FROM pg_attribute
                WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                   AND c.relkind IN ('r', 'p')
          ) a ON true
          LEFT JOIN pg_description d
            ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
         WHERE c.relnamespace = 'ibkeeper'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
           AND c.relname NOT IN ('alembic_version') AND d.description IS NULL
           AND NOT (c.relkind = 'S' AND c.relname LIKE '%_id_seq')
    """
    with psycopg.connect(postgres_url) as conn:
        assert [name for (name,) in conn.execute(silent)] == []


@pytest.mark.parametrize("table", MARKET)
def test_a_market_table_has_its_days_and_a_place_for_strays(postgres_url: str, table: str) -> None:
    with psycopg.connect(postgres_url) as conn:
        names = {
            name
            for (name,) in conn.execute(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = ('ibkeeper.' || %s)::regclass",
                [table],
            )
        }
        (today,) = conn.execute(
            "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')"
        ).fetchone() or ("",)

    assert {f"{table}_stray", f"{table}_{today}"} <= names
    assert len(names) >= 10  # yesterday, today, a week ahead, and the strays


def _everything(url: str) -> list[str]:
    objects = sql.SQL("""
        SELECT relkind::text || ' ' || relname FROM pg_class
         WHERE relnamespace = 'ibkeeper'::regnamespace AND relkind IN ('r', 'p', 'v', 'S', 'i')
           AND relname NOT LIKE 'alembic_version_%'
        UNION ALL
        SELECT 'f ' || proname FROM pg_proc WHERE pronamespace = 'ibkeeper'::regnamespace
        UNION ALL
        SELECT 't ' || tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE c.relnamespace = 'ibkeeper'::regnamespace AND NOT tgisinternal
        ORDER BY 1
    """)
    with psycopg.connect(url) as conn:
        return [name for (name,) in conn.execute(objects)]
