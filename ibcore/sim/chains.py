"""Option chains of the model: about twelve expiries a name and strike grids as exchanges list them.

Near expiries have narrow, fine grids, far ones wide and coarse: as in reality most pairs of an
expiry and a strike out of reqSecDefOptParams do not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from ibcore.sim.catalogue import Name
from ibcore.sim.contracts import Contract, option, underlying

ADJUSTED: Final = "AMD"
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
    base = 1.0 if spot < 60 else 2.5 if spot < 260 else 5.0 if spot < 1_500 else 10.0
    near, middle, far = (base, 0.15), (base * 2, 0.35), (max(10.0, base * 4), 0.6)
    step, reach = near if days <= 40 else middle if days <= 250 else far
    low = round(spot * (1 - reach) / step)
    high = round(spot * (1 + reach) / step)
    return [index * step for index in range(max(low, 1), high + 1)]


def chain(name: Name, today: date) -> Iterator[Contract]:
    """List the options of one name, by expiry, strike and right; a currency has none."""
    if name.sec_type == "FUT":
        yield from _future_chain(name, today)
    if name.sec_type not in ("STK", "IND"):
        return
    for expiry in expiries(today):
        for strike in strikes(name.spot, (expiry - today).days):
            for root in _roots(name, expiry):
                for right in ("C", "P"):
                    yield option(name, expiry, strike, right=right, trading_class=root)


def _future_chain(name: Name, today: date) -> Iterator[Contract]:
    """Options on the future of the quarter, up to its own expiry."""
    ends = quarter_end(today)
    future = underlying(name, ends)
    for expiry in expiries(today):
        if expiry <= ends:
            for strike in strikes(name.spot, (expiry - today).days):
                for right in ("C", "P"):
                    made = option(name, expiry, strike, right=right)
                    yield replace(made, under_con_id=future.con_id)


def _roots(name: Name, expiry: date) -> tuple[str, ...]:
    """An index has options that settle at the close on every expiry, at the open on the third.

    One stock has options that a takeover has adjusted: a root of their own, on the monthlies.
    """
    third = expiry == _third_friday(expiry.year, expiry.month)
    if name.sec_type != "IND":
        adjusted = third and name.symbol == ADJUSTED
        return (name.symbol, f"{name.symbol}1") if adjusted else (name.symbol,)
    weekly = name.symbol + "W"
    return (name.symbol, weekly) if third else (weekly,)


def quarter_end(today: date) -> date:
    """Return when the future of the current quarter expires."""
    thirds = (third for third in _third_fridays(today) if third > today)
    return next(third for third in thirds if third.month in {3, 6, 9, 12})
