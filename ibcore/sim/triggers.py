"""Trailing stops, triggers, expiry: pure functions of a ticket and what market and clock show."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ibcore.sim import executions, hours
from ibcore.sim.contracts import Contract
from ibcore.sim.quotes import Quote
from ibcore.sim.tickets import Ticket

# 0: IB's default (last for stocks, bid/ask for options), 2: last, 4: bid/ask, 7: last or bid/ask,
# 8: midpoint. The double ones (1, 3) are not simulated.
TRIGGER_METHODS: Final = frozenset({0, 2, 4, 7, 8})


def reference(ticket: Ticket, quote: Quote) -> float:
    """Return the price that a stop watches; below 0 where there is none."""
    method = ticket.order.integer("trigger_method")
    if method == 0:
        method = 4 if ticket.contract.is_option else 2
    # A buy waits for the market to rise to it: the price that it could be sold at says so.
    quoted = quote.bid if ticket.order.is_buy else quote.ask
    if method == 7:
        return _later(ticket, quoted, quote.last)
    return {2: quote.last, 4: quoted, 8: quote.mid}[method]


def _later(ticket: Ticket, first: float, second: float) -> float:
    known = [price for price in (first, second) if price > 0]
    if not known:
        return -1.0
    return max(known) if ticket.order.is_buy else min(known)


def trail(ticket: Ticket, quote: Quote) -> None:
    """Move a trailing stop with the market, never back; the limit keeps its distance."""
    price = reference(ticket, quote)
    if price <= 0 or not ticket.order.order_type.startswith("TRAIL"):
        return
    percent = ticket.order.number("trailing_percent")
    amount = price * percent / 100 if percent else ticket.order.number("aux_price") or 0.0
    better = min if ticket.order.is_buy else max
    wanted = _on_grid(price + amount if ticket.order.is_buy else price - amount, ticket.contract)
    ticket.stop = wanted if ticket.stop is None else better(ticket.stop, wanted)
    if ticket.order.order_type == "TRAIL LIMIT":
        ticket.limit = _on_grid(ticket.stop + _offset(ticket), ticket.contract)


def _offset(ticket: Ticket) -> float:
    """Return how far the limit stands from the stop: above it for a buy."""
    order = ticket.order
    offset = order.number("lmt_price_offset")
    if offset is None:
        stop = order.number("trail_stop_price")
        limit = order.number("lmt_price") or 0.0
        return limit - stop if stop is not None else 0.0
    return offset if order.is_buy else -offset


def _on_grid(price: float, contract: Contract) -> float:
    return round(round(price / contract.min_tick) * contract.min_tick, 4)


def triggers(ticket: Ticket, quote: Quote) -> bool:
    """Whether the market has reached the stop."""
    price = reference(ticket, quote)
    if price <= 0 or ticket.stop is None:
        return False
    return price >= ticket.stop if ticket.order.is_buy else price <= ticket.stop


def marketable(ticket: Ticket, quote: Quote) -> tuple[float, float]:
    """Return the price and displayed size that the ticket could trade at; size 0: none."""
    price, size = quote.touch(buying=ticket.order.is_buy)
    limit = ticket.limit
    if size <= 0 or (price <= 0 and not ticket.contract.legs):
        return 0.0, 0.0
    if limit is not None:
        beyond = price > limit + 1e-9 if ticket.order.is_buy else price < limit - 1e-9
        if beyond:
            return 0.0, 0.0
    return price, size


def expired(ticket: Ticket, now: datetime) -> bool:
    """Whether a DAY order's day is over in New York, or a GTD order's time has come."""
    tif = ticket.order.text("tif")
    if tif == "GTD":
        until = executions.parse_time(ticket.order.text("good_till_date"))
        return until is not None and now >= until
    return tif != "GTC" and f"{hours.new_york_date(now):%Y%m%d}" > ticket.last_day
