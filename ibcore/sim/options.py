"""Option maths: Black-Scholes-Merton on arrays, and its inversion by a bracketing root finder.

Volatilities and deltas are fractions, vega is per volatility point, theta per calendar day:
the units of IB's option computations. American exercise and dividends are not modelled.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise
from scipy.special import ndtr

Array = NDArray[np.float64]

RATE: Final = 0.04
MIN_YEARS: Final = 1.0 / (365 * 24)  # an option in its last hour keeps an hour
_LOW_VOL: Final = 1e-3
_HIGH_VOL: Final = 8.0
_TOLERANCES: Final = {"xatol": 1e-8}
_SQRT_2PI: Final = float(np.sqrt(2 * np.pi))


class Terms(NamedTuple):
    """What a batch of options is written on; `sign` is +1 for calls, -1 for puts."""

    spot: Array
    strike: Array
    years: Array
    sign: Array


class Greeks(NamedTuple):
    """What a batch of options is worth and how that moves."""

    price: Array
    delta: Array
    gamma: Array
    vega: Array
    theta: Array


def _d1(terms: Terms, vol: Array) -> Array:
    spread = vol * np.sqrt(terms.years)
    drift = (RATE + vol**2 / 2) * terms.years
    result: Array = (np.log(terms.spot / terms.strike) + drift) / spread
    return result


def price(terms: Terms, vol: Array) -> Array:
    """Return the Black-Scholes-Merton value."""
    d1 = _d1(terms, vol)
    d2 = d1 - vol * np.sqrt(terms.years)
    discounted = terms.strike * np.exp(-RATE * terms.years)
    result: Array = terms.sign * (
        terms.spot * ndtr(terms.sign * d1) - discounted * ndtr(terms.sign * d2)
    )
    return result


def greeks(terms: Terms, vol: Array) -> Greeks:
    """Return value and sensitivities."""
    d1 = _d1(terms, vol)
    root = np.sqrt(terms.years)
    d2 = d1 - vol * root
    density = np.exp(-(d1**2) / 2) / _SQRT_2PI
    discounted = terms.strike * np.exp(-RATE * terms.years)
    decay = -terms.spot * density * vol / (2 * root)
    carry = terms.sign * RATE * discounted * ndtr(terms.sign * d2)
    return Greeks(
        price(terms, vol),
        terms.sign * ndtr(terms.sign * d1),
        density / (terms.spot * vol * root),
        terms.spot * density * root / 100,
        (decay - carry) / 365,
    )


def implied_vol(terms: Terms, value: Array, *, near: Array | None = None) -> Array:
    """Return the volatility at which `value` is fair; NaN where none is (below parity, …).

    `near` is a guess: where the answer lies within a quarter of it, the search starts from there
    and takes a third of the time.
    """
    low, high = np.full_like(value, _LOW_VOL), np.full_like(value, _HIGH_VOL)
    reachable = _between(terms, value, low, high)
    if near is not None:
        close = reachable & _between(terms, value, near * 0.8, near * 1.25)
        low, high = np.where(close, near * 0.8, low), np.where(close, near * 1.25, high)
    result = np.full_like(value, np.nan)
    if reachable.any():
        inside = Terms(*(part[reachable] for part in terms))
        result[reachable] = _invert(inside, value[reachable], low[reachable], high[reachable])
    return result


def _between(terms: Terms, value: Array, low: Array, high: Array) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = (price(terms, low) < value) & (value < price(terms, high))
    return result


def _invert(terms: Terms, value: Array, low: Array, high: Array) -> Array:
    def excess(vol: Array, *args: Any) -> Array:
        spot, strike, years, sign, target = args
        result: Array = price(Terms(spot, strike, years, sign), vol) - target
        return result

    found = elementwise.find_root(excess, (low, high), args=(*terms, value), tolerances=_TOLERANCES)
    result: Array = np.where(found.success, found.x, np.nan)
    return result
