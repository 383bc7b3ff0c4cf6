"""The past of an instrument: which days it traded, and their grains.

A source owns one. `complete` pasts (tapes of bars) know everything up to now; others know what was
before the source started, and the tally of the gateway knows what came after.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, Protocol

import numpy as np

from ibcore.sim import daygrains, grains, hours, optiongrains
from ibcore.sim.catalogue import Name
from ibcore.sim.contracts import Contract
from ibcore.sim.daygrains import Course
from ibcore.sim.grains import COUNT, START, TRADES, Grains

DEPTH: Final = 2_520  # trading days: ten years
_KEPT: Final = 24  # days of minutes
_YEAR_DAYS: Final = 252
PRICES: Final = "prices"
_VOLATILITIES: Final = {"OPTION_IMPLIED_VOLATILITY": 1, "HISTORICAL_VOLATILITY": 2, "FEE_RATE": 3}


class Past(Protocol):
    """What history asks of a source."""

    complete: bool

    def days(self, contract: Contract) -> Sequence[date]:
        """Return the days that traded, newest first."""

    def minutes(self, contract: Contract, day: date, *, show: str = PRICES) -> Grains:
        """Return the minutes of one of these days."""

    def seconds(self, contract: Contract, minutes: Grains) -> Grains:
        """Return the seconds of some of these minutes."""


class NoPast:
    """Nothing is known but what the gateway saw itself."""

    complete = False

    def days(self, _contract: Contract) -> Sequence[date]:
        """Return no day."""
        return ()

    def minutes(self, _contract: Contract, _day: date, *, show: str = PRICES) -> Grains:
        """Return nothing."""
        return grains.blank(0)

    def seconds(self, _contract: Contract, _minutes: Grains) -> Grains:
        """Return nothing."""
        return grains.blank(0)


class Opening(Protocol):
    """What the past of the model ends in."""

    def previous_close(self, symbol: str) -> float:
        """Return the close of the last day that is over."""

    def volume(self, symbol: str) -> float:
        """Return the average volume of a day."""


class ModelPast:
    """Ten years of days before the model's first, newest first, drawn from the seed."""

    complete = False

    def __init__(self, seed: int, opening: Opening, today: date) -> None:
        self._seed = seed
        self._opening = opening
        self._days = _weekdays_before(today, DEPTH)
        self._number = {day: number for number, day in enumerate(self._days)}
        self._closes: dict[str, list[float]] = {}
        self._kept: OrderedDict[tuple[int, date, str], Grains] = OrderedDict()

    def days(self, _contract: Contract) -> Sequence[date]:
        """Return the weekdays before the model's first; holidays are not known here."""
        return self._days

    def minutes(self, contract: Contract, day: date, *, show: str = PRICES) -> Grains:
        """Return the minutes of one day; the last days asked for are kept."""
        key = (contract.con_id, day, show)
        if key not in self._kept:
            self._kept[key] = self._draw(contract, day, show)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _draw(self, contract: Contract, day: date, show: str) -> Grains:
        if show != PRICES:
            return self._rate(contract.name, day, show)
        if contract.is_option:
            under = self._stock(contract.name, day)
            rng = self._rng(contract.con_id, self._number[day])
            return optiongrains.minutes(contract, under, rng)
        return self._stock(contract.name, day)

    def _stock(self, name: Name, day: date) -> Grains:
        number = self._number[day]
        closes = self._closes_of(name)
        sigma = name.volatility / float(np.sqrt(_YEAR_DAYS))
        volume = self._opening.volume(name.symbol)
        course = Course(closes[number + 1], closes[number], sigma, volume, name.min_tick)
        return daygrains.minutes(day, course, self._rng(name.con_id, number))

    def _rng(self, con_id: int, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, con_id, 96, *numbers])

    def _closes_of(self, name: Name) -> list[float]:
        """Walk back from the previous close that the stream shows (tick 9)."""
        if name.symbol not in self._closes:
            sigma = name.volatility / float(np.sqrt(_YEAR_DAYS))
            steps = self._rng(name.con_id).standard_normal(DEPTH) * sigma
            path = np.exp(-np.concatenate([[0.0], np.cumsum(steps)]))
            prices = self._opening.previous_close(name.symbol) * path
            self._closes[name.symbol] = np.maximum(prices, name.min_tick * 4).tolist()
        return self._closes[name.symbol]

    def _rate(self, name: Name, day: date, show: str) -> Grains:
        """Draw a volatility or a fee: a level a day, and a little noise around it."""
        rng = self._rng(name.con_id, self._number[day], _VOLATILITIES[show])
        level = 0.0025 if show == "FEE_RATE" else name.volatility
        level *= 1 + 0.05 * float(rng.standard_normal())
        result = grains.blank(daygrains.DAY_MINUTES)
        result[:, START] = hours.extended(day)[0] + 60.0 * np.arange(len(result))
        path = level * (1 + 0.002 * np.cumsum(rng.standard_normal(len(result)) / 30))
        opens = np.concatenate([path[:1], path[:-1]])
        highs, lows = np.maximum(opens, path), np.minimum(opens, path)
        result[:, TRADES] = np.round(np.stack([opens, highs, lows, path], axis=1), 6)
        return result

    def seconds(self, contract: Contract, minutes: Grains) -> Grains:
        """Draw the seconds of these minutes."""
        return grains.join([self._refine(contract, minute) for minute in minutes])

    def _refine(self, contract: Contract, minute: Grains) -> Grains:
        rng = self._rng(contract.con_id, 60, int(minute[START]))
        if contract.is_option or not minute[COUNT]:
            return optiongrains.seconds(minute, rng)
        return daygrains.seconds(minute, tick=contract.min_tick, rng=rng)


def _weekdays_before(today: date, count: int) -> list[date]:
    days: list[date] = []
    day = today
    while len(days) < count:
        day -= timedelta(days=1)
        if day.weekday() < 5:
            days.append(day)
    return days
