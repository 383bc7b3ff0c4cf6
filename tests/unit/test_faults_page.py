"""docs/faults.md names tests that there are, and every fault from 1 to 38."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name or path for path, name in NAMED])
def test_a_test_that_the_page_names_is_there(path: str, name: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    assert not name or f"def {name}(" in text


def test_the_page_has_every_fault_in_its_order() -> None:
    assert re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE) == [str(n) for n in range(1, 39)]
