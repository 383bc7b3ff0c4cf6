"""Replaying tapes: sources whose clock starts with the first subscription and runs `speed` times.

`advance` moves one step a call, so that a stalled event loop sends every step late, none never.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np

from ibcore.sim import computations, hours, options, recorded, tape
from ibcore.sim.board import SIZE_OF, Board, Tick
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.config import Clock, SimConfig
from ibcore.sim.contracts import Contract, Universe, stock
from ibcore.sim.daypast import DayPast
from ibcore.sim.past import NoPast, Past
from ibcore.sim.source import Change


class RecordedReplay:
    """Recorded ticks, sent as they stand, in order, as those of one stock."""

    def __init__(self, config: SimConfig, path: Path) -> None:
        self._begins, self._ticks = recorded.read(path)
        self._offset_s = 0.0
        self._contract = stock(CATALOGUE[config.tape_symbol])
        self.universe = Universe([self._contract])
        self._board = Board()
        self.clock: Clock = config.clock
        self.past: Past = NoPast()
        self._speed = config.speed
        self._loop = config.tape_loop
        self._started: float | None = None
        self._next = 0

    def watch(self, contract: Contract, now: float) -> Board:
        """Return the board; the first call starts the tape."""
        if self._started is None:
            self._started = now
        return self.board(contract)

    def moment(self) -> datetime:
        """Return the tape's time."""
        return self._begins + timedelta(seconds=self._offset_s)

    def spot_of(self, _stock: Contract) -> float:
        """Return the last of the one stock there is."""
        return float(self._board.values.get(4, 0.0))

    def board(self, _contract: Contract) -> Board:
        """Return the one board there is."""
        return self._board

    def unwatch(self, contract: Contract) -> None:
        """Let the tape run on: a feed does not stop because nobody looks."""

    @property
    def finished(self) -> bool:
        """Whether every tick has been handed out."""
        return self._next >= len(self._ticks)

    def close(self) -> None:
        """Nothing is held open."""

    def advance(self, now: float) -> Sequence[Change]:
        """Return the ticks that are due."""
        if self._started is None:
            return ()
        if self.finished and self._loop:
            self._started, self._next = now, 0
        offset = (now - self._started) * self._speed
        first = self._next
        while self._is_due(offset, first):  # one second a call, so that the clock shows its time
            self._put(self._ticks[self._next].tick)
            self._next += 1
        reached = self._ticks[self._next - 1].offset_s if self._next > first else offset
        self._offset_s = min(reached, self._ticks[-1].offset_s)
        due = tuple(each.tick for each in self._ticks[first : self._next])
        return (Change(self._contract.con_id, due),) if due else ()

    def _is_due(self, offset: float, first: int) -> bool:
        if self.finished or self._ticks[self._next].offset_s > offset:
            return False
        return int(self._ticks[self._next].offset_s) == int(self._ticks[first].offset_s)

    def _put(self, tick: Tick) -> None:
        self._board.values[tick.tick_type] = tick.value
        if tick.tick_type in SIZE_OF:
            self._board.values[SIZE_OF[tick.tick_type]] = tick.size


class DayReplay:
    """A day of minute bars: closing quotes, prints and computations at each bar's end."""

    def __init__(self, config: SimConfig, path: Path) -> None:
        day = tape.read_day(path)
        self.universe = Universe(day.contracts)
        self._contracts = self.universe.by_id
        self._midnight = datetime.combine(day.day, time(), hours.NEW_YORK)
        self.clock: Clock = config.clock
        self._speed, self._loop = config.speed, config.tape_loop
        self._begin = tape.start_ms(config.tape_start)
        self._minutes = _by_minute(day)
        self._ends = sorted(self._minutes)
        self._interest = day.open_interest
        self._watchers: Counter[int] = Counter()
        self._started: float | None = None
        self._rewind()
        self.past: Past = DayPast(day, self._midnight, lambda: self.at_ms, self._shift_s)

    def _shift_s(self) -> float:
        """How far what is shown is ahead of the tape: nothing, if the clock shows the tape."""
        shown = self.clock.utcnow() - self.moment()
        return max(float(round(shown.total_seconds())), 0.0)

    def _rewind(self) -> None:
        """Set the boards to what stood on the screen when the tape begins."""
        self._boards = {
            contract.con_id: self._opening(contract) for contract in self._contracts.values()
        }
        self._next = 0
        while self._next < len(self._ends) and self._ends[self._next] <= self._begin:
            self._put_minute(self._ends[self._next])
            self._next += 1
        self.at_ms = self._begin  # of the tape, New York

    def _opening(self, contract: Contract) -> Board:
        board = Board()
        board.values[49] = 0.0
        if contract.is_option:
            mine, other = (27, 28) if contract.right == "C" else (28, 27)
            board.values.update({mine: self._interest.get(contract.con_id, 0.0), other: 0.0})
        return board

    def watch(self, contract: Contract, now: float) -> Board:
        """Return the board, with its computations as of now; the first call starts the tape."""
        if self._started is None:
            self._started = now
        self._watchers[contract.con_id] += 1
        if contract.is_option:
            self._compute([contract])
        return self.board(contract)

    def board(self, contract: Contract) -> Board:
        """Return the board of a contract."""
        return self._boards[contract.con_id]

    def unwatch(self, contract: Contract) -> None:
        """Stop computing an option that nobody looks at."""
        self._watchers[contract.con_id] -= 1
        if self._watchers[contract.con_id] <= 0:
            del self._watchers[contract.con_id]

    @property
    def finished(self) -> bool:
        """Whether the last bar has been handed out."""
        return self._next >= len(self._ends)

    def close(self) -> None:
        """Nothing is held open."""

    def advance(self, now: float) -> Sequence[Change]:
        """Move to the next bar's end if it is due."""
        if self._started is None:
            return ()
        if self.finished and self._loop:
            self._started = now
            self._rewind()
        at_ms = self._begin + (now - self._started) * self._speed * 1000
        if self.finished or self._ends[self._next] > at_ms:
            return ()
        self.at_ms = self._ends[self._next]
        self._next += 1
        touched = self._put_minute(self.at_ms)
        watched = [self._contracts[con_id] for con_id in self._watchers]
        self._compute([contract for contract in watched if contract.is_option])
        watched.sort(key=lambda contract: contract.is_option)
        return [Change(c.con_id) for c in watched if c.is_option or c.con_id in touched]

    def _put_minute(self, end_ms: int) -> set[int]:
        quotes, trades = self._minutes[end_ms]
        for quote in quotes:
            self._boards[quote.con_id].quote(
                quote.bid or -1.0, quote.bid_size, quote.ask or -1.0, quote.ask_size
            )
        unix_ms = self.clock.unix_ns() // 1_000_000
        for trade in trades:
            _print(self._boards[trade.con_id], trade, unix_ms)
        return {quote.con_id for quote in quotes} | {trade.con_id for trade in trades}

    def _compute(self, contracts: Sequence[Contract]) -> None:
        """Write the computations of these options from their own quotes."""
        spot = self._spot()
        if not contracts or spot is None:
            return
        boards = [self._boards[contract.con_id] for contract in contracts]
        terms = computations.terms(contracts, spot, self.moment())
        mids = np.array([_mid(board) for board in boards])
        computations.update(boards, terms, model_vol=options.implied_vol(terms, mids))

    def moment(self) -> datetime:
        """Return the tape's time."""
        return self._midnight + timedelta(milliseconds=self.at_ms)

    def spot_of(self, stock: Contract) -> float:
        """Return the stock's mid."""
        return _mid(self._boards[stock.con_id])

    def _spot(self) -> float | None:
        stocks = list(self.universe.stocks.values())
        mid = _mid(self._boards[stocks[0].con_id]) if stocks else -1.0
        return mid if mid > 0 else None


def _by_minute(day: tape.Day) -> dict[int, tuple[list[tape.TapeQuote], list[tape.TapeTrade]]]:
    minutes: dict[int, tuple[list[tape.TapeQuote], list[tape.TapeTrade]]] = {}
    for quote in day.quotes:
        minutes.setdefault(quote.end_ms, ([], []))[0].append(quote)
    for trade in day.trades:
        minutes.setdefault(trade.end_ms, ([], []))[1].append(trade)
    return minutes


def _mid(board: Board) -> float:
    bid, ask = float(board.values.get(1, -1.0)), float(board.values.get(2, -1.0))
    if bid > 0 and ask > 0:
        return (bid + ask) / 2
    return max(bid, ask)


def _print(board: Board, trade: tape.TapeTrade, unix_ms: int) -> None:
    """Show a bar's prints as one, of its volume, at its close; high and low are the bar's."""
    values = board.values
    values.setdefault(14, trade.open)
    values[6] = max(float(values.get(6, trade.high)), trade.high)
    values[7] = min(float(values.get(7, trade.low)), trade.low)
    board.trade(trade.close, trade.volume, unix_ms=unix_ms)
