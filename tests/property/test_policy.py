"""Backoff, pacing and the line budget are arithmetic: no clock, no sleep."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.policy import LineBudget, Pacer, backoff_s


def test_backoff_doubles_from_one_second_to_sixty():
    assert [backoff_s(n) for n in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_backoff_stays_at_its_maximum_after_a_year_of_attempts():
    assert backoff_s(600_000) == 60


def test_attempts_are_counted_from_one():
    with pytest.raises(ValueError, match="counted from 1"):
        backoff_s(0)


@given(
    steps=st.lists(st.tuples(st.sampled_from(["stream", "sweep"]), st.integers(0, 60)), max_size=50)
)
def test_the_line_budget_is_never_exceeded_and_nothing_is_lost(steps: list[tuple[str, int]]):
    budget = LineBudget(100)
    held = {"stream": 0, "sweep": 0}
    for holder, wanted in steps:
        given_lines = budget.take(holder, wanted)
        held[holder] += given_lines
        assert given_lines <= wanted
        assert budget.used == sum(held.values()) <= 100
    for holder, lines in held.items():
        budget.give_back(holder, lines)
    assert budget.free == 100


def test_lines_cannot_be_given_back_twice():
    budget = LineBudget(10)
    budget.take("stream", 3)
    budget.give_back("stream", 3)
    with pytest.raises(ValueError, match="holds 0 lines"):
        budget.give_back("stream")


@given(gaps=st.lists(st.floats(0, 0.5), min_size=1, max_size=300), limit=st.integers(1, 60))
def test_no_second_holds_more_than_the_limit_and_one_burst(gaps: list[float], limit: int) -> None:
    pacer, now, sends = Pacer(limit), 100.0, []
    for gap in gaps:
        now += gap
        while (rest := pacer.wait_s(now)) > 0:
            now += max(rest, 1e-9)
        pacer.sent(now)
        sends.append(now)
    for first, last in zip(sends, sends[limit + pacer.burst :], strict=False):
        assert last - first >= 1.0 - 1e-6


def test_only_a_tenth_of_a_second_leaves_at_once() -> None:
    pacer, at_once = Pacer(45), 0
    while pacer.wait_s(7.0) == 0.0:
        pacer.sent(7.0)
        at_once += 1
    assert at_once == 4


def test_what_was_late_follows_sooner() -> None:
    pacer, now = Pacer(40), 0.0
    for _ in range(400):
        now += pacer.wait_s(now) + 0.003  # each sleep is too long
        pacer.sent(now)
    assert 400 / now > 39
