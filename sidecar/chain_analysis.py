"""What a chain says beyond its quotes: forwards by put-call parity, volatility and greeks of mid.

Our own greeks are European, on the forward of the option's expiry; they stand beside IB's as a
check of them, and in their place where IB sends none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ibcore.clock import utcnow
from ibcore.option_model import NoVol, Terms, greeks, implied_vol
from ibcore.parity import Pair, Parity, parity, years_to
from sidecar.chain_plan import Cell
from sidecar.instruments import expiry_of


class Middle(NamedTuple):
    """A contract and the middle of its quote (None: it has none)."""

    cell: Cell
    mid: float | None


class Expiry(NamedTuple):
    """One expiry of a snapshot."""

    years: float
    parity: Parity


class Own(NamedTuple):
    """Volatility and greeks of mid, in IB's units."""

    iv: float
    delta: float
    gamma: float
    vega: float
    theta: float


class Analysis(NamedTuple):
    """Everything computed from one snapshot: by expiry, and by contract id."""

    expiries: Mapping[str, Expiry]
    own: Mapping[int, Own]


def prepare() -> None:
    """Load what the analysis stands on (QuantLib, the exchange calendars): seconds, once."""
    years_to(utcnow().date(), utcnow())
    implied_vol(Terms("C", 1.0, 1.0, 1.0, 1.0, 1.0), 0.5)


def analyse(middles: Sequence[Middle], *, spot: float, now: datetime) -> Analysis:
    """Compute all of it; some 30 µs a contract, so not on the event loop."""
    expiries = {
        expiry: _expiry([m for m in middles if m.cell.expiry == expiry], spot=spot, now=now)
        for expiry in sorted({m.cell.expiry for m in middles})
    }
    found = {m.cell.con_id: _own(m, expiries[m.cell.expiry], spot) for m in middles}
    return Analysis(expiries, {con_id: own for con_id, own in found.items() if own is not None})


def _expiry(middles: Sequence[Middle], *, spot: float, now: datetime) -> Expiry:
    day = expiry_of(middles[0].cell.expiry)
    assert day is not None
    years = years_to(day, now)
    sides: dict[float, dict[str, float]] = {}
    for cell, mid in middles:
        if mid is not None:
            sides.setdefault(cell.strike, {})[cell.right] = mid
    pairs = [Pair(k, both["C"], both["P"]) for k, both in sides.items() if len(both) == 2]
    return Expiry(years, parity(pairs, spot=spot, years=years))


def _own(middle: Middle, expiry: Expiry, spot: float) -> Own | None:
    cell, mid = middle
    if mid is None:
        return None
    forward, discount = expiry.parity.forward, expiry.parity.discount(expiry.years)
    terms = Terms(cell.right, cell.strike, expiry.years, spot, forward, discount)
    vol = implied_vol(terms, mid)
    if isinstance(vol, NoVol):
        return None
    made = greeks(terms, vol)
    return Own(vol, made.delta, made.gamma, made.vega, made.theta)
