"""What is seen on the boards as they move: prints and quotes, one value each, in order.

A board shows the present; tick-by-tick lines, depth, bars and history need what happened. A print
is seen by the day's volume having grown; a tape that sends its ticks as they stand is read tick
by tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from ibcore.sim.board import Board, Tick
from ibcore.sim.contracts import Contract


class Print(NamedTuple):
    """A trade."""

    con_id: int
    price: float
    size: float


class Quote(NamedTuple):
    """The best bid and ask from now on; a side without a price is 0."""

    con_id: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


Event: TypeAlias = Print | Quote

_PLACES = {1: 0, 0: 1, 2: 2, 3: 3}  # tick types of a quote, and where they stand in it


class _Seen:
    """What was last seen of one contract."""

    __slots__ = ("board", "last", "printed", "quote", "volume")

    def __init__(self, board: Board, volume: float) -> None:
        self.board = board
        self.volume = volume
        self.quote = [0.0, 0.0, 0.0, 0.0]
        self.last = 0.0
        self.printed = -1.0  # size of the print that a lone size tick may repeat


class Observer:
    """Turns the changes of boards into events."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def note(self, contract: Contract, board: Board, ticks: tuple[Tick, ...]) -> list[Event]:
        """Return what happened to a contract since it was noted last."""
        seen = self._seen.get(contract.con_id)
        if seen is None or seen.board is not board:
            # An option's board begins with the volume of a day that nobody watched, and again
            # with each first watcher.
            volume = float(board.values.get(8, 0.0)) if contract.is_option else 0.0
            seen = self._seen[contract.con_id] = _Seen(board, volume)
        if ticks:
            return [event for tick in ticks for event in _of_tick(contract.con_id, seen, tick)]
        return list(_of_board(contract.con_id, seen, board))


def _of_board(con_id: int, seen: _Seen, board: Board) -> Iterator[Event]:
    values = board.values
    volume = float(values.get(8, 0.0))
    if volume > seen.volume:
        yield Print(con_id, float(values[4]), volume - seen.volume)
    seen.volume = volume
    quote = [max(float(values.get(tick_type, 0.0)), 0.0) for tick_type in (1, 0, 2, 3)]
    if quote != seen.quote:
        seen.quote = quote
        yield Quote(con_id, *quote)


def _of_tick(con_id: int, seen: _Seen, tick: Tick) -> Iterator[Event]:
    """Read one tick; a size that only repeats its price's is superfluous (ib_insync#29)."""
    kind, value = tick.tick_type, tick.value
    if kind == 4 and float(value) > 0:
        seen.last, seen.printed = float(value), tick.size
        yield Print(con_id, seen.last, tick.size)
    elif kind == 5 and seen.last:
        if float(value) != seen.printed:
            yield Print(con_id, seen.last, float(value))
        seen.printed = -1.0
    elif kind in _PLACES:
        before = list(seen.quote)
        seen.quote[_PLACES[kind]] = max(float(value), 0.0)
        if kind in (1, 2):
            seen.quote[_PLACES[kind] + 1] = tick.size
        if seen.quote != before:
            yield Quote(con_id, *seen.quote)
