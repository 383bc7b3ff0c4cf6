"""What an option is worth and how that moves: Black-76 on the forward, by QuantLib.

Units are IB's: volatility, delta and rate as fractions, vega per volatility point, theta per
calendar day, time in years of 365 days. Spot greeks follow from the forward (delta is per 1 of
the spot). QuantLib is loaded at the first use; no solution is a word, not an exception.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Final, NamedTuple

from ibcore.domain import StrEnum

DAYS_A_YEAR: Final = 365.0
ACCURACY: Final = 1e-10
MAX_STEPS: Final = 200
HIGHEST_VOL: Final = 20.0
_NO_GUESS: Final = 3.4028234663852886e38  # QuantLib's Null<Real>


class NoVol(StrEnum):
    """Why no volatility explains a price."""

    expired = "expired"
    below_intrinsic = "below_intrinsic"
    above_bound = "above_bound"
    not_found = "not_found"


class Terms(NamedTuple):
    """What an option is written on. `right` C or P; `forward` and `discount` to its expiry."""

    right: str
    strike: float
    years: float
    spot: float
    forward: float
    discount: float


class Greeks(NamedTuple):
    """Value and sensitivities of one option."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float


def spot_terms(
    right: str, strike: float, years: float, *, spot: float, rate: float, dividend: float = 0.0
) -> Terms:
    """Return the terms of Black-Scholes-Merton: continuous rate and dividend yield."""
    forward = spot * math.exp((rate - dividend) * years)
    return Terms(right, strike, years, spot, forward, math.exp(-rate * years))


def implied_vol(terms: Terms, price: float) -> float | NoVol:
    """Return the volatility at which `price` is fair, or why there is none."""
    if terms.years <= 0:
        return NoVol.expired
    sign = 1.0 if terms.right == "C" else -1.0
    floor = terms.discount * max(0.0, sign * (terms.forward - terms.strike))
    if price <= floor:
        return NoVol.below_intrinsic
    if price >= terms.discount * (terms.forward if sign > 0 else terms.strike):
        return NoVol.above_bound
    return _solve(terms, price, floor)


def greeks(terms: Terms, vol: float) -> Greeks:
    """Return what the option is worth at this volatility, and how that moves."""
    ql = _quantlib()
    payoff = ql.PlainVanillaPayoff(_kind(ql, terms.right), terms.strike)
    deviation = vol * math.sqrt(terms.years)
    made = ql.BlackCalculator(payoff, terms.forward, deviation, terms.discount)
    return Greeks(
        made.value(),
        made.delta(terms.spot),
        made.gamma(terms.spot),
        made.vega(terms.years) / 100.0,
        made.thetaPerDay(terms.spot, terms.years),
    )


def _solve(terms: Terms, price: float, floor: float) -> float | NoVol:
    # Out of the money the price is all time value: no digits are lost to the intrinsic value.
    right, value = terms.right, price
    if floor > 0:
        right = "P" if terms.right == "C" else "C"
        sign = 1.0 if terms.right == "C" else -1.0
        value = price - terms.discount * sign * (terms.forward - terms.strike)
    ql = _quantlib()
    try:
        deviation = ql.blackFormulaImpliedStdDevLiRS(
            _kind(ql, right), terms.strike, terms.forward, value, terms.discount,
            0.0, _NO_GUESS, 1.0, ACCURACY, MAX_STEPS,
        )  # fmt: skip
    except RuntimeError:
        return NoVol.not_found
    vol = deviation / math.sqrt(terms.years)
    return float(vol) if 0 < vol <= HIGHEST_VOL else NoVol.not_found


def _kind(ql: Any, right: str) -> Any:
    return ql.Option.Call if right == "C" else ql.Option.Put


@cache
def _quantlib() -> Any:
    import QuantLib

    return QuantLib
