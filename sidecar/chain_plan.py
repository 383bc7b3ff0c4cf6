"""Which contracts a chain snapshot reads, and in what order: pure, without IB and clock.

The strikes of reqSecDefOptParams are the union over all expiries, so many (expiry, strike)
pairs do not exist. Strikes are therefore chosen per expiry among the contracts that IB lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple


class ChainClass(NamedTuple):
    """One row of reqSecDefOptParams: a trading class on an exchange."""

    exchange: str
    trading_class: str
    multiplier: str
    expirations: tuple[str, ...]


class Cell(NamedTuple):
    """One contract of the chain. `expiry` is YYYYMMDD."""

    con_id: int
    expiry: str
    strike: float
    right: str


def choose_class(
    rows: Iterable[ChainClass], symbol: str, *, exchange: str, trading_class: str
) -> ChainClass | None:
    """Return the wanted class on the exchange; unnamed, the symbol's own, else the widest."""
    listed = [row for row in rows if row.exchange == exchange]
    wanted = trading_class or symbol.replace(" ", "")
    named = [row for row in listed if row.trading_class == wanted]
    if named or trading_class:
        return named[0] if named else None
    return max(listed, key=lambda row: len(row.expirations), default=None)


def choose_expiries(expirations: Iterable[str], today: date, count: int) -> list[str]:
    """Return the `count` nearest expiries that have not passed."""
    first = f"{today:%Y%m%d}"
    return sorted({expiry for expiry in expirations if expiry >= first})[:count]


def choose_strikes(
    strikes: Iterable[float], spot: float, *, count: int, window_percent: float | None
) -> frozenset[float]:
    """Return the strikes inside the window, or the `count` nearest to the spot."""
    nearest = sorted(set(strikes), key=lambda strike: (abs(strike - spot), strike))
    if window_percent is None:
        return frozenset(nearest[:count])
    reach = spot * window_percent / 100.0
    return frozenset(strike for strike in nearest if abs(strike - spot) <= reach)


def choose_cells(
    cells: Sequence[Cell], spot: float, *, count: int, window_percent: float | None
) -> list[Cell]:
    """Return the cells to read, the nearest to the money first."""
    by_expiry: dict[str, list[Cell]] = {}
    for cell in cells:
        by_expiry.setdefault(cell.expiry, []).append(cell)
    chosen: list[Cell] = []
    for listed in by_expiry.values():
        strikes = choose_strikes(
            (cell.strike for cell in listed), spot, count=count, window_percent=window_percent
        )
        chosen += [cell for cell in listed if cell.strike in strikes]
    return sorted(chosen, key=lambda cell: (abs(cell.strike - spot), cell.expiry, cell.right))


def floor_s(contracts: int, *, messages_per_s: int) -> float:
    """Return the least time a sweep can take: one subscribe and one cancel a contract."""
    return 2 * contracts / messages_per_s
