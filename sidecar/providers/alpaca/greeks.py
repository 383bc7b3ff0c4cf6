"""Greeks of an option: as the vendor computed them, or, where it has none, as we do. Pure.

The units are IB's: volatility and delta as fractions, vega per volatility point, theta per
calendar day. Alpaca's own are the same (Black-Scholes, per share). Ours are European, on the
middle of bid and ask, with the underlying's middle as the forward: no interest, no dividends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ibcore.domain import GreeksKind
from ibcore.option_model import NoVol, greeks, implied_vol, spot_terms
from ibcore.parity import years_to
from ibcore.symbols import Osi


class Reading(NamedTuple):
    """What is known of one option; None where it is not."""

    kind: str
    iv: float | None
    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None
    option_price: float | None = None
    underlying_price: float | None = None


class Question(NamedTuple):
    """What is to be computed: an option, the middle of its quote, that of its underlying."""

    symbol: str
    option: Osi
    middle: float
    spot: float


def of_vendor(snapshot: Mapping[str, Any]) -> Reading | None:
    """Read the greeks of a snapshot; None: the vendor has none."""
    told = snapshot.get("greeks")
    if not isinstance(told, Mapping):
        return None
    names = ("delta", "gamma", "vega", "theta")
    numbers = [_finite(told.get(name)) for name in names]
    iv = _finite(snapshot.get("impliedVolatility"))
    if all(number is None for number in numbers):
        return None
    return Reading(GreeksKind.vendor.value, iv, *numbers)


def middle_of(snapshot: Mapping[str, Any]) -> float | None:
    """Return the middle of the quote of a snapshot; None: it has no two sides."""
    quote = snapshot.get("latestQuote")
    if not isinstance(quote, Mapping):
        return None
    bid, ask = _finite(quote.get("bp")), _finite(quote.get("ap"))
    return (bid + ask) / 2 if bid and ask and 0 < bid <= ask else None


def compute(question: Question, now: datetime) -> Reading | None:
    """Return our own greeks; None: no volatility explains the middle."""
    _, option, middle, spot = question
    years = years_to(option.expiry, now)
    terms = spot_terms(option.right, float(option.strike), years, spot=spot, rate=0.0)
    vol = implied_vol(terms, middle)
    if isinstance(vol, NoVol):
        return None
    made = greeks(terms, vol)
    kind = GreeksKind.computed.value
    return Reading(kind, vol, made.delta, made.gamma, made.vega, made.theta, middle, spot)


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
