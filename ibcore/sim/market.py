"""The seeded market: stocks every 250 ms, options every 100 ms, the same path for the same seed.

Stocks walk on their tick grid: one common shock scaled by beta, one of their own. Every step is
a function of (seed, step number), never of who is subscribed or when the step was run, so two
runs see the same prices in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain as concat
from typing import Final

import numpy as np

from ibcore.sim import chains, hours
from ibcore.sim.board import Board
from ibcore.sim.catalogue import CATALOGUE, OTHER_SYMBOLS, Name
from ibcore.sim.config import SimConfig
from ibcore.sim.contracts import Contract, Universe, underlying
from ibcore.sim.optionboards import OptionBoards
from ibcore.sim.past import ModelPast, Past
from ibcore.sim.source import Change

STOCK_STEP_S: Final = 0.25
OPTION_STEP_S: Final = 0.1
MAX_CATCH_UP: Final = 40  # steps; after a longer stall the model skips time, as a feed does
_YEAR_S: Final = 252 * 6.5 * 3600


class StockWalk:
    """One stock: its board and the random numbers that move it."""

    def __init__(self, name: Name, rng: np.random.Generator) -> None:
        self.name = name
        self.board = Board()
        self.mid = name.spot * (1 + 0.01 * float(rng.standard_normal()))
        self.volatility = name.volatility
        self._rng = rng
        self._sigma = name.volatility * float(np.sqrt(STOCK_STEP_S / _YEAR_S))
        self._open(self._grid(self.mid))

    def _grid(self, price: float) -> float:
        tick = self.name.min_tick
        return round(round(price / tick) * tick, 6)

    def _open(self, price: float) -> None:
        draw = self._rng.uniform
        year_low, year_high = self._grid(price * 0.72), self._grid(price * 1.24)
        average = float(round(draw(2e7, 6e7), -3))
        self.board.values.update({
            9: self._grid(price * (1 + 0.008 * float(self._rng.standard_normal()))),
            14: price, 6: price, 7: price, 4: price, 5: 100.0, 8: 0.0, 49: 0.0,
            15: self._grid(price * 0.88), 16: self._grid(price * 1.09), 17: self._grid(price * 0.8),
            18: self._grid(price * 1.16), 19: year_low, 20: year_high, 21: average,
            32: "KPQ", 33: "KNQ", 84: "Q",
            24: round(self.volatility, 6),
            27: float(int(draw(1e6, 4e6))), 28: float(int(draw(1e6, 4e6))),
            29: float(int(draw(1e5, 9e5))), 30: float(int(draw(1e5, 9e5))),
            46: 3.0, 89: float(int(draw(5e6, 5e7))), 87: float(int(draw(2e5, 9e5))),
            37: price, 54: 0.0, 55: 0.0, 56: 0.0, 58: round(self.volatility, 6),
            63: 0.0, 64: 0.0, 65: 0.0,
            34: average // 50, 35: price, 36: average // 500, 57: price, 61: 0.0,
            59: f"{price * 0.004:.2f},{price * 0.0042:.2f},,{price * 0.001:.2f}",
            79: price,
        })  # fmt: skip
        self._open_kind(price)
        self._spread()

    def _open_kind(self, price: float) -> None:
        """Set what only an index, a future or a fund has."""
        values = self.board.values
        if self.name.sec_type == "IND":
            values[31] = round(price * 0.0015, 2)
        elif self.name.sec_type == "FUT":
            values[86] = float(values[21]) // 20
        elif self.name.stock_type == "ETF":
            values.update({92: values[9], 93: values[9], 98: price, 99: price})
            self._net_asset_value(price)

    def _net_asset_value(self, price: float) -> None:
        values = self.board.values
        values.update({94: self._grid(price - 0.01), 95: self._grid(price + 0.01), 96: price})
        values[97] = price
        values[98], values[99] = max(float(values[98]), price), min(float(values[99]), price)

    def step(self, shock: float, number: int, *, unix_ms: int) -> None:
        """Move by one step; `shock` is the market's."""
        own = float(self._rng.standard_normal())
        move = self._sigma * (0.7 * self.name.beta * shock + 0.7 * own)
        self.mid *= 1 + move
        self._spread()
        if self._rng.random() < 0.6:
            self._trade(unix_ms)
        if number % 20 == 0:
            self._statistics(number)

    def _spread(self) -> None:
        tick = self.name.min_tick
        half = (1 + int(self._rng.integers(0, 3))) * tick / 2
        bid = self._grid(self.mid - half)
        ask = max(self._grid(self.mid + half), self._grid(bid + tick))
        sizes = self._rng.integers(1, 40, 2) * 100
        self.board.quote(bid, float(sizes[0]), ask, float(sizes[1]))

    def _trade(self, unix_ms: int) -> None:
        values = self.board.values
        price = float(values[1] if self._rng.random() < 0.5 else values[2])
        self.board.trade(price, float(self._rng.integers(1, 12) * 100), unix_ms=unix_ms)
        values[37] = self._grid(self.mid)

    def _statistics(self, number: int) -> None:
        """Refresh what IB refreshes every few seconds: rates, volatilities, shortable shares."""
        values = self.board.values
        seconds = number * STOCK_STEP_S
        volume, trades = float(values[8]), float(values[54])
        values[55] = round(trades / seconds * 60, 2)
        values[56] = round(volume / seconds * 60, 0)
        for tick_type, minutes in ((63, 3), (64, 5), (65, 10)):
            values[tick_type] = round(volume * min(1.0, minutes * 60 / seconds), 0)
        self.volatility *= 1 + 0.002 * float(self._rng.standard_normal())
        values[24] = round(self.volatility, 6)
        values[58] = round(self.volatility * (1 + 0.05 * float(self._rng.standard_normal())), 6)
        values[79] = values[37]
        if 96 in values:
            self._net_asset_value(self._grid(self.mid))
        values[89] = float(values[89]) + float(self._rng.integers(-50, 51) * 100)


class Market:
    """The model as a source: the configured names, their chains, and time in steps."""

    def __init__(self, config: SimConfig) -> None:
        self.clock = config.clock
        self._scale = config.cadence_scale
        names = [CATALOGUE[symbol] for symbol in dict.fromkeys((*config.symbols, *OTHER_SYMBOLS))]
        today = hours.new_york_date(config.clock.utcnow())
        underlyings = [underlying(name, chains.quarter_end(today)) for name in names]
        self.universe = Universe(
            concat(underlyings, concat.from_iterable(chains.chain(n, today) for n in names))
        )
        self._shocks = np.random.default_rng([config.seed, 0])
        self.stocks = {
            name.symbol: StockWalk(name, np.random.default_rng([config.seed, name.con_id]))
            for name in names
        }
        self._ids = {contract.symbol: contract.con_id for contract in underlyings}
        # Options age from 10:00 New York on, not from the second of the start: same day, same path.
        self._opened = datetime.combine(today, datetime.min.time(), hours.NEW_YORK)
        self._opened += timedelta(hours=10)
        self.options = OptionBoards(self, config.seed)
        self.past: Past = ModelPast(config.seed, self, today)
        self._before = {symbol: dict(walk.board.values) for symbol, walk in self.stocks.items()}
        self._started: float | None = None
        self._stock_steps = 0
        self._option_steps = 0

    def watch(self, contract: Contract, now: float) -> Board:
        """Return the board; the first call starts time."""
        if self._started is None:
            self._started = now
        return self.options.watch(contract) if contract.is_option else self.board(contract)

    def board(self, contract: Contract) -> Board:
        """Return the board of a contract that is watched."""
        if contract.is_option:
            return self.options.board(contract)
        return self.stocks[contract.symbol].board

    def spot_of(self, stock: Contract) -> float:
        """Return the stock's mid."""
        return self.stocks[stock.symbol].mid

    def unwatch(self, contract: Contract) -> None:
        """Forget an option's board once nobody watches it."""
        if contract.is_option:
            self.options.unwatch(contract)

    def spot(self, symbol: str) -> tuple[float, float]:
        """Return the underlying's mid and at-the-money volatility."""
        walk = self.stocks[symbol]
        return walk.mid, walk.volatility

    def previous_close(self, symbol: str) -> float:
        """Return the close that tick 9 shows."""
        return float(self._before[symbol][9])

    def volume(self, symbol: str) -> float:
        """Return the average volume of a day that tick 21 shows."""
        return float(self._before[symbol][21])

    def moment(self) -> datetime:
        """Return the model's time."""
        return self.now()

    def now(self) -> datetime:
        """Return the model's time."""
        return self._opened + timedelta(seconds=self._stock_steps * STOCK_STEP_S)

    def unix_ms(self) -> int:
        """Return the wall clock, for prints."""
        return self.clock.unix_ns() // 1_000_000

    def close(self) -> None:
        """Nothing is held open."""

    def advance(self, now: float) -> Sequence[Change]:
        """Run the next step if it is due; one a call, so that none is conflated away."""
        if self._started is None:
            return ()
        elapsed = (now - self._started) / self._scale
        due = int(elapsed / OPTION_STEP_S)
        if due - self._option_steps > MAX_CATCH_UP:
            self._skip(due - MAX_CATCH_UP)
        while self._option_steps < due:
            self._option_steps += 1
            changed = self._run(self._option_steps)
            if changed:
                return changed
        return ()

    def _skip(self, steps: int) -> None:
        assert self._started is not None
        self._started += (steps - self._option_steps) * OPTION_STEP_S * self._scale

    def _run(self, number: int) -> list[Change]:
        """Run one option step and the stock steps that fall into it (2 in 5)."""
        changed: list[Change] = []
        while self._stock_steps < int(number * OPTION_STEP_S / STOCK_STEP_S + 1e-9):
            self._stock_steps += 1
            shock = float(self._shocks.standard_normal())
            unix_ms = self.unix_ms()
            for walk in self.stocks.values():
                walk.step(shock, self._stock_steps, unix_ms=unix_ms)
            changed += [Change(con_id) for con_id in self._ids.values()]
        changed += [Change(con_id) for con_id in self.options.step(number)]
        return changed
