"""Orders that were accepted a moment ago and are in no table yet: lines of a batch, a bracket."""

from __future__ import annotations

from dataclasses import replace

from ibcore.risk.facts import Facts, ProposedOrder
from ibcore.risk.moves import moves


class Beside:
    """What goes before an order, and together with it."""

    def __init__(self) -> None:
        self._orders: list[ProposedOrder] = []

    def add(self, order: ProposedOrder) -> None:
        """Count an order that was accepted."""
        self._orders.append(order)

    def added_to(self, facts: Facts, order: ProposedOrder) -> Facts:
        """Return the facts as `order` meets them: those accepted before it are at work."""
        alike = any(each.terms == order.terms for each in self._orders)
        return replace(
            facts,
            working=(*facts.working, *(move for each in self._orders for move in moves(each))),
            working_orders=facts.working_orders + len(self._orders),
            sent_today=facts.sent_today + len(self._orders),
            alike_age_s=0.0 if alike else facts.alike_age_s,
        )
