"""Faults that the order book takes part in: unseen fills, corrections, ids that roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ibcore.sim.disturbances import Disturbance, Stage, told
from ibcore.sim.plans import Plan

if TYPE_CHECKING:
    from ibcore.sim.book import Book
    from ibcore.sim.tickets import Fill, Ticket


class Trades(Protocol):
    """Whoever holds the book."""

    @property
    def book(self) -> Book:
        """Return the book."""


class TradingStage(Stage, Protocol):
    """A stage with an order book."""

    @property
    def trading(self) -> Trades:
        """Return who holds the book."""


class OnBook(Disturbance):
    """A fault that the order book takes part in."""

    def __init__(self, plan: Plan, stage: TradingStage) -> None:
        super().__init__(plan, stage)
        self.book = stage.trading.book

    def owns(self, ticket: Ticket) -> bool:
        """Whether the plan is aimed at this order."""
        plan = self.plan
        return plan.client in (None, ticket.client_id) and plan.order in (None, ticket.order_id)


class FillNow(OnBook):
    """Resting orders fill at their price; with a duration, while their clients are away."""

    def start(self) -> str:
        chosen = [ticket for ticket in self.book.live if ticket.transmitted and self.owns(ticket)]
        if not chosen:
            raise ValueError("no order is working that could fill")
        if self.plan.for_s is not None:
            self._cut()
        for ticket in chosen:
            if not ticket.done:  # another fill of this round may have cancelled it
                self.book.force(ticket, float(self.plan.values["shares"]) or ticket.remaining)
        return told(len(chosen), "orders", "filled")

    def _cut(self) -> None:
        self.stage.listener.refusals += 1
        self.stage.listener.settle()
        for session in self.sessions():
            session.abort(self.plan.name)

    def stop(self) -> None:
        self.stage.listener.refusals -= 1
        self.stage.listener.settle()


class Correct(OnBook):
    """The latest execution aimed at is corrected."""

    def start(self) -> str:
        fills = [fill for fill in self.book.fills.values() if self.owns(fill.ticket)]
        if not fills:
            raise ValueError("nothing was executed that could be corrected")
        last: Fill = max(fills, key=lambda fill: fill.number)
        before = last.exec_id
        price, shares = float(self.plan.values["price"]), float(self.plan.values["shares"])
        corrected = self.book.correct(before, price=price or None, shares=shares or None)
        return f"execution {before} is {corrected.exec_id} now"


class Rollback(OnBook):
    """The gateway restarts, and gives order ids again that it gave before."""

    def start(self) -> str:
        cut = self.sessions()
        for session in cut:
            session.abort(self.plan.name)
        self.book.restart(keep_ids=True)
        self.book.ids.roll_back(int(self.plan.values["by"]))
        return told(len(cut), "connections", "cut, ids rolled back")
