"""Days that never streamed: minutes and seconds of a stock's past, drawn from the seed.

Everything is whole ticks, so every price is on the grid. A minute opens where the one before
closed; its seconds attain exactly its open, high, low and close and share out exactly its volume
and its number of trades, so that bars of every size agree with each other.
"""

from __future__ import annotations

from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibcore.sim import grains, hours
from ibcore.sim.grains import ASK, BID, COUNT, START, TRADES, TURNOVER, VOLUME, Grains

OPEN_MINUTE: Final = 330  # of the day's 960, from 04:00: the regular session's first
CLOSE_MINUTE: Final = 720
DAY_MINUTES: Final = 960
_OVERNIGHT: Final = 0.3  # of a day's variance
_CALM: Final = 0.15  # of the regular session's variance a minute, outside of it

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


class Course(NamedTuple):
    """One stock's day: where it comes from and goes to, how wild and how busy it is."""

    before: float  # the close of the day before
    close: float
    sigma: float  # of a day
    volume: float
    tick: float


def minutes(day: date, course: Course, rng: np.random.Generator) -> Grains:
    """Draw the 960 minutes of a day."""
    closes = _closes(course, rng)
    opens = np.concatenate([closes[:1], closes[:-1]])
    reach = _scale(course) * np.maximum(closes, 1) * 0.8
    high = np.maximum(opens, closes) + rng.poisson(reach)
    low = np.maximum(np.minimum(opens, closes) - rng.poisson(reach), 1)
    low = np.minimum(low, np.minimum(opens, closes))
    result = grains.blank(DAY_MINUTES)
    result[:, START] = hours.extended(day)[0] + 60.0 * np.arange(DAY_MINUTES)
    prices = np.stack([opens, high, low, closes], axis=1)
    _fill(result, prices, tick=course.tick)
    _trade(result, _volumes(course, rng))
    return result


def _scale(course: Course) -> Array:
    """Return each minute's volatility as a fraction of the price."""
    weights = np.full(DAY_MINUTES, _CALM)
    weights[OPEN_MINUTE:CLOSE_MINUTE] = 1.0
    share = (1 - _OVERNIGHT) / weights.sum()
    result: Array = course.sigma * np.sqrt(weights * share)
    return result


def _closes(course: Course, rng: np.random.Generator) -> Whole:
    """Walk from the day before to the close, exactly, and freely after it."""
    steps = rng.standard_normal(DAY_MINUTES) * _scale(course)
    steps[0] += rng.standard_normal() * course.sigma * np.sqrt(_OVERNIGHT)
    path = np.cumsum(steps)
    regular = path[CLOSE_MINUTE - 1]
    pull = np.minimum(np.arange(1, DAY_MINUTES + 1) / CLOSE_MINUTE, 1.0)
    path += pull * (np.log(course.close / course.before) - regular)
    result: Whole = np.maximum(np.rint(course.before * np.exp(path) / course.tick), 2).astype(int)
    return result


def _fill(result: Grains, prices: Whole, *, tick: float) -> None:
    """Write prices in ticks; trades are at the bid, the ask is a tick above."""
    result[:, TRADES] = np.round(prices * tick, 6)
    result[:, BID] = result[:, TRADES]
    result[:, ASK] = np.round((prices + 1) * tick, 6)


def _volumes(course: Course, rng: np.random.Generator) -> Array:
    """Spread a day's volume: much at the open and the close, little before and after."""
    place = np.linspace(-1, 1, CLOSE_MINUTE - OPEN_MINUTE)
    weights = np.full(DAY_MINUTES, 0.02)
    weights[OPEN_MINUTE:CLOSE_MINUTE] = 0.6 + 1.2 * place**4
    weights *= rng.lognormal(0.0, 0.5, DAY_MINUTES)
    weights *= course.volume * rng.lognormal(0.0, 0.25) / weights.sum()
    result: Array = np.maximum(np.rint(weights / 100), 1) * 100
    return result


def _trade(result: Grains, volume: Array) -> None:
    result[:, VOLUME] = volume
    result[:, COUNT] = 60 + np.floor(volume / 200)
    result[:, TURNOVER] = volume * result[:, TRADES].mean(axis=1)


def seconds(minute: Grains, *, tick: float, rng: np.random.Generator) -> Grains:
    """Draw the 60 seconds of one traded minute (a single row)."""
    opened, high, low, closed = np.rint(minute[TRADES] / tick).astype(int).tolist()
    closes = np.clip(_bridge(opened, closed, high - low, rng), low, high)
    top, bottom = rng.permutation(58)[:2] + 1  # neither the first nor the last
    closes[top], closes[bottom], closes[-1] = high, low, closed
    opens = np.concatenate([[opened], closes[:-1]])
    result = grains.blank(60)
    result[:, START] = minute[START] + np.arange(60)
    highs, lows = np.maximum(opens, closes), np.minimum(opens, closes)
    _fill(result, np.stack([opens, highs, lows, closes], axis=1), tick=tick)
    even = np.full(60, 1 / 60)
    count = 1 + rng.multinomial(int(minute[COUNT]) - 60, even)
    volume = count + rng.multinomial(int(minute[VOLUME] - minute[COUNT]), even)
    _trade(result, volume.astype(float))
    result[:, COUNT] = count
    return result


def _bridge(first: int, last: int, reach: int, rng: np.random.Generator) -> Whole:
    path = np.cumsum(rng.standard_normal(60)) * (reach / 16 + 0.1)
    path += np.linspace(1 / 60, 1, 60) * (last - first - path[-1])
    result: Whole = np.rint(first + path).astype(int)
    return result
