"""Requests about orders, executions, positions and PnL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ibcore.sim import orders
from ibcore.sim.contracts import Spec
from ibcore.sim.fields import Fields
from ibcore.sim.orders import Order
from ibcore.sim.request import Request


@dataclass(frozen=True)
class PlaceOrder(Request):
    spec: Spec = field(default_factory=Spec)
    order: Order = field(default_factory=Order)


@dataclass(frozen=True)
class AutoOpen(Request):
    bind: bool = False


@dataclass(frozen=True)
class Executions(Request):
    client_id: int = 0
    account: str = ""
    since: str = ""
    symbol: str = ""
    sec_type: str = ""
    exchange: str = ""
    side: str = ""


@dataclass(frozen=True)
class Holdings(Request):
    """Positions or PnL of an account; `con_id` for the PnL of one position."""

    account: str = ""
    con_id: int = 0


@dataclass(frozen=True)
class CompletedOrders(Request):
    api_only: bool = False


def _place(msg_id: int, fields: Fields, version: int) -> Request:
    order_id = fields.request_id()
    spec, order = orders.read(fields, version)
    return PlaceOrder(msg_id, order_id, spec, order)


def _cancel(msg_id: int, fields: Fields, version: int) -> Request:
    fields.text()
    order_id = fields.request_id()
    if version >= 169:
        fields.text()  # manual cancel time
    return Request(msg_id, order_id)


def _auto_open(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    return AutoOpen(msg_id, bind=fields.flag())


def _executions(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    client_id = fields.integer()
    account, since, symbol, sec_type, exchange, side = (fields.text() for _ in range(6))
    return Executions(msg_id, req_id, client_id, account, since, symbol, sec_type, exchange, side)


def _global_cancel(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    return Request(msg_id)


def _positions_multi(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    account = fields.text()
    fields.text()  # model code
    return Holdings(msg_id, req_id, account)


def _by_id(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    return Request(msg_id, fields.request_id())


def _pnl(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    account = fields.text()
    fields.text()  # model code
    return Holdings(msg_id, req_id, account, fields.integer() if msg_id == 94 else 0)


def _cancel_pnl(msg_id: int, fields: Fields, _version: int) -> Request:
    return Request(msg_id, fields.request_id())


def _completed(msg_id: int, fields: Fields, _version: int) -> Request:
    return CompletedOrders(msg_id, api_only=fields.flag())


ORDER_PARSERS: Final[dict[int, Callable[[int, Fields, int], Request]]] = {
    3: _place,
    4: _cancel,
    7: _executions,
    15: _auto_open,
    58: _global_cancel,
    74: _positions_multi,
    75: _by_id,
    92: _pnl,
    93: _cancel_pnl,
    94: _pnl,
    95: _cancel_pnl,
    99: _completed,
}
