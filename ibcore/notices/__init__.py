"""IB's message codes: the only place where a code number appears.

A notice is IB's word about something, classified: what it is about (scope), how bad it is
(severity) and what ibkeeper does (action). Every code that a gateway sends is graded once, in
`data_codes` or `order_codes`; those of 501 to 599 are made up by IB's client libraries and never
on the wire. A code that is not listed is an error of the request it names, or information.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ibcore.notices.data_codes import DATA_CODES
from ibcore.notices.notice import Action, Notice, Scope, Severity
from ibcore.notices.order_codes import ORDER_CODES
from ibcore.order_states import OrderWord

__all__ = ["Action", "Notice", "Scope", "Severity", "classify", "order_word"]

LISTED: Final = (*DATA_CODES, *ORDER_CODES)
NOTICES: Final[dict[int, Notice]] = {notice.code: notice for notice in LISTED}
_TWICE: Final = [code for code, times in Counter(n.code for n in LISTED).items() if times > 1]
if _TWICE:
    raise AssertionError(f"codes that are graded twice: {_TWICE}")

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
COMPETING_SESSION: Final = 10197
MARKET_FARM_BROKEN: Final = 2103
_READ_ONLY: Final = "read-only"


def says_read_only(code: int, text: str) -> bool:
    """Say whether a refusal means that the gateway takes no orders from the API at all."""
    return code == REQUEST_INVALID and _READ_ONLY in text.lower()


def classify(code: int, *, has_request: bool) -> Notice:
    """Return what `code` means; unknown codes fail the request they name, or are only noted."""
    known = NOTICES.get(code)
    if known is not None:
        return known
    if has_request:
        return Notice(code, Scope.request, Severity.error, Action.fail_request, "unlisted code")
    return Notice(code, Scope.session, Severity.info, Action.note, "unlisted code")
