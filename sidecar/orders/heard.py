"""One thing that IB said about an order, an execution, a position or the account; frozen."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from ibcore.order_states import EvidenceKind


class ExecutionHeard(NamedTuple):
    """An execution, as IB reports it."""

    exec_id: str
    at: datetime | None
    account: str
    con_id: int
    symbol: str
    sec_type: str
    side: str
    quantity: Decimal
    price: Decimal
    exchange: str


class CommissionHeard(NamedTuple):
    """What an execution cost."""

    exec_id: str
    commission: float | None
    currency: str
    realized_pnl: float | None


class Heard(NamedTuple):
    """One callback. 0 and "" where IB said nothing."""

    kind: EvidenceKind
    at: datetime
    order_id: int = 0
    client_id: int = -1
    perm_id: int = 0
    order_ref: str = ""
    status: str = ""
    filled: Decimal | None = None
    quantity: Decimal | None = None
    limit_price: float | None = None
    stop_price: float | None = None
    account: str = ""
    con_id: int = 0
    side: str = ""
    code: int | None = None
    text: str = ""
    execution: ExecutionHeard | None = None
    commission: CommissionHeard | None = None
    raw: dict[str, Any] | None = None


class PositionHeard(NamedTuple):
    """What is held of one contract."""

    account: str
    con_id: int
    symbol: str
    sec_type: str
    quantity: Decimal
    average_cost: float


class PnlHeard(NamedTuple):
    """The day's profit and loss of one account."""

    account: str
    daily: float | None
    unrealized: float | None
    realized: float | None
