"""The ledger of orders: every step and every fill, as the book knows it, with times.

Append-only, and written before anything is sent: what a client hears of it, late, twice or never,
does not change a line here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class OrderEvent(NamedTuple):
    """One step of an order; `what` is placed, modified, status, cancel, refused, what_if, correct.

    `session_no` is -1 for steps that no request caused, `perm_id` 0 where there is none.
    """

    at_ns: int
    session_no: int
    client_id: int
    order_id: int
    perm_id: int
    con_id: int
    what: str
    status: str
    filled: float
    remaining: float
    detail: str


class FillRecord(NamedTuple):
    """One execution or correction, with its commission; a correction has a new exec id."""

    at_ns: int
    client_id: int
    order_id: int
    perm_id: int
    con_id: int
    exec_id: str
    side: str
    shares: float
    price: float
    commission: float
    realized: float | None
    corrects: str


class OrderLedger:
    """What one gateway did with orders."""

    def __init__(self) -> None:
        self.events: list[OrderEvent] = []
        self.fills: list[FillRecord] = []

    def of(self, client_id: int, order_id: int) -> list[OrderEvent]:
        """Return the steps of one order."""
        key = (client_id, order_id)
        return [event for event in self.events if (event.client_id, event.order_id) == key]

    def fills_of(self, client_id: int, order_id: int) -> list[FillRecord]:
        """Return the fills of one order."""
        key = (client_id, order_id)
        return [fill for fill in self.fills if (fill.client_id, fill.order_id) == key]

    def lines(self) -> Iterator[dict[str, object]]:
        """Yield everything by time, as JSON objects with a `record` of `order` or `fill`."""
        entries: list[tuple[int, dict[str, object]]] = [
            *((event.at_ns, {"record": "order", **event._asdict()}) for event in self.events),
            *((fill.at_ns, {"record": "fill", **fill._asdict()}) for fill in self.fills),
        ]
        yield from (entry for _, entry in sorted(entries, key=lambda pair: pair[0]))
