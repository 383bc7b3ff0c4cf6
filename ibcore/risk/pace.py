"""How many and when: working orders, rates, duplicates, trading hours, the restart window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from ibcore.risk.facts import Facts, OrderType, ProposedOrder
from ibcore.risk.refusal import Refusal, raise_limit, shown

NEW_YORK: Final = ZoneInfo("America/New_York")


def working_orders(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse one more working order than the account may have; a change adds none."""
    most = facts.limits.max_working_orders
    if most is not None and order.replaces is None and facts.working_orders + 1 > most:
        yield _count("max_working_orders", f"{facts.working_orders} work already", most, order)


def orders_per_s(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Hold back what is more than a second may take: it passes by itself."""
    most = facts.limits.max_orders_per_s
    if most is not None and facts.sent_last_s + 1 > most:
        found = _count("max_orders_per_s", f"{facts.sent_last_s} in the last second", most, order)
        yield found._replace(passing=most >= 1)


def orders_per_day(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse more orders than a day may take."""
    most = facts.limits.max_orders_per_day
    if most is not None and facts.sent_today + 1 > most:
        yield _count("max_orders_per_day", f"{facts.sent_today} today already", most, order)


def duplicate(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse an order with the terms of another one, shortly after it."""
    window, age = facts.limits.duplicate_window_s, facts.alike_age_s
    if window is None or age is None or order.replaces is not None or age >= window:
        return
    yield Refusal(
        "duplicate_window_s",
        f"the same order was given {age:.1f} s ago",
        f"again after {window} s",
        "If it is meant, submit it again after that, or change its terms.",
    )


def trading_hours(order: ProposedOrder, facts: Facts, now: datetime) -> Iterator[Refusal]:
    """Refuse orders outside the hours in which they can trade, where that is asked for."""
    rule = facts.limits.trading_hours
    if rule == "off" or (rule == "market_orders" and order.order_type != OrderType.market):
        return
    hours = facts.extended_hours if order.outside_rth else facts.regular_hours
    kind = "trading hours" if order.outside_rth else "regular hours"
    if hours is not None and any(opens <= now < closes for opens, closes in hours):
        return
    known = f"closed at {now.astimezone(NEW_YORK):%a %H:%M %Z}"
    yield Refusal(
        "trading_hours",
        known if hours is not None else f"the hours of {order.symbol} are unknown",
        f"within the {kind} of {order.symbol}",
        "Submit again when it is open, or set ibkeeper limits set trading_hours off.",
    )


def restart_window(order: ProposedOrder, facts: Facts, now: datetime) -> Iterator[Refusal]:
    """Refuse orders while the gateway is about to restart, or restarts."""
    local = now.astimezone(NEW_YORK).time()
    for window in sorted(facts.limits.no_orders_between or ()):
        begins, _, ends = window.partition("-")
        if _within(local, time.fromisoformat(begins), time.fromisoformat(ends)):
            yield Refusal(
                "no_orders_between",
                f"it is {local:%H:%M} in New York",
                f"outside {window}",
                f"Submit again after {ends}. {raise_limit('no_orders_between', order.account)}",
            )


def _within(local: time, begins: time, ends: time) -> bool:
    if begins <= ends:
        return begins <= local < ends
    return local >= begins or local < ends  # over midnight


def _count(name: str, value: str, most: Decimal, order: ProposedOrder) -> Refusal:
    return Refusal(name, value, shown(most), raise_limit(name, order.account))
