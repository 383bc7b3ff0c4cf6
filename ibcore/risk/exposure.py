"""How much: quantity, notional, the position after the fill, the day's loss."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from ibcore.risk.facts import ZERO, Facts, ProposedOrder, Side
from ibcore.risk.refusal import Refusal, raise_limit, shown


def quantity(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse an order that is none, or larger than one order may be."""
    most = facts.limits.max_quantity
    if not order.quantity.is_finite() or order.quantity <= 0:
        yield Refusal(
            "max_quantity", shown(order.quantity), "more than 0", "Correct the order's quantity."
        )
    elif most is not None and order.quantity > most:
        yield _over("max_quantity", shown(order.quantity), most, order)


def notional(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse an order worth more than one order may be, or of unknown worth."""
    most = facts.limits.max_notional
    if most is None:
        return
    worth = notional_of(order, facts)
    if worth is None:
        yield Refusal(
            "max_notional", f"unknown: no price and no quote of {order.symbol}", shown(most),
            "Give it a limit price, or stream it: ibkeeper watch add.",
        )  # fmt: skip
    elif worth > most:
        yield _over("max_notional", f"{worth:.2f}", most, order)


def notional_of(order: ProposedOrder, facts: Facts) -> Decimal | None:
    """Return what the order is worth at its own price or the quote's, whichever is dearer."""
    quote = facts.quote
    touch = None if quote is None else quote.ask if order.side == Side.buy else quote.bid
    if touch is None and quote is not None:
        touch = quote.mid
    own = [price for price in (order.limit_price, order.stop_price) if price is not None]
    # A buy limit never costs more than its limit; everything else may fill at the touch.
    if order.side == Side.buy and order.limit_price is not None:
        prices = [order.limit_price]
    else:
        prices = own if touch is None else [*own, touch]
    if not prices:
        return None
    return max(abs(price) for price in prices) * order.quantity * order.multiplier


def position(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse what could make the position too large, if everything that works is filled."""
    most = facts.limits.max_position
    if most is None:
        return
    if facts.position is None:
        yield Refusal(
            "max_position", "the position is unknown", shown(most),
            "Wait until positions are reconciled (ibkeeper status), then submit again.",
        )  # fmt: skip
        return
    after = position_after(order, facts.position, facts)
    reduces = abs(after) <= abs(facts.position) and after * facts.position >= 0
    if abs(after) > most and not reduces:
        yield _over("max_position", f"{shown(after)} after the fill", most, order)


def position_after(order: ProposedOrder, held: Decimal, facts: Facts) -> Decimal:
    """Return the position when this order and all that work on its side are filled."""
    working = facts.working_buy if order.side == Side.buy else facts.working_sell
    working = max(ZERO, working - (order.replaces or ZERO))
    return held + order.sign * (working + order.quantity)


def daily_loss(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """After the day's loss, let through only what makes a position smaller."""
    most = facts.limits.max_daily_loss
    if most is None or _only_reduces(order, facts):
        return
    if facts.daily_pnl is None:
        yield Refusal(
            "max_daily_loss", "the day's profit and loss is unknown", f"-{shown(most)}",
            "Wait until IB has sent it (account_state in SQL), then submit again.",
        )  # fmt: skip
    elif -facts.daily_pnl >= most and facts.daily_pnl < 0:
        yield _over("max_daily_loss", f"{facts.daily_pnl:.2f} today", -most, order)


def _only_reduces(order: ProposedOrder, facts: Facts) -> bool:
    if facts.position is None:
        return False
    after = position_after(order, facts.position, facts)
    return facts.position * order.sign < 0 and after * facts.position >= 0


def _over(name: str, value: str, most: Decimal, order: ProposedOrder) -> Refusal:
    return Refusal(name, value, shown(most), raise_limit(name, order.account))
