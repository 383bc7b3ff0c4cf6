"""The catalogue of faults and the plans made from it: pure."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ibcore.sim import faults, plans
from ibcore.sim.faultengine import EFFECTS

_ENDERS = {"accept", "clear"}


def plan(name: str, for_s: float | None = None, **given: object) -> plans.Plan:
    return plans.plan(name, for_s, given, number=3, seed=7_003)


def test_every_fault_of_the_catalogue_is_made_somewhere_and_only_those() -> None:
    assert EFFECTS.keys() | _ENDERS == faults.CATALOGUE.keys()


def test_the_issue_s_faults_are_all_there() -> None:
    wanted = (
        "refuse deaf reset drop mute freeze slow slice garble truncate notice farm 1100 1101 1102"
        " 10197 lost-ack lost-fill fill duplicate reorder rollback correct poison burst skew"
    )
    assert set(wanted.split()) <= faults.CATALOGUE.keys()


def test_a_plan_has_every_parameter_and_repeats_itself() -> None:
    made = plan("slow", 5, latency_ms="40", client=2)
    assert made.values == {"latency_ms": 40.0, "jitter_ms": 0.0, "bytes_s": 0.0}
    assert made.command() == (
        "slow --for 5 --client 2 --seed 7003 latency_ms=40 jitter_ms=0 bytes_s=0"
    )


def test_a_plan_with_words_in_it_can_be_pasted_into_a_shell() -> None:
    made = plan("notice", code=2148, text="strange days, 'indeed'")
    assert "text=strange days, 'indeed'" in shlex.split(made.command())


def test_a_plan_lasts_as_its_row_says_unless_told_otherwise() -> None:
    assert plan("mute").for_s == 20.0
    assert plan("mute", 0.5).for_s == 0.5
    assert plan("drop").for_s is plan("reset").for_s is None
    assert plan("poison", 3).for_s == 3


@pytest.mark.parametrize(
    ("name", "given", "hint"),
    [
        ("refus", {}, "did you mean refuse"),
        ("flood", {}, "there are refuse, deaf"),
        ("slow", {"latency": 3}, "did you mean latency_ms"),
        ("mute", {"loud": 3}, "it has none"),
        ("slow", {"latency_ms": "soon"}, "is a number from 0"),
        ("slow", {"latency_ms": "nan"}, "is a number from 0"),
        ("slice", {"bytes": 1.5}, "whole number"),
        ("slice", {"bytes": 0}, "from 1"),
        ("farm", {"farm": "usfram"}, "did you mean usfarm"),
        ("farm", {"dead": "perhaps"}, "yes or no"),
        ("1100", {"then": 1103}, "did you mean 110"),
        ("refuse", {"client": 1}, "no client as its target"),
        ("mute", {"line": "AAPL"}, "no line as its target"),
        ("mute", {"client": "one"}, "whole number"),
        ("mute", {"after": "-1"}, "number of seconds"),
        ("mute", {"seed": "x"}, "whole number"),
    ],
)
def test_what_nobody_knows_is_refused_with_the_nearest(
    name: str, given: dict[str, object], hint: str
) -> None:
    with pytest.raises(ValueError, match=hint):
        plan(name, **given)


def test_what_happens_at_once_cannot_last() -> None:
    with pytest.raises(ValueError, match="cannot last"):
        plan("1101", 5)


def test_the_catalogue_is_listed_with_its_parameters() -> None:
    rows = {row["name"]: row for row in faults.listed()}
    assert rows["1100"]["targets"] == []
    assert rows["garble"]["targets"] == ["client", "line"]
    assert rows["farm"]["parameters"][1]["default"] is False  # type: ignore[index]


def test_the_page_names_every_fault() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
    assert [name for name in faults.CATALOGUE if f"`{name}`" not in page] == []


def test_every_row_has_help_and_so_has_every_parameter() -> None:
    for fault in faults.CATALOGUE.values():
        assert fault.help.endswith(".")
        assert all(parameter.help for parameter in fault.parameters)
