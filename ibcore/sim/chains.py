"""Option chains of the model: about twelve expiries a name and strike grids as exchanges list them.

Near expiries have narrow, fine grids, far ones wide and coarse: as in reality most pairs of an
expiry and a strike out of reqSecDefOptParams do not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from ibcore.sim.catalogue import Name
from ibcore.sim.contracts import Contract, option

_FRIDAY: Final = 4
_WEEKLIES: Final = 5
_MONTHLIES: Final = 3
_QUARTERLIES: Final = 2
_LEAPS: Final = 2


def expiries(today: date) -> list[date]:
    """Return weeklies, monthlies, quarterlies and LEAPS from `today` on, sorted."""
    first = today + timedelta(days=(_FRIDAY - today.weekday()) % 7)
    chosen = [first + timedelta(weeks=week) for week in range(_WEEKLIES)]
    thirds = [third for third in _third_fridays(today) if third > chosen[-1]]
    monthlies = thirds[:_MONTHLIES]
    later = [third for third in thirds if third > monthlies[-1]]
    quarterlies = [third for third in later if third.month in {3, 6, 9, 12}][:_QUARTERLIES]
    leaps = [t for t in later if t.month == 1 and t > quarterlies[-1]][:_LEAPS]
    return sorted({*chosen, *monthlies, *quarterlies, *leaps})


def _third_fridays(today: date) -> list[date]:
    months = [(today.year + (today.month + ahead) // 12, (today.month + ahead) % 12 + 1)
              for ahead in range(-1, 48)]  # fmt: skip
    return [_third_friday(year, month) for year, month in months]


def _third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14)


def strikes(spot: float, days: int) -> list[float]:
    """Return the strikes listed for an expiry that is `days` away."""
    base = 1.0 if spot < 60 else 2.5 if spot < 260 else 5.0
    step, reach = (base, 0.15) if days <= 40 else (base * 2, 0.35) if days <= 250 else (10.0, 0.6)
    low = round(spot * (1 - reach) / step)
    high = round(spot * (1 + reach) / step)
    return [index * step for index in range(max(low, 1), high + 1)]


def chain(name: Name, today: date) -> Iterator[Contract]:
    """List the options of one name, by expiry, strike and right."""
    for expiry in expiries(today):
        for strike in strikes(name.spot, (expiry - today).days):
            for right in ("C", "P"):
                yield option(name, expiry, strike, right=right)
