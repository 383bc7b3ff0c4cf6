"""docs/sql.md keeps its word: every recipe runs, shows its columns, and is planned as it claims."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from ibcore.clock import utcnow
from tests.sqlbook.book import Recipe, recipes, run
from tests.sqlbook.plans import plan_of

# One recording for all: not on several workers, each with its own.
pytestmark = [pytest.mark.paired, pytest.mark.timeout(240)]  # the first waits for the story

RECIPES = [pytest.param(recipe, id=f"{recipe.number}") for recipe in recipes()]


def test_there_are_twenty_one() -> None:
    assert [recipe.number for recipe in recipes()] == list(range(1, 22))


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
    plan = plan_of(told, recipe)

    assert plan.lacks(recipe) == set()
    # "The last hour" has two dates in the first hour of a day, which is UTC's.
    assert plan.days <= recipe.days + (utcnow().hour < 1)
    assert plan.scanned == []


def test_the_newest_quotes_are_those_of_the_recording(told: psycopg.Connection[Any]) -> None:
    columns, rows = run(told, recipes()[1])

    newest = told.execute(
        "SELECT q.ts, q.bid_size, q.bid, q.ask, q.ask_size, q.quality FROM ibkeeper.quote q"
        "  JOIN ibkeeper.watch w USING (instrument_id)"
        " WHERE w.symbol = 'SPY' AND w.sec_type = 'STK' ORDER BY q.ts DESC, q.seq DESC LIMIT 10"
    ).fetchall()
    recorded = told.execute(
        "SELECT count(DISTINCT instrument_id) FROM ibkeeper.quote"
        " WHERE instrument_id IN (SELECT instrument_id FROM ibkeeper.watch)"
    ).fetchone()
    assert columns[0] == "ts"
    assert rows == newest
    assert recorded == (6,)


def test_nothing_is_missing_in_a_recording_of_the_simulator(told: psycopg.Connection[Any]) -> None:
    columns, rows = run(told, recipes()[17])

    assert [dict(zip(columns, row, strict=True))["missing"] for row in rows] == [0]
