"""The tick path into a TimescaleDB server, where IBKEEPER_TEST_TIMESCALE_URL names one.

The login must be allowed to create a database: the test makes one of its own and drops it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ibcore import db, roles, upkeep
from ibcore.config import MaintenanceSettings
from tests.integration.recording import record, recording, select, stored_seqs
from tests.sqlbook import story
from tests.sqlbook.book import Recipe, recipes, run
from tests.sqlbook.plans import plan_of
from tests.timescale.test_bars import PARTS

SERVER = os.environ.get("IBKEEPER_TEST_TIMESCALE_URL", "")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.paired,
    pytest.mark.skipif(not SERVER, reason="IBKEEPER_TEST_TIMESCALE_URL names no server"),
]
NAME = "ibkeeper_test_ingest"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the URL of a database of this module's own, migrated."""
    with psycopg.connect(SERVER, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)".encode())
        conn.execute(f"CREATE DATABASE {NAME}".encode())
        given: dict[str, Any] = conninfo_to_dict(SERVER)
        ours = make_conninfo(**given | {"dbname": NAME})
        with psycopg.connect(ours, autocommit=True) as fresh:
            fresh.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        db.migrate(ours)
        yield ours
        conn.execute(f"DROP DATABASE {NAME} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def told_here(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Return a connection to the database after the story of docs/sql.md."""
    story.tell(url)
    with psycopg.connect(url, autocommit=True) as conn:
        for part in PARTS:
            conn.execute(
                "CALL refresh_continuous_aggregate(%s, NULL, date_trunc('day', now(), 'UTC'))",
                [f"ibkeeper.{part}"],
            )
        conn.execute("ANALYZE")
        yield conn


async def test_every_row_is_committed_once_into_hypertables(url: str) -> None:
    writer = roles.url_as(url, "writer")
    async with recording(writer) as recorder:
        rows = record(recorder, random.Random(7), 20_000)

    assert stored_seqs(url) == [row.seq for row in rows]
    chunks = select(url, "SELECT count(*) FROM timescaledb_information.chunks")
    assert chunks[0][0] >= 4
    with psycopg.connect(url) as conn:
        conn.execute(
            "TRUNCATE ibkeeper.quote, ibkeeper.trade, ibkeeper.greeks, ibkeeper.instrument_stat,"
            " ibkeeper.ingest_batch, ibkeeper.feed_minute"
        )


@pytest.mark.parametrize("recipe", [pytest.param(r, id=f"{r.number}") for r in recipes()])
async def test_the_recipes_run_on_what_a_sidecar_recorded(
    told_here: psycopg.Connection[Any], recipe: Recipe
) -> None:
    columns, found = run(told_here, recipe)

    assert columns == recipe.header
    assert found


@pytest.mark.parametrize("recipe", [pytest.param(r, id=f"{r.number}") for r in recipes()])
async def test_a_recipe_opens_only_the_chunks_that_the_page_claims(
    told_here: psycopg.Connection[Any], recipe: Recipe
) -> None:
    plan = plan_of(told_here, recipe)

    # Closed days are kept by aggregates here, not in a table of ours.
    assert plan.lacks(recipe) <= {"bar_quote_kept_pkey"}
    assert plan.days <= recipe.days
    assert plan.scanned == []


@pytest.mark.usefixtures("told_here")
@pytest.mark.parametrize("recipe", [pytest.param(r, id=f"{r.number}") for r in recipes()])
async def test_a_reader_may_run_every_recipe(url: str, recipe: Recipe) -> None:
    with psycopg.connect(roles.url_as(url, "reader"), autocommit=True) as reader:
        assert run(reader, recipe)[1]


@pytest.mark.usefixtures("told_here")
async def test_policies_run_as_jobs_and_compress(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        # Its scheduler would run the same jobs beside us, and the second finds the chunk packed.
        conn.execute("SELECT _timescaledb_functions.stop_background_workers()")
    async with db.opened(roles.url_as(url, "flows"), application="test") as conn:
        await upkeep.run(conn, MaintenanceSettings(compress_days=1))
    with psycopg.connect(url, autocommit=True) as conn:
        jobs = conn.execute(
            "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name IN"
            " ('policy_compression', 'policy_refresh_continuous_aggregate')"
        ).fetchall()
        for (job,) in jobs:
            conn.execute("CALL run_job(%s)", [job])
        packed = conn.execute(
            "SELECT count(*) FROM timescaledb_information.chunks"
            " WHERE hypertable_schema = 'ibkeeper' AND is_compressed"
        ).fetchone()

    assert len(jobs) == 10
    assert packed is not None
    assert packed[0] >= 4
