"""docs/sql.md on TimescaleDB: the same story, the same queries, the same answers."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests import market_rows as rows
from tests.sqlbook.book import Recipe, recipes, run
from tests.timescale.conftest import make_new

# One server of 470 MB for all: not one on each worker.
pytestmark = [pytest.mark.paired, pytest.mark.timeout(240)]  # the first waits for the story
# In the order of their references; without what is there to keep the planner busy.
COPIED = {
    "instrument": "symbol <> 'NOBODY'",
    "quote": "instrument_id < 1000000",
    "trade": "instrument_id < 1000000",
    "greeks": "instrument_id < 1000000",
    "instrument_stat": "instrument_id < 1000000",
    "quote_latest": "true",
    "ingest_batch": "true",
    "feed_minute": "true",
    "session": "true",
    "chain_snapshot": "expected > 0",
    "chain_quote": "expiry IS NOT NULL",
}
BARS = {5, 6, 7, 8}


@pytest.fixture(scope="module")
def retold(told: psycopg.Connection[Any], timescale_server: str) -> psycopg.Connection[Any]:
    """Return a connection to a TimescaleDB in which the same story happened."""
    make_new(timescale_server)
    with psycopg.connect(timescale_server, autocommit=True) as conn:
        # One backend serves every connection: what the last one prepared is still there.
        conn.execute("DEALLOCATE ALL")
        conn.prepare_threshold = None
        for table, which in COPIED.items():
            rows.insert(conn, table, _rows_of(told, table, which))
        yield conn
        tables = sql.SQL(", ").join(sql.Identifier("ibkeeper", table) for table in COPIED)
        conn.execute(sql.SQL("TRUNCATE {} CASCADE").format(tables))


def _rows_of(conn: psycopg.Connection[Any], table: str, which: Any) -> list[dict[str, Any]]:
    question = sql.SQL("SELECT to_jsonb(t) - 'request_id' FROM {} AS t WHERE {}")
    found = conn.execute(question.format(sql.Identifier("ibkeeper", table), sql.SQL(which)))
    return [row for (row,) in found]


@pytest.mark.parametrize("recipe", [pytest.param(r, id=f"{r.number}") for r in recipes()])
def test_a_recipe_answers_as_on_plain_postgresql(
    told: psycopg.Connection[Any], retold: psycopg.Connection[Any], recipe: Recipe
) -> None:
    plain_columns, plain = run(told, recipe)
    columns, found = run(retold, recipe)

    assert columns == plain_columns
    assert len(found) == len(plain)
    if recipe.number in BARS:
        assert [_rounded(row) for row in found] == [_rounded(row) for row in plain]


def _rounded(row: Any) -> list[Any]:
    return [round(value, 6) if isinstance(value, float) else value for value in row]
