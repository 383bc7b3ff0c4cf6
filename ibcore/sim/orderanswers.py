"""Answers to requests about orders, executions, positions and the account."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from ibcore.sim import executions, ordermessages
from ibcore.sim.config import Clock
from ibcore.sim.hours import new_york_date
from ibcore.sim.orderrequests import (
    AutoOpen,
    CompletedOrders,
    Executions,
    Holdings,
    PlaceOrder,
)
from ibcore.sim.request import Request
from ibcore.sim.requests import AccountSummary, AccountUpdates
from ibcore.sim.session import Session
from ibcore.sim.tickets import Ticket
from ibcore.sim.trading import Trading


class Context(Protocol):
    """What these answers need of the gateway."""

    trading: Trading
    clock: Clock


def _place(context: Context, session: Session, request: PlaceOrder) -> None:
    context.trading.desk.place(session, request)


def _cancel(context: Context, session: Session, request: Request) -> None:
    context.trading.desk.cancel(session, request.req_id)


def _global_cancel(context: Context, session: Session, _request: Request) -> None:
    context.trading.desk.cancel_all(session)


def _auto_open(context: Context, session: Session, request: AutoOpen) -> None:
    context.trading.by_hand.auto_open(session, bind=request.bind)


def _open_orders(context: Context, session: Session, _request: Request) -> None:
    if session.client_id == 0:
        context.trading.by_hand.bind_all()
    live = context.trading.book.live
    own = [ticket for ticket in live if ticket.client_id == session.client_id]
    _show(context, session, own)


def _all_open_orders(context: Context, session: Session, _request: Request) -> None:
    _show(context, session, context.trading.book.live)


def _show(context: Context, session: Session, tickets: Iterable[Ticket]) -> None:
    deliver = context.trading.wire.deliver
    for ticket in tickets:
        if ticket.transmitted:
            deliver(session, "open_order", **ordermessages.open_order(ticket))
            deliver(session, "order_status", **ordermessages.order_status(ticket))
    deliver(session, "open_order_end")


def _completed(context: Context, session: Session, request: CompletedOrders) -> None:
    deliver = context.trading.wire.deliver
    today = f"{new_york_date(context.clock.utcnow()):%Y%m%d}"
    for ticket in context.trading.book.tickets.values():
        by_hand = ticket.order_id <= 0
        ended = ticket.done and ticket.transmitted and ticket.completed_time.startswith(today)
        if ended and not (request.api_only and by_hand):
            deliver(session, "completed_order", **ordermessages.completed_order(ticket))
    deliver(session, "completed_orders_end")


def _executions(context: Context, session: Session, request: Executions) -> None:
    since = executions.midnight(context.clock.utcnow())
    asked = executions.parse_time(request.since) if request.since else since
    if asked is None:
        cause = "The time or time-zone entered is invalid."
        session.error(request.req_id, 321, f"Error validating request.-'bU' : cause - {cause}")
        return
    deliver = context.trading.wire.deliver
    fills = sorted(context.trading.book.fills.values(), key=lambda fill: fill.number)
    for fill in executions.matching(fills, request, max(since, asked)):
        deliver(session, "execution", **ordermessages.execution(fill, request.req_id))
        if not fill.is_summary:
            deliver(session, "commission_report", **ordermessages.commission_report(fill))
    deliver(session, "executions_end", req_id=request.req_id)


def _next_id(context: Context, session: Session, _request: Request) -> None:
    order_id = context.trading.book.ids.next(session.client_id)
    session.send_message("next_valid_id", order_id=order_id)


def _known(context: Context, session: Session, request: Request, *, account: str) -> bool:
    name = context.trading.account.name
    if account in ("", "All", name):
        return True
    cause = f"Invalid account code '{account}'."
    session.error(request.req_id, 321, f"Error validating request.-'bT' : cause - {cause}")
    return False


def _account_updates(context: Context, session: Session, request: AccountUpdates) -> None:
    if not _known(context, session, request, account=request.account):
        return
    if request.msg_id == 76:
        context.trading.feeds.updates_multi(session, request.req_id)
    else:
        context.trading.feeds.updates(session, subscribe=request.subscribe)


def _account_summary(context: Context, session: Session, request: AccountSummary) -> None:
    context.trading.feeds.summary(session, request)


def _positions(context: Context, session: Session, _request: Request) -> None:
    context.trading.feeds.positions(session)


def _positions_multi(context: Context, session: Session, request: Holdings) -> None:
    if _known(context, session, request, account=request.account):
        context.trading.feeds.positions_multi(session, request.req_id)


def _pnl(context: Context, session: Session, request: Holdings) -> None:
    if _known(context, session, request, account=request.account):
        context.trading.feeds.pnl(session, request)


def _end(context: Context, session: Session, request: Request) -> None:
    context.trading.feeds.cancel(session, request.msg_id, request.req_id)


ORDER_ANSWERS: Final[dict[int, Callable[[Any, Session, Any], None]]] = {
    3: _place,
    4: _cancel,
    5: _open_orders,
    6: _account_updates,
    7: _executions,
    8: _next_id,
    15: _auto_open,
    16: _all_open_orders,
    58: _global_cancel,
    61: _positions,
    62: _account_summary,
    63: _end,
    64: _end,
    74: _positions_multi,
    75: _end,
    76: _account_updates,
    77: _end,
    92: _pnl,
    93: _end,
    94: _pnl,
    95: _end,
    99: _completed,
}
