"""Where values come from: a source owns the universe and the boards, and moves them in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from ibcore.sim.board import Board, Tick
from ibcore.sim.config import Clock
from ibcore.sim.contracts import Contract, Universe
from ibcore.sim.past import Past


class Change(NamedTuple):
    """An instrument moved. With `ticks` lines send those as they stand, else what differs."""

    con_id: int
    ticks: tuple[Tick, ...] = ()


class Source(Protocol):
    """A model or a tape."""

    universe: Universe
    clock: Clock  # what clients are shown: the wall clock, or a tape's
    past: Past

    def watch(self, contract: Contract, now: float) -> Board:
        """Start to keep the board of `contract`; the first watch starts the clock of the source."""

    def board(self, contract: Contract) -> Board:
        """Return the board of a contract that is watched."""

    def spot_of(self, stock: Contract) -> float:
        """Return roughly what a stock costs now, whether or not it is watched."""

    def moment(self) -> datetime:
        """Return the time from which options age."""

    def unwatch(self, contract: Contract) -> None:
        """Stop keeping the board of an option nobody looks at."""

    def close(self) -> None:
        """Let go of what the values are read from."""

    def advance(self, now: float) -> Sequence[Change]:
        """Move the boards to `now` (monotonic seconds) and return what changed, in order."""
