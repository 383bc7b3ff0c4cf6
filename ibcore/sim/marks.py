"""Marks: what contracts cost now, and what is left of the sizes that are displayed."""

from __future__ import annotations

from ibcore.sim import combos
from ibcore.sim.boards import Boards
from ibcore.sim.config import Clock
from ibcore.sim.contracts import Contract, Leg
from ibcore.sim.quotes import Quote
from ibcore.sim.source import Source


class Marks:
    """Prices from a source's boards. Holds the boards of what has orders or positions."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._boards = Boards(source)
        self._clock = clock
        self._used: dict[tuple[int, bool], tuple[float, float, float]] = {}

    def hold(self, contract: Contract) -> None:
        """Have the board kept until `release`; the first hold starts the market."""
        self._boards.watch(contract, self._clock.monotonic())

    def release(self, contract: Contract) -> None:
        """Give the board up."""
        self._boards.unwatch(contract)

    def quote(self, contract: Contract) -> Quote:
        """Return what the board of a held contract shows."""
        return self._boards.quote(contract)

    def price(self, contract: Contract) -> float:
        """Return what a contract is worth: the middle of its quote."""
        if contract.legs:
            worth = sum(leg.signed * self.price(leg.contract) for leg in contract.legs)
            return round(worth, 4)
        self.hold(contract)
        price = round(self.quote(contract).mid, 4)
        self.release(contract)
        return price

    def look(self, con_id: int) -> Quote:
        """Return what the board of a contract shows, held or not."""
        contract = self._source.universe.by_id[con_id]
        self.hold(contract)
        quote = self.quote(contract)
        self.release(contract)
        return quote

    def spot(self, contract: Contract) -> float:
        """Return what an option's underlying costs."""
        stock = self._source.universe.stocks.get(contract.symbol)
        return self._source.spot_of(stock) if stock else contract.strike

    def leg_prices(self, contract: Contract, price: float, *, buying: bool) -> dict[int, float]:
        """Share a combination's price out to its legs, by contract id."""
        return combos.leg_prices(contract, price, self.quote, buying=buying)

    def untaken(self, contract: Contract, price: float, size: float, *, buy: bool) -> float:
        """Return what is left of a displayed size; a quote that changed is a new one."""
        if contract.legs:
            return min(self._leg_untaken(leg, leg.is_buy == buy) for leg in contract.legs)
        key = (contract.con_id, buy)
        shown = self._used.get(key)
        if shown is None or shown[:2] != (price, size):
            self._used[key] = (price, size, 0.0)
            return size
        return max(size - shown[2], 0.0)

    def _leg_untaken(self, leg: Leg, buy: bool) -> float:
        price, size = self.quote(leg.contract).touch(buying=buy)
        return self.untaken(leg.contract, price, size, buy=buy) // leg.ratio

    def take(self, contract: Contract, quantity: float, *, buy: bool) -> None:
        """Use up a part of the displayed size that `untaken` told of."""
        for leg in contract.legs:
            self.take(leg.contract, quantity * leg.ratio, buy=leg.is_buy == buy)
        if not contract.legs:
            price, size, taken = self._used[contract.con_id, buy]
            self._used[contract.con_id, buy] = (price, size, taken + quantity)
