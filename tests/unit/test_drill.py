"""A drill's verdict: steps against objectives, pure."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ibcore.drill import DrillRequest, DrillVerdict, Step, judge

NOW = datetime(2026, 11, 28, 19, tzinfo=timezone.utc)


def steps(**at: float) -> list[Step]:
    return [Step("begun", NOW, 0.0)] + [
        Step(name.replace("_", " "), NOW, seconds) for name, seconds in at.items()
    ]


@pytest.mark.parametrize(
    ("scenario", "reached", "why"),
    [
        ("drop", {"noticed": 0.1, "ready": 1.2, "first_tick": 1.4}, ""),
        ("drop", {"noticed": 11.0, "first_tick": 12.0}, "noticed after 11.00 s, not 10 s"),
        ("drop", {"noticed": 1.0, "first_tick": 22.0}, "back after 21.00 s, not 20 s"),
        ("drop", {"noticed": 1.0}, "It was not back at all."),
        ("mute", {}, "It was not noticed at all. It was not back at all."),
        ("mute", {"noticed": 8.0, "first_tick": 27.9}, ""),
        ("refuse", {"noticed": 0.1, "released": 10.0, "first_tick": 29.9}, ""),
        ("refuse", {"noticed": 0.1, "released": 10.0, "first_tick": 30.1}, "back after 20.10 s"),
        ("alert", {"delivered": 3.0}, ""),
        ("alert", {}, "It was not back at all."),
    ],
)
def test_an_objective_that_was_not_kept_is_named(scenario, reached, why):
    found = judge(DrillRequest(scenario=scenario), steps(**reached))
    assert (found.verdict is DrillVerdict.passed) == (why == "")
    assert why in found.why


def test_the_longest_drill_is_its_hold_and_both_objectives():
    assert DrillRequest(hold_s=5, detect_within_s=3, recover_within_s=4).longest_s == 12
