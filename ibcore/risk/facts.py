"""What a check may look at: the order, and everything known at one moment. All of it frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ibcore.domain import StrEnum
from ibcore.risk.limits import Limits

ZERO: Final = Decimal(0)


class Side(StrEnum):
    """Buy or sell, in IB's words."""

    buy = "BUY"
    sell = "SELL"


class OrderType(StrEnum):
    """The types that risk tells apart, in IB's words."""

    market = "MKT"
    limit = "LMT"
    stop = "STP"
    stop_limit = "STP LMT"
    trail = "TRAIL"


class MarginOutcome(StrEnum):
    """How a what-if ended. `timed_out` is no answer: neither yes nor no.

    `closes_parent`: not asked, because a child of a bracket gives back what its parent trades. IB
    is not asked for it alone: it would answer for a position that the order never opens.
    """

    not_asked = "not_asked"
    passed = "passed"
    refused = "refused"
    timed_out = "timed_out"
    closes_parent = "closes_parent"


@dataclass(frozen=True, slots=True)
class Margin:
    """What IB says an order would tie up; amounts in the account's currency."""

    outcome: MarginOutcome = MarginOutcome.not_asked
    initial_after: Decimal | None = None
    maintenance_after: Decimal | None = None
    equity_after: Decimal | None = None
    commission: Decimal | None = None
    text: str = ""


CLOSES_PARENT: Final = Margin(
    MarginOutcome.closes_parent, text="not asked: closes the parent's position"
)


class Leg(NamedTuple):
    """A contract of a combination; `ratio` below 0: sold when the combination is bought."""

    con_id: int
    ratio: int


class Move(NamedTuple):
    """How much of one contract an order may still trade, on one side.

    `group`: only one order of it executes. `family`: the parent of a bracket whose child it is;
    `covered`: what that parent may still trade of this contract on the other side.
    """

    con_id: int
    side: str
    quantity: Decimal
    group: str = ""
    family: str = ""
    covered: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class ProposedOrder:
    """One order as risk sees it. `sec_type`, `side` and `order_type` in IB's words.

    `replaces`: the quantity still working of the order that this one changes; None: a new order.
    `legs`: of a combination. `group`, `family` and `parent`: as a `Move` has them; the parent as
    far as it still works, or goes together with this one.
    """

    account: str
    symbol: str
    sec_type: str
    con_id: int
    side: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    multiplier: Decimal = Decimal(1)
    outside_rth: bool = False
    replaces: Decimal | None = None
    legs: tuple[Leg, ...] = ()
    group: str = ""
    family: str = ""
    parent: ProposedOrder | None = None

    @property
    def terms(self) -> tuple[Any, ...]:
        """Return what makes another order a duplicate of this one."""
        prices = (self.limit_price, self.stop_price)
        return (self.con_id, self.legs, self.side, self.quantity, self.order_type, *prices)

    @property
    def sign(self) -> int:
        """Return 1 for a buy, -1 for a sell."""
        return 1 if self.side == Side.buy else -1


@dataclass(frozen=True, slots=True)
class Quote:
    """The best prices of the instrument; `age_s` since it last changed or was confirmed."""

    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    age_s: float
    quality: str = "live"

    @property
    def mid(self) -> Decimal | None:
        """Return the middle of bid and ask; where one is missing, the last price."""
        if self.bid is None or self.ask is None:
            return self.last
        return (self.bid + self.ask) / 2


class Contract(NamedTuple):
    """What is known of one contract that an order trades; `sec_type` "": not what it is."""

    name: str
    symbol: str = ""
    sec_type: str = ""
    multiplier: Decimal = Decimal(1)
    position: Decimal | None = None
    quote: Quote | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known at one moment. None: unknown, which is never the same as zero.

    `position` is of the order's instrument, `contracts` are those of a combination's legs by con
    id, `working` is all that works of any of them (but not an order that is being changed), the
    counts are of the account. `alike_age_s` is since the newest order of the same terms. `hours`
    are open intervals: regular ones, and those with trading outside of them.
    """

    limits: Limits
    live_enabled: bool = False
    stopped: str | None = None
    managed: frozenset[str] | None = None
    armed_until: datetime | None = None
    quote: Quote | None = None
    position: Decimal | None = ZERO
    contracts: Mapping[int, Contract] = field(default_factory=dict)
    working: tuple[Move, ...] = ()
    working_orders: int = 0
    sent_last_s: int = 0
    sent_today: int = 0
    alike_age_s: float | None = None
    daily_pnl: Decimal | None = None
    regular_hours: tuple[tuple[datetime, datetime], ...] | None = None
    extended_hours: tuple[tuple[datetime, datetime], ...] | None = None
