"""What the spool's cap means: below it everything is kept, above it trades before quotes.

    enough   all rows
    low      from 80 % of the cap: all rows, and a warning
    full     from the cap: trades whole; of quotes, greeks and statistics the newest a second
             of each instrument (conflated)
    over     from 125 %: trades only
Pure. A level is left at 90 % of what it is entered at, so that nothing flaps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final

from ibcore.domain import Greeks, MarketRow, Stat, Trade

CONFLATE_S: Final = 1.0
_LEAVE: Final = 0.9


class Room(IntEnum):
    """How much is left."""

    enough = 0
    low = 1
    full = 2
    over = 3


_ENTERED_AT: Final = {Room.low: 0.8, Room.full: 1.0, Room.over: 1.25}


def room_of(used: int, cap: int, *, before: Room) -> Room:
    """Return the level at `used` bytes of `cap`, coming from `before`."""
    room = Room.enough
    for level, share in _ENTERED_AT.items():
        if used >= share * cap * (_LEAVE if level <= before else 1.0):
            room = level
    return room


class Gauge:
    """Knows the level, and tells when it changes: the new one, and the bytes in use."""

    def __init__(self, cap: int) -> None:
        self.room = Room.enough
        self.on_change: Callable[[Room, int], None] = lambda _room, _used: None
        self._cap = cap

    def look(self, used: int) -> Room:
        """Return the level at `used` bytes."""
        before, self.room = self.room, room_of(used, self._cap, before=self.room)
        if self.room is not before:
            self.on_change(self.room, used)
        return self.room


def kept(rows: Sequence[MarketRow], room: Room) -> Sequence[MarketRow]:
    """Return which of the rows of one batch are to be kept, in their order."""
    if room < Room.full:
        return rows
    if room is Room.over:
        return [row for row in rows if isinstance(row, Trade)]
    newest = {_subject(row): row.seq for row in rows}
    return [row for row in rows if newest[_subject(row)] == row.seq]


def _subject(row: MarketRow) -> tuple[object, ...]:
    if isinstance(row, Trade):
        return (Trade, row.seq)
    about = row.field if isinstance(row, Stat) else row.kind if isinstance(row, Greeks) else ""
    return (row.instrument_id, type(row), about)
