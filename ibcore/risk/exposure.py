"""How much: quantity, notional, the positions after the fill, the day's loss.

A combination counts leg by leg where contracts count (quantity, position), and as the one price it
is traded at where money counts (notional, collar).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from ibcore.risk.facts import Facts, ProposedOrder, Side
from ibcore.risk.moves import Effect, effects, multiplier
from ibcore.risk.refusal import Refusal, raise_limit, shown


def quantity(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse an order that is none, or larger than one order may be."""
    most = facts.limits.max_quantity
    if not order.quantity.is_finite() or order.quantity <= 0:
        yield Refusal(
            "max_quantity", shown(order.quantity), "more than 0", "Correct the order's quantity."
        )
    elif most is not None and (largest := order.quantity * _largest_ratio(order)) > most:
        yield _over("max_quantity", f"{shown(largest)}{_of_a_leg(order)}", most, order)


def _largest_ratio(order: ProposedOrder) -> int:
    return max((abs(leg.ratio) for leg in order.legs), default=1)


def _of_a_leg(order: ProposedOrder) -> str:
    return " of its largest leg" if order.legs else ""


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
    return max(abs(price) for price in prices) * order.quantity * multiplier(order, facts)


def position(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse what could make a position too large, if everything that works is filled."""
    most = facts.limits.max_position
    if most is None:
        return
    for effect in effects(order, facts):
        of_leg = f" of {effect.name}" if order.legs else ""
        if effect.held is None:
            yield Refusal(
                "max_position", f"the position{of_leg} is unknown", shown(most),
                "Wait until positions are reconciled (ibkeeper status), then submit again.",
            )  # fmt: skip
        elif abs(effect.after) > most and not effect.reduces:
            after = f"{shown(effect.after)}{of_leg} after the fill"
            yield _over("max_position", after, most, order)


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
    # A child counts in full here: the position that its parent opens is one that should not be.
    found = list(effects(order, facts, as_if_alone=True))
    return bool(found) and all(map(_gives_back, found))


def _gives_back(effect: Effect) -> bool:
    sign = 1 if effect.move.side == Side.buy else -1
    return effect.held is not None and effect.held * sign < 0 and effect.after * effect.held >= 0


def _over(name: str, value: str, most: Decimal, order: ProposedOrder) -> Refusal:
    return Refusal(name, value, shown(most), raise_limit(name, order.account))
