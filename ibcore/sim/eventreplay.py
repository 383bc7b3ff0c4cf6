"""Replaying tapes of single events: tables, and days out of a database.

Events go out as they stand, in order, none added and none left out; a stalled loop sends them late.
Options whose greeks the tape does not tell get computations from its quotes, about once a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Final, Protocol

import numpy as np
import structlog

from ibcore.errors import IbkeeperError
from ibcore.sim import computations, options
from ibcore.sim.board import COMPUTATIONS, Board, Tick
from ibcore.sim.config import Clock, SimConfig
from ibcore.sim.contracts import Contract, Universe
from ibcore.sim.past import NoPast, Past
from ibcore.sim.source import Change
from ibcore.sim.taperows import TapeRow, print_ticks, sales, ticks

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

_AT_ONCE: Final = 500  # events between two looks at the sessions
_COMPUTE_S: Final = 1.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


class EventTape(Protocol):
    """A tape of events."""

    starts_us: int
    own_volume: frozenset[int]  # contract ids of which it tells the day's volume itself
    own_greeks: frozenset[int]  # and those of which it tells the computations

    @property
    def contracts(self) -> list[Contract]:
        """Everything on the tape."""

    def rows(self) -> Iterator[TapeRow]:
        """Yield the events in order."""


class EventReplay:
    """A tape of events as a source."""

    def __init__(self, config: SimConfig, tape: EventTape) -> None:
        self._tape = tape
        self.universe = Universe(tape.contracts)
        self.clock: Clock = config.clock
        self.past: Past = NoPast()
        self._speed, self._loop = config.speed, config.tape_loop
        self._watchers: Counter[int] = Counter()
        self._started: float | None = None
        self._computed = 0.0
        self._rewind()

    def _rewind(self) -> None:
        self._boards = {con_id: Board() for con_id in self.universe.by_id}
        self._quotes: dict[int, TapeRow] = {}
        self._rows = self._tape.rows()
        self._begin_us = self._at_us = self._tape.starts_us
        self._next: TapeRow | None = None
        self.finished = False

    def close(self) -> None:
        """Let go of what the tape is read from."""
        close = getattr(self._rows, "close", None)
        if close is not None:
            close()

    def moment(self) -> datetime:
        """Return the tape's time."""
        return _EPOCH + timedelta(microseconds=self._at_us)

    def watch(self, contract: Contract, now: float) -> Board:
        """Return the board; the first call starts the tape."""
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

    def spot_of(self, stock: Contract) -> float:
        """Return the stock's mid, or its last price."""
        return _worth(self._boards[stock.con_id])

    def advance(self, now: float) -> Sequence[Change]:
        """Return the events that are due."""
        if self._started is None:
            return ()
        if self.finished and self._loop:
            self.close()
            self._started = now
            self._rewind()
        if self.finished:
            return ()
        target_us = self._begin_us + int((now - self._started) * self._speed * 1_000_000)
        changes = [self._put(row) for row in self._due(target_us)]
        if now - self._computed >= _COMPUTE_S:
            self._computed = now
            changes += self._recompute()
        return changes

    def _read(self) -> TapeRow | None:
        """Read on; a tape that cannot be read any more has ended, and its last values stand."""
        try:
            return next(self._rows, None)
        except IbkeeperError as lost:
            log.error("sim_tape_lost", error=str(lost))
            self._loop = False
            return None

    def _due(self, target_us: int) -> Iterator[TapeRow]:
        """Yield what is due, of one second a call: the clock shows each event's own time."""
        second = None
        for _ in range(_AT_ONCE):
            row = self._next or self._read()
            self._next = row
            if row is None:
                self.finished = True
                return
            if row.at_us > target_us:
                if second is None:
                    self._at_us = target_us
                return
            if second is not None and row.at_us // 1_000_000 != second:
                return
            second = row.at_us // 1_000_000
            self._at_us, self._next = max(self._at_us, row.at_us), None
            yield row

    def _put(self, row: TapeRow) -> Change:
        board = self._boards[row.con_id]
        if row.tick is not None or row.printed is not None:
            return self._put_tick(row, board)
        if row.price is None:
            said = tuple(ticks(self._quotes.get(row.con_id), row))
            board.quote(row.bid or -1.0, row.bid_size, row.ask or -1.0, row.ask_size)
            self._quotes[row.con_id] = row
            return Change(row.con_id, said)
        own = row.con_id in self._tape.own_volume
        known, last = board.values.get(8, 0.0), board.values.get(4)
        board.trade(row.price, row.size, unix_ms=self.clock.unix_ns() // 1_000_000)
        if own:
            board.values[8] = known
        volume = 0.0 if own else float(board.values[8])
        return Change(row.con_id, tuple(print_ticks(row, last, volume)))

    def _put_tick(self, row: TapeRow, board: Board) -> Change:
        """Put a statistic, a computation or a print of time and sales."""
        if row.printed is not None:
            said = sales(row, self._shift_us())
        else:
            assert row.tick is not None
            said = Tick(*row.tick)
            if said.tick_type == 45:
                said = Tick(45, str(int(float(said.value)) + self._shift_us() // 1_000_000))
        if said.tick_type in COMPUTATIONS:
            board.computations[said.tick_type] = str(said.value)
        else:
            board.values[said.tick_type] = said.value
        return Change(row.con_id, (said,))

    def _shift_us(self) -> int:
        """How far the time that is shown is ahead of the tape's."""
        return (self.clock.utcnow() - self.moment()) // timedelta(microseconds=1)

    def _recompute(self) -> list[Change]:
        watched = [self.universe.by_id[con_id] for con_id in self._watchers]
        chain = [contract for contract in watched if contract.is_option]
        self._compute(chain)
        return [Change(contract.con_id) for contract in chain]

    def _compute(self, contracts: Sequence[Contract]) -> None:
        """Write the computations of options whose underlying is on the tape."""
        without = [c for c in contracts if c.con_id not in self._tape.own_greeks]
        spots = [self._spot(contract) for contract in without]
        able = [(c, s) for c, s in zip(without, spots, strict=True) if s > 0]
        if not able:
            return
        boards = [self._boards[contract.con_id] for contract, _ in able]
        spot = np.array([worth for _, worth in able])
        terms = computations.terms([contract for contract, _ in able], spot, self.moment())
        mids = np.array([_worth(board) for board in boards])
        computations.update(boards, terms, model_vol=options.implied_vol(terms, mids))

    def _spot(self, contract: Contract) -> float:
        listed = self.universe.stocks.get(contract.symbol)
        listed = listed or self.universe.others.get(contract.symbol)
        return _worth(self._boards[listed.con_id]) if listed else -1.0


def _worth(board: Board) -> float:
    values = board.values
    bid, ask = float(values.get(1, -1.0)), float(values.get(2, -1.0))
    if bid > 0 and ask > 0:
        return (bid + ask) / 2
    return max(bid, ask, float(values.get(4, -1.0)))
