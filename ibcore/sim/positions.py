"""What the account holds: cash, positions with average cost, realized profit. Fills move it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ibcore.sim.contracts import Contract

START_CASH: Final = 1_000_000.0

Mark: TypeAlias = Callable[[Contract], float]


@dataclass(eq=False)
class Position:
    """One holding; `cost` is for one share or contract, commission and multiplier included."""

    contract: Contract
    quantity: float = 0.0
    cost: float = 0.0
    realized: float = 0.0

    @property
    def multiplier(self) -> float:
        """How many shares one unit stands for."""
        return float(self.contract.multiplier or 1)

    def value(self, mark: float) -> float:
        """Return the market value at a price."""
        return self.quantity * mark * self.multiplier

    def unrealized(self, mark: float) -> float:
        """Return the profit that a sale at a price would make."""
        return self.value(mark) - self.quantity * self.cost

    def trade(self, quantity: float, price: float, commission: float) -> float | None:
        """Add a signed quantity; return the profit of what it closed, nothing if it opened."""
        unit = price * self.multiplier
        closing = 0.0
        if self.quantity * quantity < 0:
            closing = min(abs(quantity), abs(self.quantity)) * (1 if quantity > 0 else -1)
        realized: float | None = None
        share = commission / abs(quantity)
        if closing:
            realized = -closing * (unit - self.cost) - share * abs(closing)
            self.realized += realized
        self._open(quantity - closing, unit, held=self.quantity + closing, share=share)
        return realized

    def _open(self, quantity: float, unit: float, *, held: float, share: float) -> None:
        # What a sale costs lowers what it brings, so that cost stays a price per unit.
        paid = unit + share if quantity > 0 else unit - share
        self.quantity = held + quantity
        if quantity:
            self.cost = (held * self.cost + quantity * paid) / self.quantity
        elif not self.quantity:
            self.cost = 0.0


@dataclass
class Portfolio:
    """Cash and positions of the one account."""

    cash: float = START_CASH
    positions: dict[int, Position] = field(default_factory=dict)

    def reset(self) -> None:
        """Go back to the start: nothing but cash."""
        self.cash = START_CASH
        self.positions.clear()

    def trade(
        self, contract: Contract, quantity: float, *, price: float, commission: float
    ) -> float | None:
        """Book one fill of a signed quantity; return the realized profit, if any."""
        position = self.positions.setdefault(contract.con_id, Position(contract))
        self.cash -= quantity * price * position.multiplier + commission
        return position.trade(quantity, price, commission)

    @property
    def held(self) -> list[Position]:
        """The positions that are not flat, by contract id."""
        listed = sorted(self.positions.items())
        return [position for _, position in listed if position.quantity]

    @property
    def realized(self) -> float:
        """The profit of all that was closed."""
        return sum(position.realized for position in self.positions.values())

    def unrealized(self, mark: Mark) -> float:
        """Return the profit of all that is open."""
        return sum(position.unrealized(mark(position.contract)) for position in self.held)

    def value(self, mark: Mark) -> float:
        """Return the market value of all that is held."""
        return sum(position.value(mark(position.contract)) for position in self.held)

    def equity(self, mark: Mark) -> float:
        """Return what would be left if all were closed."""
        return self.cash + self.value(mark)
