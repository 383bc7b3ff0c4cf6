"""Rate mode, for benches: a paced total of messages over all lines, every one a change of state.

The mix over an option line's 20 messages is 8 tickPrice, 6 tickSize, 4 option computations, one
tickString (45, or RTVolume within the same second) and one tickGeneric; a stock has prices and
sizes in place of computations. A line whose client does not read is passed over, and counted.
"""

from __future__ import annotations

from itertools import cycle
from typing import Final

import numpy as np

from ibcore.sim import computations, wire
from ibcore.sim.config import Clock
from ibcore.sim.ledger import Ledger
from ibcore.sim.lines import Line
from ibcore.sim.market import Market
from ibcore.sim.subscriptions import Subscriptions

_BURST_S: Final = 0.5  # a stalled loop catches up this much; the rest of the stall is skipped
_WINDOW: Final = 6  # price ticks between the middle and the farthest bid or ask
_TABLE: Final = 64
_GENERIC: Final = (24, 58)
_OPTION_SLOTS: Final = (1, 0, 2, 3, 13, 1, 0, 2, 45, 3, 10, 4, 1, 8, 13, 2, 11, 5, 4, 24)
_STOCK_SLOTS: Final = (1, 0, 2, 3, 4, 1, 0, 2, 45, 3, 8, 4, 1, 8, 2, 2, 0, 5, 4, 24)


class LineWalk:
    """The state of one line in rate mode: it never sends a value twice in a row."""

    def __init__(self, line: Line, market: Market, seed: int) -> None:
        self.line = line
        self._market = market
        self._draws = cycle(_draws(seed, line))
        self._slots = cycle(_OPTION_SLOTS if line.contract.is_option else _STOCK_SLOTS)
        self._prices: dict[int, int] = {}
        self._size = 100
        self._volume = int(float(market.board(line.contract).values.get(8, 0)))
        self._second = 0
        self._generic = next((tick for tick in _GENERIC if tick in line.wants), 0)
        self._steps = 0
        self._middle, self._tick = self._grid()
        self._table = self._computations() if line.contract.is_option else {}

    def _grid(self) -> tuple[int, float]:
        """Return the middle of the walk in ticks, high enough to keep every bid above zero."""
        values = self._market.board(self.line.contract).values
        tick = self.line.contract.min_tick
        middle = round(max(float(values[1]), float(values[2])) / tick)
        return max(middle, 2 * _WINDOW), tick

    def message(self, unix_ns: int) -> bytes:
        """Return the next message of this line."""
        slot = next(self._slots)
        self._steps += 1
        if slot in (10, 11, 13):
            rows = self._table[slot]
            return wire.tick_computation(self.line.req_id, slot, rows[self._steps % _TABLE])
        if slot == 45:
            return self._string(unix_ns)
        if slot == 24 and self._generic:
            value = repr(round(0.2 + self._steps * 1e-6, 6))
            return wire.tick_generic(self.line.req_id, self._generic, value)
        if slot in (1, 2, 4):
            return self._price(slot)
        return self._sized(slot if slot in (0, 3, 5, 8) else 0)

    def _price(self, kind: int) -> bytes:
        side = {1: -1, 2: 1, 4: 0}[kind]
        away = 1 + next(self._draws) % _WINDOW
        price = self._middle + (side * away if side else away - _WINDOW // 2)
        if price == self._prices.get(kind):
            price += side or 1  # one tick farther: still on its own side of the middle
        self._prices[kind] = price
        text = wire.number(round(price * self._tick, 4))
        return wire.tick_price(self.line.req_id, kind, text, str(self._next_size()), 0)

    def _sized(self, kind: int) -> bytes:
        if kind == 8:
            self._volume += 100
            return wire.tick_size(self.line.req_id, 8, str(self._volume))
        return wire.tick_size(self.line.req_id, kind, str(self._next_size()))

    def _next_size(self) -> int:
        """Return a size that no side of this line holds: it rises, and wraps after thousands."""
        self._size = self._size % 990_000 + 100
        return self._size

    def _string(self, unix_ns: int) -> bytes:
        second = unix_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            return wire.tick_string(self.line.req_id, 45, str(second))
        if 48 not in self.line.wants:
            return self._price(1)
        self._volume += 100
        last = wire.number(round(self._prices.get(4, self._middle) * self._tick, 4))
        value = f"{last};100;{unix_ns // 1_000_000};{self._volume};{last};true"
        return wire.tick_string(self.line.req_id, 48, value)

    def _computations(self) -> dict[int, list[str]]:
        """Tabulate real greeks over a range of underlying prices, for bid, ask and model."""
        contract = self.line.contract
        spot, at_the_money = self._market.spot(contract.symbol)
        spots = spot * np.linspace(0.99, 1.01, _TABLE)
        terms = computations.terms([contract] * _TABLE, spots, self._market.now())
        volatility = np.full(_TABLE, at_the_money)
        return {
            kind: computations.rows(terms, volatility * factor, price_based=kind != 13)
            for kind, factor in ((10, 0.98), (11, 1.02), (13, 1.0))
        }


def _draws(seed: int, line: Line) -> list[int]:
    rng = np.random.default_rng([seed, line.contract.con_id])
    return [int(draw) for draw in rng.integers(0, 1000, 997)]


class RateDriver:
    """Sends `rate` messages a second over whatever is subscribed, round robin."""

    def __init__(self, rate: float, market: Market, ledger: Ledger, *, seed: int) -> None:
        self._rate = rate
        self._market = market
        self._ledger = ledger
        self._seed = seed
        self._walks: list[LineWalk] = []
        self._version = -1
        self._next = 0
        self._last: float | None = None
        self._owed = 0.0

    def turn(
        self, subscriptions: Subscriptions, now: float, *, clock: Clock, speed: float = 1.0
    ) -> None:
        """Send what is due since the last turn; `now` ran so many times as fast as time."""
        if subscriptions.version != self._version:
            self._version = subscriptions.version
            self._walks = self._rebuild(subscriptions)
        if self._last is None or not self._walks:
            self._last = now
            return
        self._owed += min(now - self._last, _BURST_S * speed) * self._rate
        self._last = now
        unix_ns = clock.unix_ns()
        due = int(self._owed)
        self._owed -= due
        for _ in range(due):
            self._one(unix_ns, subscriptions)

    def _one(self, unix_ns: int, subscriptions: Subscriptions) -> None:
        walk = self._walks[self._next % len(self._walks)]
        self._next += 1
        session = walk.line.session
        if subscriptions.quiet(walk.line):
            return
        if session.congested:
            session.conflated += 1
            self._ledger.counts["conflated"] += 1
        else:
            session.send_tick(walk.line.key, walk.message(unix_ns))

    def _rebuild(self, subscriptions: Subscriptions) -> list[LineWalk]:
        """Keep the walks of lines that go on: a new one could repeat a value."""
        known = {walk.line: walk for walk in self._walks}
        return [
            known.get(line) or LineWalk(line, self._market, self._seed)
            for line in subscriptions
            if not line.contract.legs
        ]
