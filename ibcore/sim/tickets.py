"""Tickets: orders that live in the book, and their fills. The book is their one owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ibcore.sim.commissions import commission
from ibcore.sim.contracts import Contract
from ibcore.sim.orders import Order

DONE: Final = frozenset({"Filled", "Cancelled", "Inactive"})
STOPS: Final = frozenset({"STP", "STP LMT", "TRAIL", "TRAIL LIMIT"})


@dataclass(eq=False)
class Fill:
    """One execution, as it stands after corrections: of the order's contract, or of a leg."""

    ticket: Ticket
    contract: Contract
    is_buy: bool
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

    @property
    def is_summary(self) -> bool:
        """Whether this only sums up the executions of a combination's legs."""
        return bool(self.contract.legs)


@dataclass(eq=False)
class Share:
    """What an order has traded of one contract: its own, or a leg's."""

    filled: float = 0.0
    spent: float = 0.0  # the sum of quantity times price
    commission: float = 0.0

    @property
    def average(self) -> float:
        """The average price."""
        return round(self.spent / self.filled, 8) if self.filled else 0.0

    def add(self, contract: Contract, quantity: float, price: float) -> float:
        """Add an execution; return the commission that is due for it."""
        self.filled += quantity
        self.spent += quantity * price
        if contract.legs:
            return 0.0
        value = self.spent * float(contract.multiplier or 1)
        due = round(max(commission(contract, self.filled, value) - self.commission, 0.0), 4)
        self.commission = round(self.commission + due, 4)
        return due


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
    last_day: str  # YYYYMMDD, New York: when a DAY order ends
    quantity: float
    status: str = "PreSubmitted"
    filled: float = 0.0
    stop: float | None = None  # moves for trailing orders
    limit: float | None = None
    oca_group: str = ""
    oca_type: int = 3
    transmitted: bool = True
    triggered: bool = False
    routed: bool = False
    held: str = ""  # child: the parent is not filled; else the reason of a wait
    starts: datetime | None = None  # goodAfterTime
    released: bool = False  # its conditions were met
    cancelling: bool = False
    cancels_at: float = 0.0  # monotonic; a fill may come before
    parent_perm_id: int = 0
    completed_time: str = ""
    completed_status: str = ""
    fills: list[Fill] = field(default_factory=list)
    shares: dict[int, Share] = field(default_factory=dict)  # by contract id

    @property
    def average(self) -> float:
        """The average price of what was filled."""
        share = self.shares.get(self.contract.con_id)
        return share.average if share else 0.0

    @property
    def commission(self) -> float:
        """What all of it has cost."""
        return round(sum(share.commission for share in self.shares.values()), 4)

    @property
    def last_price(self) -> float:
        """The price of the latest execution of the order's own contract; 0 without one."""
        own = [fill.price for fill in self.fills if fill.contract == self.contract]
        return own[-1] if own else 0.0

    @property
    def owner(self) -> int:
        """The client that may see it; -1, nobody, for what a person entered and is not bound."""
        return self.client_id if self.order_id else -1

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
