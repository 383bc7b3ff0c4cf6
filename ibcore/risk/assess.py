"""All checks, in the order in which a person wants to read the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from ibcore.risk import authority, exposure, pace, price
from ibcore.risk.facts import Facts, Margin, MarginOutcome, ProposedOrder
from ibcore.risk.limits import Limits
from ibcore.risk.refusal import Refusal

Check = Callable[[ProposedOrder, Facts, datetime], Iterator[Refusal]]

CHECKS: Final[tuple[Check, ...]] = (
    authority.kill_switch,
    authority.readable,
    authority.account,
    authority.live,
    authority.instrument,
    price.stated,
    price.fresh_quote,
    price.collar,
    exposure.quantity,
    exposure.notional,
    exposure.position,
    exposure.daily_loss,
    pace.working_orders,
    pace.orders_per_s,
    pace.orders_per_day,
    pace.duplicate,
    pace.trading_hours,
    pace.restart_window,
)


def assess(order: ProposedOrder, facts: Facts, now: datetime) -> tuple[Refusal, ...]:
    """Return every reason why the order may not go; none: accepted, but for its margin."""
    return tuple(refusal for check in CHECKS for refusal in check(order, facts, now))


def assess_margin(limits: Limits, margin: Margin) -> tuple[Refusal, ...]:
    """Return why IB's answer to the what-if forbids the order; only asked where it is on.

    A child that closes its parent's position needs none: the parent's answer is the bracket's.
    """
    fine = {MarginOutcome.passed, MarginOutcome.closes_parent}
    if limits.margin_check != "on" or margin.outcome in fine:
        return ()
    match margin.outcome:
        case MarginOutcome.refused:
            value, remedy = margin.text or "refused", "Make it smaller, or fund the account."
        case MarginOutcome.timed_out:
            value = f"no answer within {limits.margin_timeout_s} s: unknown, so not sent"
            remedy = "Submit again when the gateway answers; margin_timeout_s says how long to wait"
            remedy += "."
        case _:
            value, remedy = "not asked", "Submit again while the orders session is ready."
    return (Refusal("margin_check", value, "a what-if that passes", remedy),)
