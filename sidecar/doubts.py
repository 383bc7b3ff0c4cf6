"""Which values nobody should believe, and why: pure functions, None where there is no doubt.

Not the same as IB's empties (`sidecar.empties`), which mean "nothing here" and become NULL
without a word: the unset int32, int64 and decimal of a size, the unset double of a greek, -1 of
a statistic, "-1, 0" of a side. What is doubted becomes NULL too, and is kept aside as it came.
"""

from __future__ import annotations

import math
from typing import Final

from ibcore.domain import RejectReason
from sidecar.empties import LARGEST_REAL, NO_PRICE, UNSET_INT32

UNSET_DOUBLE: Final = 1.7976931348623157e308
# Largest int32, largest int64, and the largest decimal of IB (2^127 - 1), as doubles.
UNSET_SIZES: Final = frozenset({UNSET_INT32, float(2**63 - 1), float(2**127 - 1)})
# Whose prices cannot be below zero. Futures, combinations, indices and commodities' can, and a
# type that is not listed may be one of those.
NEVER_NEGATIVE: Final = frozenset(
    {"STK", "OPT", "FOP", "WAR", "IOPT", "CASH", "CRYPTO", "BOND", "BILL", "FUND"}
)
# 1/256 of a bond has 8 decimals, so have the finest crypto pairs: one more is allowed.
DECIMALS: Final = 9
_GRID: Final = 10.0**DECIMALS
TEXT_LIMIT: Final = 10_000
# An index is computed, at any precision.
ANY_PRECISION: Final = frozenset({"IND", "CMDTY"})


def price(value: float, size: float, *, sec_type: str = "") -> RejectReason | None:
    """Doubt a bid, an ask or a print. A price below zero under size 0 is IB's "nobody"."""
    if not -LARGEST_REAL < value < LARGEST_REAL or value == UNSET_INT32:
        return _no_number(value)
    if value < 0.0 and size != 0.0 and sec_type in NEVER_NEGATIVE:
        return RejectReason.negative_price
    if not (value * _GRID).is_integer() and sec_type not in ANY_PRECISION and _too_fine(value):
        return RejectReason.too_fine
    return None


def size(value: float) -> RejectReason | None:
    """Doubt the size of a side or of a print."""
    if 0.0 <= value < LARGEST_REAL or value in UNSET_SIZES:
        return None
    return RejectReason.negative_amount if -LARGEST_REAL < value < 0.0 else _no_number(value)


def amount(value: float) -> RejectReason | None:
    """Doubt a statistic that cannot be below zero; -1 says that IB does not know it."""
    return None if value == NO_PRICE else size(value)


def price_statistic(value: float, *, sec_type: str = "") -> RejectReason | None:
    """Doubt an open, a mark, a 52-week low; -1 says that there is none."""
    if not -LARGEST_REAL < value < LARGEST_REAL:
        return _no_number(value)
    if value < 0.0 and value != NO_PRICE and sec_type in NEVER_NEGATIVE:
        return RejectReason.negative_price
    return None


def number(value: float) -> RejectReason | None:
    """Doubt a statistic that may be below zero."""
    return None if -LARGEST_REAL < value < LARGEST_REAL else _no_number(value)


def computation(*numbers: float) -> RejectReason | None:
    """Doubt an option computation; the unset double says that a number of it is not there."""
    if -LARGEST_REAL < sum(numbers) < LARGEST_REAL:
        return None
    doubts = (number(one) for one in numbers if one != UNSET_DOUBLE)
    return next((doubt for doubt in doubts if doubt is not None), None)


def text(value: str) -> RejectReason | None:
    """Doubt a text."""
    return RejectReason.too_long if len(value) > TEXT_LIMIT else None


def _no_number(value: float) -> RejectReason:
    return RejectReason.out_of_range if math.isfinite(value) else RejectReason.not_finite


def _too_fine(value: float) -> bool:
    # A double of few decimals may have come through arithmetic: some last digits are noise.
    return abs(round(value, DECIMALS) - value) > 16 * math.ulp(value)
