"""docs/states.md says what the transition tables say, row by row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ibcore.domain import (
    ALERT_TRANSITIONS,
    REQUEST_TRANSITIONS,
    SESSION_TRANSITIONS,
    WATCH_TRANSITIONS,
)
from ibcore.link_states import LINK_TRANSITIONS
from ibcore.liveness.health import CURE_TRANSITIONS
from ibcore.order_states import INTENT_TRANSITIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "states.md"


def documented(machine: str) -> set[tuple[str, str]]:
    _, _, section = PAGE.read_text("utf-8").partition(f"## {machine}")
    section, _, _ = section.partition("\n## ")
    rows = re.findall(r"^\| ([a-z_, ]+) \| ([a-z_]+) \|", section, re.MULTILINE)
    return {(old.strip(), new) for olds, new in rows if olds != "from" for old in olds.split(",")}


@pytest.mark.parametrize(
    ("machine", "table"),
    [
        ("Session", SESSION_TRANSITIONS),
        ("Link", LINK_TRANSITIONS),
        ("Line cure", CURE_TRANSITIONS),
        ("Watch", WATCH_TRANSITIONS),
        ("Request", REQUEST_TRANSITIONS),
        ("Alert", ALERT_TRANSITIONS),
        ("Order intent", INTENT_TRANSITIONS),
    ],
)
def test_the_page_lists_exactly_the_steps_that_may_be_taken(machine, table):
    allowed = {(str(old), str(new)) for old, news in table.items() for new in news}
    assert documented(machine) == allowed
