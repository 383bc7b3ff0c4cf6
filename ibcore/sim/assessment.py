"""What an order would do to the account, and whether the market and the margin let it in."""

from __future__ import annotations

from ibcore.sim import orderrules
from ibcore.sim.commissions import fee
from ibcore.sim.margin import Impact, Margin
from ibcore.sim.marks import Marks
from ibcore.sim.orderrules import Refusal
from ibcore.sim.tickets import Ticket


class Assessor:
    """Looks at tickets before the book does."""

    def __init__(self, marks: Marks, margin: Margin) -> None:
        self._marks = marks
        self._margin = margin

    def impact(self, ticket: Ticket) -> Impact:
        """Return what the margin would be once what is left of the order is filled."""
        price = ticket.limit if ticket.limit is not None else ticket.stop
        if price is None:
            price = self._marks.price(ticket.contract)
        signed = ticket.remaining if ticket.order.is_buy else -ticket.remaining
        paid = fee(ticket.contract, ticket.remaining, price, mark=self._marks.price)
        return self._margin.impact(ticket.contract, signed, price=price, commission=paid)

    def refusal(self, ticket: Ticket, impact: Impact) -> Refusal | None:
        """Refuse a limit far through the market, and what the account cannot carry."""
        self._marks.hold(ticket.contract)
        quote = self._marks.quote(ticket.contract)
        self._marks.release(ticket.contract)
        if not ticket.contract.legs:
            refusal = orderrules.check_market(ticket.order, quote.bid, quote.ask)
            if refusal is not None:
                return refusal
        # A child closes what its parent opens: its margin is not known before.
        if ticket.parent_perm_id or impact.affordable:
            return None
        return orderrules.rejected(
            "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY"
            f" WITH LOAN VALUE [{impact.after.equity:.2f} USD] MUST EXCEED THE INITIAL MARGIN"
            f" [{impact.after.initial:.2f} USD]"
        )

    def state(self, ticket: Ticket, impact: Impact, refusal: Refusal | None) -> dict[str, object]:
        """Return the order state that answers what if."""
        price = self._marks.price(ticket.contract)
        paid = fee(ticket.contract, ticket.quantity, price, mark=self._marks.price)
        return impact.state() | {
            "commission": repr(paid),
            "commission_currency": "USD",
            "warning_text": refusal.text.partition("reason:")[2] if refusal else "",
        }
