"""Corrections: an execution's price or size changes, and everything that was booked on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibcore.sim import executions
from ibcore.sim.tickets import Fill

if TYPE_CHECKING:
    from ibcore.sim.book import Book


def correct(book: Book, exec_id: str, *, price: float | None, shares: float | None) -> Fill:
    """Change a fill in place, give it its next id, and book all fills again."""
    fill = book.fills.pop(exec_id)
    fill.exec_id = executions.corrected(exec_id)
    fill.price = fill.price if price is None else price
    fill.shares = fill.shares if shares is None else shares
    book.fills[fill.exec_id] = fill
    _rebook(book)
    return fill


def _rebook(book: Book) -> None:
    """Book all fills again, in order of time, as they stand now."""
    book.portfolio.reset()
    totals: dict[int, tuple[float, float]] = {}
    for fill in sorted(book.fills.values(), key=lambda fill: fill.number):
        ticket = fill.ticket
        count, spent = totals.get(ticket.perm_id, (0.0, 0.0))
        count, spent = count + fill.shares, spent + fill.shares * fill.price
        totals[ticket.perm_id] = (count, spent)
        fill.cum_qty, fill.average = count, round(spent / count, 8) if count else 0.0
        ticket.filled, ticket.average = fill.cum_qty, fill.average
        signed = fill.shares if ticket.order.is_buy else -fill.shares
        fill.realized = (
            book.portfolio.trade(
                ticket.contract, signed, price=fill.price, commission=fill.commission
            )
            if signed
            else None
        )
