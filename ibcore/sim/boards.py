"""The boards of a source's contracts, and of combinations of them."""

from __future__ import annotations

from ibcore.sim import combos
from ibcore.sim.board import Board
from ibcore.sim.contracts import Contract
from ibcore.sim.quotes import Quote, quote_of
from ibcore.sim.source import Source


class Boards:
    """Boards of whatever can be quoted; a combination's is made of its legs' when it is asked."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def watch(self, contract: Contract, now: float) -> Board:
        """Have the board kept until `unwatch`; the first watch of all starts the market."""
        if not contract.legs:
            return self._source.watch(contract, now)
        for leg in contract.legs:
            self._source.watch(leg.contract, now)
        return self.board(contract)

    def unwatch(self, contract: Contract) -> None:
        """Give a board up."""
        for watched in [leg.contract for leg in contract.legs] or [contract]:
            self._source.unwatch(watched)

    def board(self, contract: Contract) -> Board:
        """Return the board of a contract that is watched."""
        if not contract.legs:
            return self._source.board(contract)
        board, quote = Board(), combos.natural(contract, self.quote)
        board.values.update({0: quote.bid_size, 1: quote.bid, 2: quote.ask, 3: quote.ask_size})
        return board

    def quote(self, contract: Contract) -> Quote:
        """Return what the board of a watched contract shows."""
        return quote_of(self.board(contract))
