"""What IB sends where it has nothing to say, turned into None: never a number in a row.

IB has no NULL. It sends NaN, the largest double (unset double), the largest int32, int64 or
decimal (unset sizes), -1 (no price, no size, unknown state), and -2 (a greek it cannot compute).
What counts as empty depends on what the number is; -1 is a legal price of a spread and a legal
value of an index such as TICK-NYSE.
"""

from __future__ import annotations

from typing import Final

UNSET_INT32: Final = 2147483647.0
# Above this no price, size, volume or rate is real: the unset double (1.797e308), the unset
# int64 (9.2e18) and the unset decimal (1.7e38) all lie far beyond, inf and NaN fail the test too.
LARGEST_REAL: Final = 1e15
NO_PRICE: Final = -1.0
NO_GREEK: Final = -2.0


def number(value: float) -> float | None:
    """Return `value`, or None where it is not a number IB means."""
    if -LARGEST_REAL < value < LARGEST_REAL and value != UNSET_INT32:
        return value
    return None


def price(value: float, *, signed: bool = False) -> float | None:
    """Return a statistic's price (open, mark, 52-week high); -1 is empty unless `signed`."""
    return None if value == NO_PRICE and not signed else number(value)


def amount(value: float) -> float | None:
    """Return a size, count, rate, volatility or state: nothing below zero is one."""
    return None if value < 0.0 else number(value)


def poisoned(value: float) -> bool:
    """Say whether `value` is no number at all (NaN, infinite, unset), whatever it stands for."""
    return number(value) is None
