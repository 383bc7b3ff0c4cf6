"""The ticket office: makes a ticket of an order; the book takes it in, or nobody does."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ibcore.sim import executions, hours
from ibcore.sim.config import SimConfig
from ibcore.sim.contracts import Contract
from ibcore.sim.orderids import OrderIds
from ibcore.sim.orders import Order
from ibcore.sim.tickets import Ticket

_LIMITED: Final = frozenset({"LMT", "STP LMT", "TRAIL LIMIT"})


class TicketOffice:
    """Writes tickets with permanent ids."""

    def __init__(self, config: SimConfig, ids: OrderIds) -> None:
        self._config = config
        self._ids = ids

    def write(
        self, client_id: int, order_id: int, order: Order, *, contract: Contract, exchange: str
    ) -> Ticket:
        """Write the ticket of an order; it is not in the book yet."""
        ticket = Ticket(
            client_id,
            order_id,
            self._ids.new_perm_id(),
            order,
            contract,
            exchange,
            self._config.account,
            self._config.clock.unix_ns(),
            "",
            order.quantity,
            oca_group=order.text("oca_group"),
            oca_type=order.integer("oca_type") or 3,
            transmitted=order.flag("transmit"),
        )
        self.price(ticket, order)
        return ticket

    def price(self, ticket: Ticket, order: Order) -> None:
        """Put an order's quantity, prices and times on its ticket, as new or as changed."""
        ticket.order, ticket.quantity = order, order.quantity
        kind = order.order_type
        stop = order.number("aux_price") if kind in {"STP", "STP LMT"} else None
        if kind.startswith("TRAIL"):
            stop = order.number("trail_stop_price")
        # A trailing stop that moved stays where it is until it is told a place.
        ticket.stop = stop if stop is not None else ticket.stop
        if kind in _LIMITED:
            ticket.limit = order.number("lmt_price")
        ticket.starts = executions.parse_time(order.text("good_after_time"))
        ticket.last_day = self._last_day(ticket)

    def _last_day(self, ticket: Ticket) -> str:
        """Return the day of a DAY order: the one on which it can trade for the first time."""
        first: datetime = self._config.clock.utcnow()
        if ticket.starts is not None and ticket.starts > first:
            first = ticket.starts
        waits = self._config.trading_hours and not ticket.order.flag("outside_rth")
        if waits and not hours.is_open(first):
            first = hours.next_opening(first)
        return f"{hours.new_york_date(first):%Y%m%d}"
