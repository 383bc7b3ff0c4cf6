"""The pacer of history against the rules as the simulated gateway keeps them, with its own code."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ibcore.sim.historypacing import HistoryPacing
from sidecar.backfill.pacing import IN_WINDOW, WINDOW_S, HistoryPacer

Question = tuple[int, bool, int]
QUESTIONS = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 2)), min_size=1, max_size=150
)


@given(QUESTIONS, st.floats(0, 30))
def test_who_waits_as_told_is_never_refused(questions: list[Question], think_s: float) -> None:
    pacer, rules, now = HistoryPacer(), HistoryPacing(), 1_000.0
    for contract, both_sides, number in questions:
        subject, question = (contract, both_sides), (contract, both_sides, number)
        weight = 2 if both_sides else 1
        now += think_s
        waits = 0
        while wait := pacer.wait_s(now, subject, question, weight=weight):
            now += wait
            waits += 1
            assert waits < 5, "a wait that was waited out must end"
        assert rules.allows(now, subject, question, small=True, weight=weight)
        pacer.asked(now, subject, question, weight=weight)


def test_sixty_questions_take_no_ten_minutes_and_sixty_one_do() -> None:
    pacer, now = HistoryPacer(), 0.0
    waited = 0.0
    for number in range(IN_WINDOW + 1):
        wait = pacer.wait_s(now, number, number, weight=1)
        waited, now = wait, now + wait
        pacer.asked(now, number, number, weight=1)
        assert (wait > 0) == (number == IN_WINDOW)
    assert WINDOW_S <= waited <= WINDOW_S + 1
