"""An intent's state is a fold of evidence: what IB said, in any order, and any of it twice."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibcore.order_states import (
    INTENT_TRANSITIONS,
    TERMINAL,
    WORKING,
    Evidence,
    EvidenceKind,
    Fill,
    IntentState,
    OrderView,
    OrderWord,
    fold,
    split_exec_id,
)

K, S, W = EvidenceKind, IntentState, OrderWord
D = Decimal


def status(text: str, filled: int = 0) -> Evidence:
    return Evidence(K.status, status=text, filled=D(filled), perm_id=7)


def fill(quantity: int, base: str = "a.01", revision: int = 1, price: str = "10") -> Evidence:
    return Evidence(K.execution, fill=Fill(base, revision, D(quantity), D(price)))


def error(word: OrderWord) -> Evidence:
    return Evidence(K.error, word=word, text="because")


def after(*said: Evidence, begin: IntentState = S.submitting) -> OrderView:
    view = OrderView(begin, D(100))
    for each in said:
        view = fold(view, each)
    return view


SENT = Evidence(K.sent)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ((SENT,), S.sent),
        ((SENT, status("PendingSubmit")), S.sent),
        ((SENT, status("Submitted")), S.acked),
        ((status("Submitted"), SENT), S.acked),  # the answer was faster than our own note
        ((SENT, fill(100)), S.filled),  # no status at all
        ((SENT, status("Submitted"), fill(40)), S.partial),
        ((SENT, fill(40), status("Submitted")), S.partial),
        ((SENT, fill(40), status("Cancelled", 40)), S.cancelled),
        ((SENT, status("Cancelled"), fill(100)), S.filled),  # a late fill beats a cancel
        ((SENT, status("Filled", 100), status("Submitted")), S.filled),
        ((SENT, status("Inactive")), S.sent),
        ((SENT, error(W.rejected)), S.rejected),
        ((SENT, status("Submitted"), error(W.rejected)), S.acked),  # of a change
        ((SENT, error(W.warning), status("Submitted")), S.acked),  # 10349, 399: it lives
        ((SENT, status("Submitted"), error(W.cancel_refused)), S.acked),  # 10147, 10148, 161
        ((SENT, fill(100), error(W.warning)), S.filled),
        ((SENT, status("Submitted"), error(W.cancelled)), S.cancelled),  # 202
        ((SENT, error(W.unclear)), S.sent),
        ((SENT, Evidence(K.absent, state=S.unknown)), S.unknown),
        ((SENT, Evidence(K.absent, state=S.unknown), status("Submitted")), S.acked),
        ((Evidence(K.not_sent, state=S.not_sent), status("Submitted")), S.acked),
        ((Evidence(K.not_sent, state=S.not_sent), SENT), S.not_sent),
    ],
)
def test_evidence_moves_the_state(said: tuple[Evidence, ...], state: IntentState) -> None:
    assert after(*said).state is state


def test_an_execution_counts_once_and_as_corrected() -> None:
    view = after(SENT, fill(60), fill(60), fill(40, "b.01"), fill(50, revision=2, price="20"))
    assert view.filled == 90
    assert view.average_price == (50 * D(20) + 40 * D(10)) / 90
    assert after(SENT, fill(50, revision=2), fill(60)).filled == 50  # the older one came late


def test_the_end_of_an_exec_id_is_its_revision() -> None:
    assert split_exec_id("0000e0d5.6560f0a2.01.02") == ("0000e0d5.6560f0a2.01", 2)
    assert split_exec_id("odd") == ("odd", 0)


def test_every_state_is_working_or_terminal_or_the_first() -> None:
    assert TERMINAL | WORKING | {S.intent} == set(S)
    assert not TERMINAL & WORKING
    assert set(INTENT_TRANSITIONS) == set(S)


def test_what_is_final_can_only_be_moved_by_money_or_by_proof_that_it_lives() -> None:
    for state in TERMINAL:
        assert INTENT_TRANSITIONS[state] <= {S.partial, S.filled, S.acked}
