"""Prices: that they are there, that the quote they lean on is fresh, and that they are sane."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from ibcore.risk.account import is_paper
from ibcore.risk.facts import Facts, OrderType, ProposedOrder, Side
from ibcore.risk.refusal import Refusal, raise_limit, shown

# Combinations, and whatever else may be given away: a price of 0 or less is real there.
SIGNED: Final = frozenset({"BAG", "FUT", "FOP", "CMDTY"})
_LIMITED: Final = frozenset({OrderType.limit, OrderType.stop_limit})
_STOPPED: Final = frozenset({OrderType.stop, OrderType.stop_limit})


def stated(order: ProposedOrder, _facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse an order without the prices that its type needs, or with one that cannot be."""
    for name, price, kinds in (
        ("limit_price", order.limit_price, _LIMITED),
        ("stop_price", order.stop_price, _STOPPED),
    ):
        if price is None and order.order_type in kinds:
            yield Refusal(
                name, "missing", f"a price, for {order.order_type}", "Give the order its price."
            )
        if price is not None and not _possible(price, order.sec_type):
            yield Refusal(name, shown(price), "a price above 0", "Correct the order's price.")


def fresh_quote(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse a market order on a quote that is missing or old; live money needs live data."""
    if order.order_type in {OrderType.market, OrderType.trail}:
        yield from _staleness(order, facts, "max_quote_age_s")


def collar(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse a price too far on the costly side of the quote, and a collar without a quote.

    A limit is held to the touch (a buy to the ask, a sell to the bid). A stop may be away from
    the market on either side, but not further than the collar. A market order has no price.
    """
    percent = facts.limits.price_collar_percent
    if percent is None or order.order_type in {OrderType.market, OrderType.trail}:
        return
    stale = list(_staleness(order, facts, "price_collar_percent"))
    yield from stale
    if stale or facts.quote is None:
        return
    if order.order_type in _STOPPED:
        yield from _too_far(order, "stop", order.stop_price, facts.quote.mid, percent)
    if order.order_type == OrderType.limit:
        touch = facts.quote.ask if order.side == Side.buy else facts.quote.bid
        reference = touch if touch is not None else facts.quote.mid
        yield from _too_costly(order, order.limit_price, reference, percent)
    if order.order_type == OrderType.stop_limit:
        yield from _too_costly(order, order.limit_price, order.stop_price, percent)


def _staleness(order: ProposedOrder, facts: Facts, limit: str) -> Iterator[Refusal]:
    quote, most = facts.quote, facts.limits.max_quote_age_s
    allowed = f"a quote of at most {most} s, live for a live account"
    remedy = f"Stream it: ibkeeper watch add {order.symbol} --sec-type {order.sec_type}; "
    remedy += "then submit again, or give the order a limit price."
    if quote is None or quote.mid is None:
        yield Refusal(limit, f"no quote of {order.symbol}", allowed, remedy)
    elif quote.quality != "live" and not is_paper(order.account):
        yield Refusal(limit, f"a {quote.quality} quote", allowed, remedy)
    elif quote.age_s > most:
        yield Refusal(limit, f"a quote of {quote.age_s:.1f} s ago", allowed, remedy)


def _too_costly(
    order: ProposedOrder, price: Decimal | None, reference: Decimal | None, percent: Decimal
) -> Iterator[Refusal]:
    if price is None or reference is None:
        return
    room = abs(reference) * percent / 100
    edge = reference + order.sign * room
    if (price - edge) * order.sign > 0:
        yield _outside(order, f"limit {shown(price)}", edge, percent)


def _too_far(
    order: ProposedOrder, name: str, price: Decimal | None, mid: Decimal | None, percent: Decimal
) -> Iterator[Refusal]:
    if price is None or mid is None:
        return
    room = abs(mid) * percent / 100
    if abs(price - mid) > room:
        edge = mid + room if price > mid else mid - room
        yield _outside(order, f"{name} {shown(price)}", edge, percent)


def _outside(order: ProposedOrder, value: str, edge: Decimal, percent: Decimal) -> Refusal:
    return Refusal(
        "price_collar_percent",
        f"{order.side} {value}",
        f"up to {shown(edge)}, {shown(percent)} % from the quote",
        raise_limit("price_collar_percent", order.account),
    )


def _possible(price: Decimal, sec_type: str) -> bool:
    return price.is_finite() and (price > 0 or sec_type in SIGNED)
