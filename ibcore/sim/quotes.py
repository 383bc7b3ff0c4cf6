"""Quotes: what a board shows at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from ibcore.sim.board import Board


@dataclass(frozen=True)
class Quote:
    """What a board shows at one moment; -1 with size 0 where there is no price."""

    bid: float
    bid_size: float
    ask: float
    ask_size: float
    last: float

    @property
    def mid(self) -> float:
        """The middle, or the one price there is, or 0."""
        if self.bid > 0 and self.ask > 0:
            return (self.bid + self.ask) / 2
        return max(self.last, self.bid, self.ask, 0.0)

    def touch(self, *, buying: bool) -> tuple[float, float]:
        """Return the price and the size that a buyer, or a seller, would meet."""
        return (self.ask, self.ask_size) if buying else (self.bid, self.bid_size)


def quote_of(board: Board) -> Quote:
    """Read a board."""
    values = board.values
    bid, bid_size, ask, ask_size, last = (
        float(values.get(tick, missing))
        for tick, missing in ((1, -1.0), (0, 0.0), (2, -1.0), (3, 0.0), (4, -1.0))
    )
    return Quote(bid, bid_size, ask, ask_size, last)
