"""Tickets: orders that live in the book, and their fills. The book is their one owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ibcore.sim.contracts import Contract
from ibcore.sim.orders import Order

DONE: Final = frozenset({"Filled", "Cancelled", "Inactive"})
STOPS: Final = frozenset({"STP", "STP LMT", "TRAIL", "TRAIL LIMIT"})


@dataclass(eq=False)
class Fill:
    """One execution, as it stands after corrections."""

    ticket: Ticket
    exec_id: str
    at_ns: int
    time: str
    exchange: str
    shares: float
    price: float
    cum_qty: float
    average: float
    commission: float
    realized: float | None
    liquidity: int  # 1: added, 2: removed
    number: int = 0  # in order of execution, over all orders


@dataclass(eq=False)
class Ticket:
    """One order in the book."""

    client_id: int
    order_id: int
    perm_id: int
    order: Order
    contract: Contract
    exchange: str
    account: str
    entered_ns: int
    entered_day: str
    quantity: float
    status: str = "PreSubmitted"
    filled: float = 0.0
    average: float = 0.0
    commission: float = 0.0
    stop: float | None = None  # moves for trailing orders
    limit: float | None = None
    oca_group: str = ""
    oca_type: int = 3
    transmitted: bool = True
    triggered: bool = False
    routed: bool = False
    held: str = ""  # child: the parent is not filled; else the reason of a wait
    cancelling: bool = False
    parent_perm_id: int = 0
    completed_time: str = ""
    completed_status: str = ""
    fills: list[Fill] = field(default_factory=list)

    @property
    def key(self) -> tuple[int, int]:
        """Who submitted it, under which number."""
        return self.client_id, self.order_id

    @property
    def remaining(self) -> float:
        """What is left to be filled."""
        return max(self.quantity - self.filled, 0.0)

    @property
    def done(self) -> bool:
        """Whether nothing more happens to it."""
        return self.status in DONE

    @property
    def is_stop(self) -> bool:
        """Whether it waits for a trigger."""
        return self.order.order_type in STOPS

    @property
    def waits(self) -> bool:
        """Whether it may not trade yet: a child, a stop that was not triggered, closed hours."""
        return bool(self.held) or (self.is_stop and not self.triggered)

    @property
    def why_held(self) -> str:
        """What orderStatus gives as the reason of a wait."""
        if self.done:
            return ""
        trigger = "trigger" if self.is_stop and not self.triggered else ""
        return ",".join(filter(None, ("child" if self.held == "child" else "", trigger)))
