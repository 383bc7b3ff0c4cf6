"""Corrections: an execution's price or size changes, and everything that was booked on it."""

from __future__ import annotations

from ibcore.sim import executions
from ibcore.sim.blotter import Blotter
from ibcore.sim.tickets import Fill, Share


def correct(blotter: Blotter, exec_id: str, *, price: float | None, shares: float | None) -> Fill:
    """Change a fill in place, give it its next id, and book all fills again.

    ValueError: the execution only sums up those of a combination's legs, or more than was
    ordered would be filled.
    """
    fill = blotter.fills[exec_id]
    if fill.is_summary:
        raise ValueError(f"{exec_id} sums up a combination: correct an execution of a leg")
    ticket = fill.ticket
    if shares is not None and fill.contract == ticket.contract:
        total = ticket.filled - fill.shares + shares
        if shares < 0 or total > ticket.quantity:
            raise ValueError(f"{total:g} would be filled of {ticket.quantity:g} that were ordered")
    del blotter.fills[exec_id]
    fill.exec_id = executions.corrected(exec_id)
    fill.price = fill.price if price is None else price
    fill.shares = fill.shares if shares is None else shares
    blotter.fills[fill.exec_id] = fill
    _rebook(blotter)
    blotter.changes += 1
    blotter.record(fill, corrects=exec_id)
    return fill


def _rebook(blotter: Blotter) -> None:
    """Book all fills again, in order of time, as they stand now; commissions stay."""
    blotter.portfolio.reset()
    fills = sorted(blotter.fills.values(), key=lambda fill: fill.number)
    for fill in fills:
        fill.ticket.shares.clear()
    for fill in fills:
        _rebook_one(blotter, fill)


def _rebook_one(blotter: Blotter, fill: Fill) -> None:
    ticket = fill.ticket
    share = ticket.shares.setdefault(fill.contract.con_id, Share())
    share.filled += fill.shares
    share.spent += fill.shares * fill.price
    share.commission = round(share.commission + fill.commission, 4)
    fill.cum_qty, fill.average = share.filled, share.average
    if fill.contract == ticket.contract:
        ticket.filled = share.filled
    fill.realized = None
    if fill.shares and not fill.is_summary:
        signed = fill.shares if fill.is_buy else -fill.shares
        fill.realized = blotter.portfolio.trade(
            fill.contract, signed, price=fill.price, commission=fill.commission
        )
