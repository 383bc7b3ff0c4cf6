"""IB's message codes: the only place where a code number appears.

A notice is IB's word about something, classified: what it is about (scope), how bad it is
(severity) and what ibkeeper does (action). Codes that are not in the table are treated as an
error of the request they name, or as information when they name none.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from ibcore.order_states import OrderWord


class Scope(Enum):
    """What a notice is about."""

    request = "request"
    line = "line"
    farm = "farm"
    link = "link"
    session = "session"


class Severity(Enum):
    """How bad it is."""

    info = "info"
    warning = "warning"
    error = "error"


class Action(Enum):
    """What ibkeeper does about it."""

    note = "note"
    fail_request = "fail_request"
    drop_line = "drop_line"
    resubscribe = "resubscribe"
    verify_lines = "verify_lines"
    mark_stale = "mark_stale"
    fail_session = "fail_session"
    mark_delayed = "mark_delayed"


class Notice(NamedTuple):
    """One IB code and what it means to us."""

    code: int
    scope: Scope
    severity: Severity
    action: Action
    meaning: str


def _n(code: int, scope: Scope, severity: Severity, action: Action, meaning: str) -> Notice:
    return Notice(code, scope, severity, action, meaning)


_R, _L, _F, _K, _S = Scope.request, Scope.line, Scope.farm, Scope.link, Scope.session
_I, _W, _E = Severity.info, Severity.warning, Severity.error

NOTICES: Final[dict[int, Notice]] = {
    notice.code: notice
    for notice in (
        _n(100, _S, _E, Action.fail_session, "more than 50 messages a second were sent"),
        _n(101, _L, _E, Action.drop_line, "the allowance of market-data lines is used up"),
        _n(162, _R, _E, Action.fail_request, "historical data: pacing violation or no data"),
        _n(200, _R, _E, Action.fail_request, "no such contract"),
        _n(300, _L, _I, Action.note, "a line was cancelled that IB does not know"),
        _n(320, _R, _E, Action.fail_request, "the gateway could not read the request"),
        _n(321, _R, _E, Action.fail_request, "the gateway could not validate the request"),
        _n(322, _R, _E, Action.fail_request, "the gateway could not process the request"),
        _n(326, _S, _E, Action.fail_session, "the client id is in use"),
        _n(354, _L, _E, Action.drop_line, "market data is not subscribed"),
        _n(366, _R, _E, Action.fail_request, "no historical data query with that id"),
        _n(1100, _K, _E, Action.mark_stale, "the gateway lost its link to IB"),
        _n(1101, _K, _W, Action.resubscribe, "the link is back, subscriptions are lost"),
        _n(1102, _K, _I, Action.verify_lines, "the link is back, subscriptions are kept"),
        _n(1300, _S, _E, Action.fail_session, "the gateway's API port was changed"),
        _n(2103, _F, _W, Action.mark_stale, "a market-data farm is broken"),
        _n(2104, _F, _I, Action.verify_lines, "a market-data farm is connected"),
        _n(2105, _F, _W, Action.mark_stale, "a history farm is broken"),
        _n(2106, _F, _I, Action.note, "a history farm is connected"),
        _n(2107, _F, _I, Action.note, "a history farm is idle until it is asked"),
        _n(2108, _F, _I, Action.note, "a market-data farm is idle until it is asked"),
        _n(2110, _K, _E, Action.mark_stale, "the gateway has no link to IB"),
        _n(2119, _F, _I, Action.note, "a market-data farm is connecting"),
        _n(2157, _F, _W, Action.note, "the security-definition farm is broken"),
        _n(2158, _F, _I, Action.note, "the security-definition farm is connected"),
        _n(10089, _L, _W, Action.mark_delayed, "part of the data needs a subscription"),
        _n(10090, _L, _W, Action.note, "part of the data is not subscribed"),
        _n(10091, _L, _W, Action.note, "part of the data needs a further subscription"),
        _n(10167, _L, _W, Action.mark_delayed, "not subscribed: delayed data is shown"),
        _n(10168, _L, _E, Action.drop_line, "not subscribed, and delayed data is off"),
        _n(10197, _L, _E, Action.mark_stale, "a competing live session takes the data"),
    )
}

# What a code means for the order that it names: of facts and recordings, not of the manual's words.
_WARNINGS: Final = frozenset({399, 2109, 2137, 2148, 2161, 10311, 10349})
_CANCELLED: Final = frozenset({202})
_CANCEL_REFUSED: Final = frozenset({161, 10147, 10148})
_REJECTED: Final = frozenset(
    {103, 104, 105, 106, 107, 109, 110, 111, 113, 116, 117, 118, 119, 132, 133, 134, 140, 144, 147,
     152, 154, 200, 201, 203, 320, 321, 322, 325, 327, 328, 329, 330, 336, 343, 345, 347, 355, 382,
     383, 387, 388, 391, 403, 404, 411, 412, 414, 416, 417, 418, 419, 422, 432, 434, 435, 436, 437,
     439, 441, 460, 461, 463, 10043, 10243, 10268, 10269}
)  # fmt: skip


def order_word(code: int) -> OrderWord:
    """Return what `code` says about the order it names; `unclear` asks for a reconciliation."""
    if code in _WARNINGS:
        return OrderWord.warning
    if code in _CANCELLED:
        return OrderWord.cancelled
    if code in _CANCEL_REFUSED:
        return OrderWord.cancel_refused
    return OrderWord.rejected if code in _REJECTED else OrderWord.unclear


# The user is not subscribed to that data, in IB's several words.
NO_PERMISSION: Final = frozenset({354, 10089, 10090, 10168, 10186})
CLIENT_ID_IN_USE: Final = 326
NO_SUCH_CONTRACT: Final = 200
REQUEST_INVALID: Final = 321


def classify(code: int, *, has_request: bool) -> Notice:
    """Return what `code` means; unknown codes fail the request they name, or are only noted."""
    known = NOTICES.get(code)
    if known is not None:
        return known
    if has_request:
        return Notice(code, Scope.request, Severity.error, Action.fail_request, "unlisted code")
    return Notice(code, Scope.session, Severity.info, Action.note, "unlisted code")
