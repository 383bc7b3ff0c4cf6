"""The ledger of orders: every step and every fill, as the book knows it, with times.

Append-only, and written before anything is sent: what a client hears of it, late, twice or never,
does not change a line here. Its times are the true ones, also while a fault skews the gateway's
clock. With a limit the two lists are rings, as those of the ledger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ibcore import clock
from ibcore.sim.config import Clock


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

    def __init__(self, *, limit: int | None = None, wall: Clock = clock) -> None:
        self._events: deque[OrderEvent] = deque(maxlen=limit)
        self._fills: deque[FillRecord] = deque(maxlen=limit)
        self._wall = wall
        self._count = 0

    def now_ns(self) -> int:
        """Return the time of an entry that is written now."""
        return self._wall.unix_ns()

    def event(self, event: OrderEvent) -> None:
        """Note a step of an order."""
        self._count += 1
        self._events.append(event)

    def fill(self, fill: FillRecord) -> None:
        """Note an execution or a correction."""
        self._count += 1
        self._fills.append(fill)

    @property
    def events(self) -> list[OrderEvent]:
        """Every step that is still held; a copy."""
        return list(self._events)

    @property
    def fills(self) -> list[FillRecord]:
        """Every fill that is still held; a copy."""
        return list(self._fills)

    @property
    def forgotten(self) -> int:
        """How many entries fell out of the rings."""
        return self._count - len(self._events) - len(self._fills)

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
