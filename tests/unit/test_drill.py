"""A drill's verdict: steps against objectives, pure."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ibcore.drill import DrillRequest, DrillVerdict, Step, judge

SWITCHED = {"noticed": 31.0, "failed_over": 61.0, "backup_tick": 61.5, "released": 10.0}
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
        ("stale", {**SWITCHED, "first_tick": 11.0, "failed_back": 150.0}, ""),
        ("stale", {**SWITCHED, "first_tick": 11.0}, "It was not failed back at all."),
        ("stale", {"noticed": 31.0, "first_tick": 11.0}, "It was not failed over at all."),
        ("stale", {**SWITCHED, "failed_over": 66.0}, "failed over after 66.00 s, not 65 s"),
        (
            "drop",
            {"noticed": 1, "first_tick": 2.0, "failed_over": 1.5},
            "not ticking at the backup",
        ),
        ("standby", {"noticed": 0.1, "released": 10.0, "first_tick": 12.0}, ""),
        ("standby", {"noticed": 0.1, "failed_over": 9.0, "first_tick": 12.0}, "although the prim"),
        ("alert", {}, "It was not back at all."),
    ],
)
def test_an_objective_that_was_not_kept_is_named(scenario, reached, why):
    found = judge(DrillRequest(scenario=scenario), steps(**reached))
    assert (found.verdict is DrillVerdict.passed) == (why == "")
    assert why in found.why


def test_the_longest_drill_is_its_hold_and_its_objectives():
    asked = {"hold_s": 5, "detect_within_s": 3, "recover_within_s": 4, "failback_within_s": 10}
    assert DrillRequest(**asked).patience_s == 12
    assert DrillRequest(**asked).longest_s == 22
    assert DrillRequest(scenario="alert", **asked).longest_s == 12
