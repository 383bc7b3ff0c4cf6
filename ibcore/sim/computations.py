"""Option computations (ticks 10 to 13): the fields of message 21 from quotes and a model.

10, 11 and 12 are inversions at bid, ask and last; 13 is the model. Where nothing can be inverted
IB writes -1 for the volatility and -2 for the greeks, and so does this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np

from ibcore.sim import hours, options
from ibcore.sim.board import Board
from ibcore.sim.contracts import Contract

_YEAR_S: Final = 365 * 86_400
_SIDES: Final = ((10, 1), (11, 2), (12, 4))  # computation tick, price tick
_RETURN_BASED: Final = 0
_PRICE_BASED: Final = 1


def terms(
    contracts: Sequence[Contract], spot: options.Array | float, now: datetime
) -> options.Terms:
    """Collect what a batch of options is written on."""
    years = [(hours.expiry_moment(c.expiry) - now).total_seconds() / _YEAR_S for c in contracts]
    strikes = np.array([c.strike for c in contracts])
    signs = np.array([1.0 if c.right == "C" else -1.0 for c in contracts])
    spots = np.broadcast_to(np.asarray(spot, dtype=float), strikes.shape)
    return options.Terms(spots, strikes, np.maximum(years, options.MIN_YEARS), signs)


def update(boards: Sequence[Board], terms: options.Terms, *, model_vol: options.Array) -> None:
    """Write the computations of a batch onto its boards."""
    prices = np.array(
        [[float(board.values.get(tick, -1.0)) for board in boards] for _, tick in _SIDES]
    )
    stacked = options.Terms(*(np.tile(part, len(_SIDES)) for part in terms))
    flat = prices.ravel()
    implied = options.implied_vol(stacked, flat, near=np.tile(model_vol, len(_SIDES)))
    greeks = options.greeks(stacked, np.where(np.isnan(implied), 1.0, implied))
    written = _rows(implied, flat, greeks, spot=stacked.spot, attrib=_PRICE_BASED)
    for place, (kind, _) in enumerate(_SIDES):
        own = slice(place * len(boards), (place + 1) * len(boards))
        _store(boards, kind, written[own], flat[own])
    model = rows(terms, model_vol, price_based=False)
    for board, row in zip(boards, model, strict=True):
        board.computations[13] = row


def rows(terms: options.Terms, vol: options.Array, *, price_based: bool) -> list[str]:
    """Write the computations of options at given volatilities."""
    greeks = options.greeks(terms, vol)
    attrib = _PRICE_BASED if price_based else _RETURN_BASED
    return _rows(vol, greeks.price, greeks, spot=terms.spot, attrib=attrib)


def _store(
    boards: Sequence[Board], kind: int, written: Sequence[str], prices: options.Array
) -> None:
    """Store one kind; a side that never had a price has no computation at all."""
    for board, row, price in zip(boards, written, prices.tolist(), strict=True):
        if price > 0 or kind in board.computations:
            board.computations[kind] = row


def _rows(
    vol: options.Array,
    price: options.Array,
    greeks: options.Greeks,
    *,
    spot: options.Array,
    attrib: int,
) -> list[str]:
    columns = (vol, greeks.delta, price, greeks.gamma, greeks.vega, greeks.theta, spot)
    return [_row(attrib, *values) for values in zip(*(c.tolist() for c in columns), strict=True)]


def _row(attrib: int, vol: float, delta: float, price: float, *rest: float) -> str:
    gamma, vega, theta, spot = rest
    if vol != vol:  # NaN: no volatility explains this price
        shown = price if price > 0 else -1.0
        return f"{attrib}\0-1\0-2\0{shown}\0-1\0-2\0-2\0-2\0{spot}\0"
    return f"{attrib}\0{vol}\0{delta}\0{price}\0{0.0}\0{gamma}\0{vega}\0{theta}\0{spot}\0"
