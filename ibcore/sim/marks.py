"""Marks: what contracts cost now. Holds the boards of what has orders or positions."""

from __future__ import annotations

from ibcore.sim.config import Clock
from ibcore.sim.contracts import Contract
from ibcore.sim.source import Source
from ibcore.sim.triggers import Quote, quote_of


class Marks:
    """Prices from a source's boards."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._used: dict[tuple[int, bool], tuple[float, float, float]] = {}

    def hold(self, contract: Contract) -> None:
        """Have the board kept until `release`; the first hold starts the market."""
        self._source.watch(contract, self._clock.monotonic())

    def release(self, contract: Contract) -> None:
        """Give the board up."""
        self._source.unwatch(contract)

    def quote(self, contract: Contract) -> Quote:
        """Return what the board of a held contract shows."""
        return quote_of(self._source.board(contract))

    def price(self, contract: Contract) -> float:
        """Return what a contract is worth: the middle of its quote."""
        self.hold(contract)
        price = round(self.quote(contract).mid, 4)
        self.release(contract)
        return price

    def spot(self, contract: Contract) -> float:
        """Return what an option's underlying costs."""
        stock = self._source.universe.stocks.get(contract.symbol)
        return self._source.spot_of(stock) if stock else contract.strike

    def untaken(self, contract: Contract, price: float, size: float, *, buy: bool) -> float:
        """Return what is left of a displayed size; a quote that changed is a new one."""
        key = (contract.con_id, buy)
        shown = self._used.get(key)
        if shown is None or shown[:2] != (price, size):
            self._used[key] = (price, size, 0.0)
            return size
        return max(size - shown[2], 0.0)

    def take(self, contract: Contract, quantity: float, *, buy: bool) -> None:
        """Use up a part of the displayed size that `untaken` told of."""
        price, size, taken = self._used[contract.con_id, buy]
        self._used[contract.con_id, buy] = (price, size, taken + quantity)
