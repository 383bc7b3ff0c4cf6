"""Every raw callback about orders, before and instead of ib_async's Trade.

ib_async marks living orders as cancelled (10349, 10148), counts corrections twice and drops
commissions that come early (wrapper.py); so none of its order state is used. The decoder looks
its wrapper's methods up at every call (decoder.py:151, 475, 1147, 1359), so ours stand on the
instance from the moment the session is ready.
"""

# ruff: noqa: N802, N803 (the methods keep the vendor's names)

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Final, Protocol

from ib_async import IB, CommissionReport, Contract, Execution, Order, OrderState

from ibcore.clock import utcnow
from ibcore.order_states import EvidenceKind
from sidecar import empties
from sidecar.orders.heard import (
    CommissionHeard,
    ExecutionHeard,
    Heard,
    PnlHeard,
    PositionHeard,
)

_SIDES: Final = {"BOT": "BUY", "SLD": "SELL"}


class OrderSink(Protocol):
    """Who hears it; never waits, never raises."""

    def heard(self, heard: Heard) -> None:
        """Take one word about an order."""

    def what_if(self, order_id: int, state: OrderState) -> None:
        """Take the answer to a what-if."""

    def position(self, position: PositionHeard) -> None:
        """Take what is held."""

    def pnl(self, req_id: int, pnl: PnlHeard) -> None:
        """Take profit and loss; the account is the asker's to know."""

    def ended(self, what: str) -> None:
        """Take the end of a list: open, completed, executions or positions."""


class OrderTap:
    """The methods that ib_async's decoder calls, for one connection."""

    def __init__(self, sink: OrderSink) -> None:
        self._sink = sink

    def attach(self, ib: IB) -> None:
        """Stand in for the wrapper's own methods about orders; keep its `error` as well."""
        wrapper: Any = ib.wrapper
        own_error: Callable[[int, int, str, str], None] = wrapper.error

        def error(reqId: int, errorCode: int, errorString: str, advanced: str) -> None:
            self._error(reqId, errorCode, errorString)
            own_error(reqId, errorCode, errorString, advanced)

        wrapper.error = error
        for name in _TAKEN:
            setattr(wrapper, name, getattr(self, name))

    def openOrder(self, orderId: int, contract: Contract, order: Order, state: OrderState) -> None:
        if order.whatIf:
            self._sink.what_if(orderId, state)
            return
        self._sink.heard(
            _of_order(EvidenceKind.open, orderId, contract, order, status=state.status)
        )

    def openOrderEnd(self) -> None:
        self._sink.ended("open")

    def completedOrder(self, contract: Contract, order: Order, state: OrderState) -> None:
        said = _of_order(EvidenceKind.completed, 0, contract, order, status=state.status)
        filled = empties.number(float(order.filledQuantity))
        text = state.completedStatus
        self._sink.heard(said._replace(filled=exact(filled), client_id=-1, text=text))

    def completedOrdersEnd(self) -> None:
        self._sink.ended("completed")

    def orderStatus(
        self,
        orderId: int,
        status: str,
        filled: float,
        remaining: float,
        avgFillPrice: float,
        permId: int,
        parentId: int,
        lastFillPrice: float,
        clientId: int,
        whyHeld: str,
        mktCapPrice: float = 0.0,
    ) -> None:
        raw = {"filled": filled, "remaining": remaining, "average": avgFillPrice, "held": whyHeld}
        self._sink.heard(
            Heard(
                EvidenceKind.status, utcnow(), orderId, clientId, permId,
                status=status, filled=exact(filled), text=whyHeld, raw=raw,
            )
        )  # fmt: skip

    def execDetails(self, reqId: int, contract: Contract, execution: Execution) -> None:
        done = ExecutionHeard(
            execution.execId, _moment(execution.time), execution.acctNumber, contract.conId,
            contract.symbol, contract.secType, _SIDES.get(execution.side, "BUY"),
            exact(execution.shares) or Decimal(0), exact(execution.price) or Decimal(0),
            execution.exchange,
        )  # fmt: skip
        self._sink.heard(
            Heard(
                EvidenceKind.execution, utcnow(), execution.orderId, execution.clientId,
                execution.permId, execution.orderRef, account=execution.acctNumber,
                con_id=contract.conId, side=done.side, execution=done,
                raw={"exec_id": done.exec_id, "shares": execution.shares, "price": execution.price},
            )
        )  # fmt: skip

    def execDetailsEnd(self, reqId: int) -> None:
        self._sink.ended("executions")

    def commissionReport(self, report: CommissionReport) -> None:
        cost = CommissionHeard(
            report.execId, empties.number(report.commission), report.currency,
            empties.number(report.realizedPNL),
        )  # fmt: skip
        raw = {"exec_id": cost.exec_id, "commission": cost.commission}
        self._sink.heard(Heard(EvidenceKind.commission, utcnow(), commission=cost, raw=raw))

    def position(self, account: str, contract: Contract, posCount: float, avgCost: float) -> None:
        self._sink.position(
            PositionHeard(
                account, contract.conId, contract.symbol, contract.secType,
                exact(posCount) or Decimal(0), avgCost,
            )
        )  # fmt: skip

    def positionEnd(self) -> None:
        self._sink.ended("positions")

    def pnl(self, reqId: int, dailyPnL: float, unrealizedPnL: float, realizedPnL: float) -> None:
        values = (empties.number(each) for each in (dailyPnL, unrealizedPnL, realizedPnL))
        self._sink.pnl(reqId, PnlHeard("", *values))

    def _error(self, req_id: int, code: int, text: str) -> None:
        if req_id > 0:
            self._sink.heard(Heard(EvidenceKind.error, utcnow(), req_id, code=code, text=text))


_TAKEN: Final = (
    "openOrder", "openOrderEnd", "completedOrder", "completedOrdersEnd", "orderStatus",
    "execDetails", "execDetailsEnd", "commissionReport", "position", "positionEnd", "pnl",
)  # fmt: skip


def exact(value: float | Decimal | None) -> Decimal | None:
    """Return the decimal that IB wrote, None where it wrote nothing."""
    number = None if value is None else empties.number(float(value))
    return None if number is None else Decimal(repr(number))


def _of_order(
    kind: EvidenceKind, order_id: int, contract: Contract, order: Order, *, status: str
) -> Heard:
    limit, stop = _price(order.lmtPrice), _price(order.auxPrice)
    raw = {"type": order.orderType, "limit": limit, "aux": stop, "tif": order.tif}
    return Heard(
        kind, utcnow(), order_id, order.clientId, order.permId, order.orderRef, status,
        quantity=exact(order.totalQuantity), limit_price=limit, stop_price=stop,
        account=order.account, con_id=contract.conId, side=order.action, raw=raw,
    )  # fmt: skip


def _price(value: float | Decimal | None) -> float | None:
    return None if value is None else empties.number(float(value))


def _moment(value: datetime | str) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value.astimezone(timezone.utc)
