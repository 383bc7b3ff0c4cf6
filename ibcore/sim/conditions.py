"""Conditions of an order, on a price or on the time: when it begins to work, or is cancelled.

A condition is a tuple of text: its type, how the next one is joined to it (a, o), and its fields.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from ibcore.sim.contracts import Universe
from ibcore.sim.executions import parse_time
from ibcore.sim.orders import Order
from ibcore.sim.quotes import Quote

_PRICE: Final = "1"
_TIME: Final = "3"
_LAST, _MIDDLE = ("0", "2"), "8"  # trigger methods
_TRUE: Final = frozenset({"1", "True", "true"})

Condition = tuple[str, ...]


def problem(order: Order, universe: Universe) -> str:
    """Say why the conditions of an order cannot be watched here; blank if they can."""
    return next(filter(None, (_problem(one, universe) for one in order.conditions)), "")


def _problem(condition: Condition, universe: Universe) -> str:
    kind, _, _, *fields = condition
    if kind == _TIME:
        return "" if parse_time(fields[0]) else f"the time of a condition: {fields[0]}"
    if kind != _PRICE:
        return "conditions other than on a price or on the time"
    price, con_id, _, method = fields
    legible = con_id.isascii() and con_id.isdecimal() and len(con_id) < 12
    watched = universe.by_id.get(int(con_id)) if legible else None
    if watched is None or watched.is_option:
        return f"a condition on the price of {con_id}"
    if method not in (*_LAST, _MIDDLE):
        return f"trigger method {method} of a condition"
    return "" if _is_number(price) else f"the price of a condition: {price}"


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < 1e9
    except ValueError:
        return False


def met(order: Order, now: datetime, look: Callable[[int], Quote]) -> bool:
    """Whether the conditions hold now, joined from left to right."""
    result, joined = True, "a"
    for condition in order.conditions:
        holds = _holds(condition, now, look)
        result = (result and holds) if joined == "a" else (result or holds)
        joined = condition[1]
    return result


def _holds(condition: Condition, now: datetime, look: Callable[[int], Quote]) -> bool:
    kind, _, more, *fields = condition
    if kind == _TIME:
        at = parse_time(fields[0])
        return at is not None and (now >= at if more in _TRUE else now <= at)
    price, con_id, _, method = fields
    quote = look(int(con_id))
    seen = quote.last if method in _LAST and quote.last > 0 else quote.mid
    return seen > 0 and (seen >= float(price) if more in _TRUE else seen <= float(price))
