"""docs/sql.md keeps its word: every recipe runs, shows its columns, and is planned as it claims."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ibcore import db
from ibcore.embedded import Server
from tests.sqlbook import story
from tests.sqlbook.book import Recipe, recipes, run

# One recording for all: not on several workers, each with its own.
pytestmark = pytest.mark.alone

MARKET = set(story.MARKET)
RECIPES = [pytest.param(recipe, id=f"{recipe.number}") for recipe in recipes()]


@pytest.fixture(scope="module")
def told(postgres_server: Server) -> Iterator[psycopg.Connection[Any]]:
    """Return a connection to a database in which the story happened."""
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as conn:
        conn.execute("DROP DATABASE IF EXISTS sqlbook WITH (FORCE)")
        conn.execute("CREATE DATABASE sqlbook")
    url = postgres_server.url("sqlbook")
    db.migrate(url)
    story.tell(url)
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


def test_there_are_twenty() -> None:
    assert [recipe.number for recipe in recipes()] == list(range(1, 21))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_answers_with_the_columns_that_the_page_shows(
    told: psycopg.Connection[Any], recipe: Recipe
) -> None:
    columns, rows = run(told, recipe)

    assert columns == recipe.header
    assert rows


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_planned_as_the_page_claims(
    told: psycopg.Connection[Any], recipe: Recipe
) -> None:
    explain = b"EXPLAIN (ANALYZE, FORMAT JSON) " + recipe.sql.encode()
    (answer,) = told.execute(explain).fetchone() or ([],)
    nodes = [node for node in _nodes(answer[0]["Plan"]) if node["Actual Loops"] > 0]
    parents = _parents(told)
    used = {
        parents.get(node["Index Name"], node["Index Name"]) for node in _with(nodes, "Index Name")
    }
    opened = {node["Relation Name"] for node in _with(nodes, "Relation Name")}
    market = {name: parents[name] for name in opened if parents.get(name) in MARKET}
    days = Counter(parent for name, parent in market.items() if _has_rows(told, name))
    scanned = [n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"]

    assert recipe.indexes <= used, json.dumps(sorted(used))
    assert max(days.values(), default=0) <= recipe.days
    assert not [name for name in scanned if name in market and _is_large(told, name)]


def test_the_newest_quotes_are_those_of_the_recording(told: psycopg.Connection[Any]) -> None:
    columns, rows = run(told, recipes()[1])

    newest = told.execute(
        "SELECT max(ts), count(DISTINCT instrument_id) FROM ibkeeper.quote WHERE instrument_id < 9"
    ).fetchone()
    assert columns[0] == "ts"
    assert newest is not None
    assert newest[0] - rows[0][0] < rows[0][0] - rows[-1][0]
    assert newest[1] == 6


def test_nothing_is_missing_in_a_recording_of_the_simulator(told: psycopg.Connection[Any]) -> None:
    columns, rows = run(told, recipes()[17])

    assert [dict(zip(columns, row, strict=True))["missing"] for row in rows] == [0]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _with(nodes: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [node for node in nodes if key in node]


def _has_rows(conn: psycopg.Connection[Any], table: str) -> bool:
    question = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier("ibkeeper", table))
    return bool((conn.execute(question).fetchone() or (False,))[0])


def _is_large(conn: psycopg.Connection[Any], table: str) -> bool:
    """Say whether reading all of it is wrong: at midnight the table of today is small."""
    size = conn.execute("SELECT pg_relation_size(%s::regclass)", [f"ibkeeper.{table}"]).fetchone()
    return size is not None and size[0] > 2_500_000


def _parents(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the table or index of which each partition's one is a part."""
    found = conn.execute(
        "SELECT c.relname, p.relname FROM pg_inherits"
        "  JOIN pg_class c ON c.oid = inhrelid JOIN pg_class p ON p.oid = inhparent"
    )
    return dict(found.fetchall())
