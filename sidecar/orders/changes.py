"""Changes and cancels of an order: intents of their own, that share its order id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ibcore.errors import IbkeeperError
from ibcore.order_states import TERMINAL, WORKING, IntentState
from sidecar.orders.book import Tracked
from sidecar.orders.heard import Heard

TERMS: Final = ("quantity", "limit_price", "stop_price", "trail_amount", "trail_percent", "tif")


class Unchangeable(IbkeeperError):
    """The order cannot be changed or cancelled any more, or is not known here."""


def order_id_of(target: Tracked | None) -> int:
    """Return the order id that a change or a cancel must name, or raise Unchangeable."""
    if target is None:
        raise Unchangeable("This sidecar does not know the order.")
    if target.state in TERMINAL:
        raise Unchangeable(f"The order is {target.state} already.")
    if target.state not in WORKING:
        raise Unchangeable(f"The order is {target.state}, not at IB.")
    return target.order_id


def acknowledged(target: Tracked | None) -> bool:
    """Say whether IB is known to have the order as it is.

    A change is a whole order under the old id: where IB has none, it would place one.
    """
    if target is None or target.view.perm_id is None:
        return False
    return target.state in {IntentState.acked, IntentState.partial}


def changed(target: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order's row with the terms of the change."""
    return {**target, **{name: change[name] for name in TERMS}}


def took_effect(heard: Heard, terms: Mapping[str, Any]) -> bool:
    """Say whether an open order as IB shows it has the terms of the change."""
    if heard.quantity is None or heard.quantity != terms["quantity"]:
        return False
    limit = terms["limit_price"]
    stop = terms["stop_price"] if terms["order_type"] != "TRAIL" else None
    same_limit = limit is None or heard.limit_price == float(limit)
    return same_limit and (stop is None or heard.stop_price == float(stop))


def ending_of_cancel(target: IntentState) -> tuple[IntentState, str] | None:
    """Return how a cancel ends when its order has come to `target`; None: it has not."""
    if target is IntentState.cancelled:
        return IntentState.done, "the order is cancelled"
    if target in TERMINAL:
        return IntentState.rejected, f"the order was {target} first"
    return None
