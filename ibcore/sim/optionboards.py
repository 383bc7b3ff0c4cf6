"""Boards of options: quotes and computations of whatever is watched, many at a time.

A model supplies the underlying; everything else (spread, sizes, prints, open interest) comes from
random numbers of (seed, contract id), so an option looks the same whoever else is watched.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import numpy as np

from ibcore.sim import computations, options
from ibcore.sim.board import Board
from ibcore.sim.contracts import Contract

STRIDE: Final = 8  # option steps between two looks at the same option


class Underlying(Protocol):
    """What an option needs to know."""

    def spot(self, symbol: str) -> tuple[float, float]:
        """Return mid and at-the-money volatility."""

    def now(self) -> datetime:
        """Return the time from which options age."""

    def unix_ms(self) -> int:
        """Return the wall clock in milliseconds."""


class Watched(NamedTuple):
    """One option that somebody looks at."""

    contract: Contract
    board: Board
    rng: np.random.Generator


class OptionBoards:
    """The options that are watched, refreshed a slice at a time."""

    def __init__(self, underlying: Underlying, seed: int) -> None:
        self._underlying = underlying
        self._seed = seed
        self._watched: dict[int, Watched] = {}
        self._watchers: Counter[int] = Counter()

    def watch(self, contract: Contract) -> Board:
        """Return the option's board, priced now if it is new."""
        con_id = contract.con_id
        self._watchers[con_id] += 1
        if con_id not in self._watched:
            rng = np.random.default_rng([self._seed, con_id])
            self._watched[con_id] = Watched(contract, _opening_board(rng, contract), rng)
            self._refresh([self._watched[con_id]])
        return self._watched[con_id].board

    def board(self, contract: Contract) -> Board:
        """Return the board of an option that is watched."""
        return self._watched[contract.con_id].board

    def unwatch(self, contract: Contract) -> None:
        """Drop the board with its last watcher."""
        self._watchers[contract.con_id] -= 1
        if self._watchers[contract.con_id] <= 0:
            self._watched.pop(contract.con_id, None)
            del self._watchers[contract.con_id]

    def step(self, number: int) -> Sequence[int]:
        """Refresh every eighth option and return their contract ids."""
        due = [item for con_id, item in self._watched.items() if con_id % STRIDE == number % STRIDE]
        if due:
            self._refresh(due)
        return [item.contract.con_id for item in due]

    def _refresh(self, items: list[Watched]) -> None:
        terms, at_the_money = self._terms(items)
        vol = smile(terms, at_the_money)
        model = options.price(terms, vol)
        unix_ms = self._underlying.unix_ms()
        for item, fair in zip(items, model.tolist(), strict=True):
            _requote(item, fair, unix_ms)
        computations.update([item.board for item in items], terms, model_vol=vol)

    def _terms(self, items: list[Watched]) -> tuple[options.Terms, options.Array]:
        contracts = [item.contract for item in items]
        spots = np.array([self._underlying.spot(contract.symbol) for contract in contracts])
        terms = computations.terms(contracts, spots[:, 0], self._underlying.now())
        return terms, spots[:, 1]


def smile(terms: options.Terms, at_the_money: options.Array) -> options.Array:
    """Return each option's volatility: a skew and a smile in standardised moneyness."""
    width = at_the_money * np.sqrt(terms.years)
    moneyness = np.clip(np.log(terms.strike / terms.spot) / width, -5, 5)
    term = 1 + 0.08 * np.exp(-4 * terms.years)
    result: options.Array = at_the_money * term * (1 - 0.045 * moneyness + 0.022 * moneyness**2)
    return result


def _opening_board(rng: np.random.Generator, contract: Contract) -> Board:
    board = Board()
    interest = float(int(rng.lognormal(5.5, 1.4)))
    mine, other = (27, 28) if contract.right == "C" else (28, 27)
    volume = float(int(interest * 0.1))
    board.values.update({8: volume, 49: 0.0, mine: interest, other: 0.0})
    board.values.update({mine + 2: volume, other + 2: 0.0, 32: "XN", 33: "XC", 84: "X"})
    return board


def price_step(price: float) -> float:
    """Return the price increment: a penny below 3, a nickel above (market rule 109)."""
    return 0.01 if price < 3 else 0.05


def _requote(item: Watched, fair: float, unix_ms: int) -> None:
    rng, board = item.rng, item.board
    step = price_step(fair)
    half = max(step, fair * float(rng.uniform(0.004, 0.015)))
    bid = round(math.floor((fair - half) / step) * step, 2)
    ask = round(max(math.ceil((fair + half) / step) * step, bid + step), 2)
    sizes = rng.integers(1, 120, 2)
    board.quote(bid, float(sizes[0]), ask, float(sizes[1]))
    board.values[37] = round(fair, 4)
    if 9 not in board.values:
        board.values[9] = max(round(round(fair / step) * step, 2), step)
        if rng.random() < 0.7:  # most options have traded today
            board.values.update({4: max(bid, step), 5: float(rng.integers(1, 15))})
    if rng.random() < 0.06:
        board.trade(bid if bid > 0 else ask, float(rng.integers(1, 15)), unix_ms=unix_ms)
