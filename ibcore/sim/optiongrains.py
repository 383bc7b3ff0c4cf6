"""An option's past: minutes valued from the minutes of its underlying, with few trades in them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ibcore.sim import grains, hours, options
from ibcore.sim.contracts import Contract
from ibcore.sim.daygrains import CLOSE_MINUTE, OPEN_MINUTE
from ibcore.sim.grains import ASK, BID, COUNT, START, TRADES, TURNOVER, VOLUME, Grains

_TRADED: Final = 0.06  # of an option's minutes
_YEAR_S: Final = 365 * 86_400
_STATES: Final = (0, 15, 30, 45)  # seconds at which a minute shows its open, high, low, close


def minutes(contract: Contract, under: Grains, rng: np.random.Generator) -> Grains:
    """Value an option over the regular minutes of its underlying."""
    regular = under[OPEN_MINUTE:CLOSE_MINUTE]
    fair = _fair(contract, regular)
    step = np.where(fair[:, :1] < 3, 0.01, 0.05)
    half = np.maximum(step, fair[:, 3:] * 0.008)
    result = grains.blank(len(regular))
    result[:, START] = regular[:, START]
    result[:, BID] = np.maximum(np.round(np.floor((fair - half) / step) * step, 2), 0.0)
    result[:, ASK] = np.round((np.floor((fair + half) / step) + 1) * step, 2)
    traded = (rng.random(len(regular)) < _TRADED) & (result[:, BID.start] > 0)
    lots = rng.integers(1, 16, len(regular)).astype(float)
    price = result[traded, BID.stop - 1 : BID.stop]
    result[traded, TRADES] = np.repeat(price, 4, axis=1)
    result[traded, VOLUME] = lots[traded]
    result[traded, COUNT] = 1
    result[traded, TURNOVER] = lots[traded] * price[:, 0]
    return result


def _fair(contract: Contract, under: Grains) -> NDArray[np.float64]:
    """Return open, high, low and close of the fair value; a put is high where the stock is low."""
    columns = [1, 2, 3, 4] if contract.right == "C" else [1, 3, 2, 4]
    spots = under[:, columns]
    expiry = hours.expiry_moment(contract.expiry).timestamp()
    years = np.maximum((expiry - under[:, START]) / _YEAR_S, options.MIN_YEARS)
    sign = 1.0 if contract.right == "C" else -1.0
    terms = options.Terms(
        spots,
        np.full_like(spots, contract.strike),
        np.repeat(years[:, None], 4, axis=1),
        np.full_like(spots, sign),
    )
    result: NDArray[np.float64] = np.maximum(
        options.price(terms, np.full_like(spots, contract.name.volatility)), 0.0
    )
    return result


def seconds(minute: Grains, rng: np.random.Generator) -> Grains:
    """Show a minute's open, high, low and close in turn; its one trade falls on some second."""
    result = grains.blank(60)
    result[:, START] = minute[START] + np.arange(60)
    state = np.searchsorted(_STATES, np.arange(60), side="right") - 1
    for side in (BID, ASK):
        result[:, side] = np.repeat(minute[side][state][:, None], 4, axis=1)
    if minute[COUNT]:
        at = int(rng.integers(45, 60))  # while the quote stands at its close, where it traded
        result[at, TRADES] = minute[TRADES]
        result[at, VOLUME : COUNT + 1] = minute[VOLUME : COUNT + 1]
    return result
