"""Which prints do not set the last price: those are no rows, as IB's reportable trades have none.

Stocks: the sale conditions of the two tapes (CTS for A and B, UTP for C). An odd lot, an average
price, a print out of its order are reports of trades, and none of the market's price at that
moment. Options: OPRA's message types that cancel an earlier report, or come late out of order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_AVERAGE_PRICE: Final = "B"  # on tape C the same letter says: bunched, a print as any other
_STOCK: Final = frozenset(
    {
        "C",  # cash sale
        "H",  # price variation
        "I",  # odd lot
        "L",  # sold last, late
        "M",  # the official close: a repetition
        "N",  # next day
        "P",  # prior reference price
        "Q",  # the official open: a repetition
        "R",  # seller
        "U",  # extended hours, out of order
        "V",  # contingent
        "W",  # average price
        "Z",  # out of order
        "4",  # derivatively priced
        "7",  # qualified contingent
        "9",  # corrected close
    }
)
_OPTION: Final = frozenset({"A", "C", "E", "G", "B", "H"})


def stock_print(conditions: object, tape: object) -> bool:
    """Say whether a print of a stock sets its last price."""
    codes = list(conditions) if isinstance(conditions, Iterable) else []
    if any(isinstance(code, str) and code in _STOCK for code in codes):
        return False
    return not (_AVERAGE_PRICE in codes and tape in ("A", "B"))


def option_print(condition: object) -> bool:
    """Say whether a print of an option sets its last price."""
    return not (isinstance(condition, str) and condition in _OPTION)
