"""Forward and rate of an expiry from put-call parity: pure.

For each strike K with a call and a put, C - P = D (F - K): a line in K whose slope is minus the
discount factor D and whose zero is the forward F. Read from middles near the money, where
spreads are narrow and the early exercise of American options costs little.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Final, NamedTuple

from ibcore.calendar import NEW_YORK, session_hours
from ibcore.option_model import DAYS_A_YEAR

NEAR: Final = 0.10  # of the spot
LEAST_PAIRS: Final = 3
LARGEST_RATE: Final = 0.25
LARGEST_ERROR: Final = 0.02  # of the rate
# Nearer to the expiry a rate is lost in the spreads, and matters to no price.
LEAST_YEARS: Final = 7 / DAYS_A_YEAR
_CLOSE: Final = time(16, 0)


class Pair(NamedTuple):
    """The middles of a call and a put of one strike."""

    strike: float
    call: float
    put: float


class Parity(NamedTuple):
    """What the pairs say. `rate` None: they do not say; the forward then stands on rate 0."""

    forward: float
    rate: float | None
    pairs: int

    def discount(self, years: float) -> float:
        """Return the value today of 1 at the expiry."""
        return math.exp(-(self.rate or 0.0) * years)


def years_to(expiry: date, now: datetime) -> float:
    """Return the time to the close of New York on `expiry`, in years of 365 days; at least 0."""
    hours = session_hours(expiry)
    close = hours[1] if hours else datetime.combine(expiry, _CLOSE, NEW_YORK)
    return max(0.0, (close - now).total_seconds() / (DAYS_A_YEAR * 86_400))


def parity(pairs: Iterable[Pair], *, spot: float, years: float) -> Parity:
    """Return forward and rate; with too few pairs the spot is the forward."""
    near = [pair for pair in pairs if abs(pair.strike - spot) <= NEAR * spot]
    if not near:
        return Parity(spot, None, 0)
    if len(near) >= LEAST_PAIRS and years >= LEAST_YEARS and (line := _line(near)) is not None:
        rate = -math.log(line.discount) / years
        sure = line.error / line.discount / years <= LARGEST_ERROR and abs(rate) <= LARGEST_RATE
        if line.forward > 0:
            return Parity(line.forward, rate if sure else None, len(near))
    nearest = min(near, key=lambda pair: abs(pair.call - pair.put))
    return Parity(nearest.strike + nearest.call - nearest.put, None, len(near))


class _Line(NamedTuple):
    discount: float
    forward: float
    error: float  # standard error of the discount


def _line(pairs: Sequence[Pair]) -> _Line | None:
    """Return the least-squares line through the pairs; None where it rises."""
    count = len(pairs)
    strike = sum(pair.strike for pair in pairs) / count
    gap = sum(pair.call - pair.put for pair in pairs) / count
    spread = sum((pair.strike - strike) ** 2 for pair in pairs)
    if spread == 0:
        return None
    slope = sum((p.strike - strike) * (p.call - p.put - gap) for p in pairs) / spread
    if slope >= 0:
        return None
    missed = sum((p.call - p.put - gap - slope * (p.strike - strike)) ** 2 for p in pairs)
    error = math.sqrt(missed / (count - 2) / spread)
    return _Line(-slope, strike - gap / slope, error)
