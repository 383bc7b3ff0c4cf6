"""docs/chains.md: its recipes run, and its table of states is the code's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ibcore.domain import QuoteState

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "chains.md").read_text("utf-8")
RECIPES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(RECIPES)))
def test_a_recipe_of_the_page_runs(told: psycopg.Connection[Any], number: int) -> None:
    cursor = told.execute(RECIPES[number].encode())
    assert cursor.description
    if "chain_listing" not in RECIPES[number]:  # nothing was listed or delisted in the story
        assert cursor.fetchall()


def test_the_page_says_of_every_state_what_it_means() -> None:
    _, _, section = PAGE.partition("## What each state means")
    section, _, _ = section.partition("\n## ")
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [str(s) for s in QuoteState]
