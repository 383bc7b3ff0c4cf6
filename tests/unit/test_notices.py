"""Every code of IB is graded once, and the grades say what the session relies on."""

from __future__ import annotations

import pytest

from ibcore.notices import LISTED, NOTICES, classify, order_word, says_read_only
from ibcore.notices.notice import Action, Scope, Severity
from ibcore.order_states import OrderWord

# IB's published list: https://interactivebrokers.github.io/tws-api/message_codes.html
PUBLISHED = {
    *range(100, 108), 109, 110, 111, *range(113, 127), 129, *range(131, 149), *range(151, 169),
    *range(200, 204), *range(300, 318), *range(319, 354), *range(354, 447),
    1100, 1101, 1102, 1300, *range(2100, 2111), 2119, 2137, 2157, 2158, 2168, 2169,
    10147, 10148, 10167, 10168, 10182, 10186, 10187, 10189, 10190, 10197, 10225,
} - {130, 149, 150}  # fmt: skip


def test_every_published_code_is_graded_and_none_twice():
    assert sorted(PUBLISHED - NOTICES.keys()) == []
    assert len(LISTED) == len(NOTICES)
    assert all(notice.meaning for notice in LISTED)


@pytest.mark.parametrize(
    ("code", "scope", "action"),
    [
        (1100, Scope.link, Action.mark_stale),
        (2110, Scope.link, Action.mark_stale),
        (1101, Scope.link, Action.resubscribe),
        (1102, Scope.link, Action.verify_lines),
        (2103, Scope.farm, Action.mark_stale),
        (2104, Scope.farm, Action.verify_lines),
        (2105, Scope.farm, Action.mark_stale),
        (10197, Scope.line, Action.mark_stale),
        (326, Scope.session, Action.fail_session),
        (100, Scope.session, Action.fail_session),
        (354, Scope.line, Action.drop_line),
        (10167, Scope.line, Action.mark_delayed),
    ],
)
def test_what_the_session_relies_on(code, scope, action):
    notice = classify(code, has_request=True)
    assert (notice.scope, notice.action) == (scope, action)


def test_no_word_about_a_farm_or_the_link_ends_a_session():
    ends = {n.code for n in LISTED if n.action is Action.fail_session}
    assert {NOTICES[code].scope for code in ends} == {Scope.session}


def test_what_warns_of_an_order_is_no_error():
    words = [n for n in LISTED if order_word(n.code) is OrderWord.warning]
    assert {n.severity for n in words} == {Severity.warning}
    assert all(n.action is Action.note for n in words)


def test_unlisted_codes_fail_the_request_they_name_or_are_noted():
    assert classify(99_999, has_request=True).action is Action.fail_request
    assert classify(99_999, has_request=False).action is Action.note


def test_a_read_only_gateway_is_known_by_its_words():
    words = (
        "Error validating request.-'bZ' : cause - The API interface is currently in Read-Only mode."
    )
    assert says_read_only(321, words)
    assert not says_read_only(321, "Incorrect generic tick list")
