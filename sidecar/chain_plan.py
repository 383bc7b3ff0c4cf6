"""Which contracts a chain snapshot reads, and in what order: pure, without IB and clock.

The strikes of reqSecDefOptParams are the union over all expiries, so many (expiry, strike)
pairs do not exist. Strikes are therefore chosen per expiry among the contracts that IB lists.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from hashlib import sha256
from statistics import NormalDist
from typing import Final, NamedTuple

# IB ends a snapshot after about this long, whatever came.
SNAPSHOT_S: Final = 11.0
NONE_KNOWN: Final[Mapping[str, float]] = {}


class ChainClass(NamedTuple):
    """One row of reqSecDefOptParams: a trading class on an exchange."""

    exchange: str
    trading_class: str
    multiplier: str
    expirations: tuple[str, ...]
    strikes: tuple[float, ...] = ()

    @property
    def hash(self) -> str:
        """Return what changes when IB lists another expiry or strike."""
        listed = (*sorted(self.expirations), *(f"{strike:g}" for strike in sorted(self.strikes)))
        return sha256(" ".join(listed).encode()).hexdigest()[:16]


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


def choose_expiries(
    expirations: Iterable[str],
    today: date,
    *,
    count: int,
    min_dte: int | None = None,
    max_dte: int | None = None,
) -> list[str]:
    """Return the `count` nearest expiries that have not passed, or all up to `max_dte` days."""
    first = f"{today + timedelta(days=min_dte or 0):%Y%m%d}"
    coming = sorted({expiry[:8] for expiry in expirations if expiry[:8] >= first})
    if max_dte is None:
        return coming[:count]
    last = f"{today + timedelta(days=max_dte):%Y%m%d}"
    return [expiry for expiry in coming if expiry <= last]


class Window(NamedTuple):
    """Which strikes of an expiry: the `nearest`, or all within a reach of the money.

    `percent` of the spot; or all whose option out of the money has at least `min_delta`
    at the volatility of its expiry.
    """

    nearest: int
    percent: float | None = None
    min_delta: float | None = None


def choose_strikes(
    strikes: Iterable[float], spot: float, window: Window, *, deviation: float | None = None
) -> frozenset[float]:
    """Return the strikes inside the window. `deviation`: volatility times root of time."""
    nearest = sorted(set(strikes), key=lambda strike: (abs(strike - spot), strike))
    if window.percent is not None:
        reach = spot * window.percent / 100.0
        return frozenset(strike for strike in nearest if abs(strike - spot) <= reach)
    if window.min_delta is not None and deviation is not None:
        low, high = delta_reach(spot, deviation, window.min_delta)
        return frozenset(strike for strike in nearest if low <= strike <= high)
    return frozenset(nearest[: window.nearest])


def delta_reach(spot: float, deviation: float, min_delta: float) -> tuple[float, float]:
    """Return the strikes at which put and call have this delta: N(d1) solved for the strike."""
    d1 = NormalDist().inv_cdf(1.0 - min_delta)
    drift = deviation**2 / 2
    return spot * math.exp(drift - d1 * deviation), spot * math.exp(drift + d1 * deviation)


def choose_cells(
    cells: Sequence[Cell],
    spot: float,
    window: Window,
    *,
    deviations: Mapping[str, float] = NONE_KNOWN,
) -> list[Cell]:
    """Return the cells to read, the nearest to the money first. `deviations` by expiry."""
    by_expiry: dict[str, list[Cell]] = {}
    for cell in cells:
        by_expiry.setdefault(cell.expiry, []).append(cell)
    chosen: list[Cell] = []
    for expiry, listed in by_expiry.items():
        strikes = choose_strikes(
            (cell.strike for cell in listed), spot, window, deviation=deviations.get(expiry)
        )
        chosen += [cell for cell in listed if cell.strike in strikes]
    return sorted(chosen, key=lambda cell: (abs(cell.strike - spot), cell.expiry, cell.right))


def nearest_cells(cells: Iterable[Cell], spot: float) -> list[Cell]:
    """Return one contract of each expiry, the nearest to the money."""
    nearest: dict[str, Cell] = {}
    for cell in sorted(cells, key=lambda cell: (abs(cell.strike - spot), cell.right)):
        nearest.setdefault(cell.expiry, cell)
    return list(nearest.values())


def messages(contracts: int, *, snapshots: bool) -> int:
    """Return what the contracts cost: one subscribe each, and one cancel of a stream."""
    return contracts * (1 if snapshots else 2)


def floor_s(contracts: int, *, messages_per_s: float, snapshots: bool = False) -> float:
    """Return the least time a sweep can take."""
    return messages(contracts, snapshots=snapshots) / messages_per_s


def snapshots_pay(contracts: int, *, lines: int, messages_per_s: float) -> bool:
    """Say whether snapshots (one message, held 11 s) beat streams (two messages, let go early).

    They do with some three hundred free lines and more; with the usual hundred the lines are
    held too long.
    """
    if lines < 1:
        return False
    held = max(contracts / messages_per_s, contracts * SNAPSHOT_S / lines) + SNAPSHOT_S
    return held < floor_s(contracts, messages_per_s=messages_per_s)
