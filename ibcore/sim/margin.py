"""Margin: what positions tie up, before and after an order. Simple published rules, not IB's.

Stocks: a quarter of the value initially, a fifth to maintain (short: 30 % and 25 %). Long options
are paid in full. A short option: its value plus the greater of 20 % of the underlying less what it
is out of the money, and 10 %. Nothing is offset against anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ibcore.sim.contracts import Contract
from ibcore.sim.positions import Mark, Portfolio

Spot: TypeAlias = Callable[[Contract], float]


@dataclass(frozen=True)
class Levels:
    """Initial margin, maintenance margin, equity with loan value."""

    initial: float
    maintenance: float
    equity: float

    def less(self, other: Levels) -> Levels:
        """Return the change from `other` to this."""
        return Levels(
            self.initial - other.initial,
            self.maintenance - other.maintenance,
            self.equity - other.equity,
        )


@dataclass(frozen=True)
class Impact:
    """What an order would do to the margin."""

    before: Levels
    after: Levels

    @property
    def affordable(self) -> bool:
        """Whether the order may be accepted: it frees margin, or equity covers it."""
        frees = self.after.initial <= self.before.initial
        return frees or self.after.equity >= self.after.initial

    def state(self) -> dict[str, object]:
        """Return the nine numbers of an order state."""
        change = self.after.less(self.before)
        named = {"before": self.before, "change": change, "after": self.after}
        return {
            f"{what}_{when}": f"{getattr(levels, member):.2f}"
            for when, levels in named.items()
            for what, member in (
                ("init_margin", "initial"), ("maint_margin", "maintenance"), ("equity", "equity"),
            )
        }  # fmt: skip


class Margin:
    """Computes levels from what is held and what it is worth."""

    def __init__(self, portfolio: Portfolio, mark: Mark, spot: Spot) -> None:
        self._portfolio = portfolio
        self._mark = mark
        self._spot = spot

    def levels(self) -> Levels:
        """Return the levels now."""
        held = {position.contract: position.quantity for position in self._portfolio.held}
        return self._levels(held, self._portfolio.equity(self._mark))

    def impact(
        self, contract: Contract, quantity: float, *, price: float, commission: float
    ) -> Impact:
        """Return the levels before and after a trade of a signed quantity at `price`."""
        held = {position.contract: position.quantity for position in self._portfolio.held}
        before = self.levels()
        held[contract] = held.get(contract, 0.0) + quantity
        multiplier = float(contract.multiplier or 1)
        # A limit away from the market is no profit; one through it costs the difference.
        slippage = max(quantity * (price - self._mark(contract)) * multiplier, 0.0)
        paid = slippage + commission
        return Impact(before, self._levels(held, before.equity - paid))

    def _levels(self, held: dict[Contract, float], equity: float) -> Levels:
        pairs = [self._of(contract, quantity) for contract, quantity in held.items()]
        # Long options have no loan value: they leave the equity that backs a loan.
        paid = sum(
            quantity * self._mark(contract) * float(contract.multiplier or 1)
            for contract, quantity in held.items()
            if contract.is_option and quantity > 0
        )
        initial = sum(first for first, _ in pairs)
        return Levels(initial, sum(second for _, second in pairs), equity - paid)

    def _of(self, contract: Contract, quantity: float) -> tuple[float, float]:
        value = quantity * self._mark(contract)
        if contract.is_option:
            margin = 0.0 if quantity >= 0 else self._short_option(contract, -quantity)
            return margin, margin
        if value >= 0:
            return 0.25 * value, 0.20 * value
        return -0.30 * value, -0.25 * value

    def _short_option(self, contract: Contract, count: float) -> float:
        spot, strike = self._spot(contract), contract.strike
        out = strike - spot if contract.right == "C" else spot - strike
        risk = max(0.20 * spot - max(out, 0.0), 0.10 * spot)
        return count * float(contract.multiplier) * (self._mark(contract) + risk)


def commission(contract: Contract, filled: float, value: float) -> float:
    """Return what an order has cost after `filled` units for `value`: IB's fixed pricing."""
    if filled <= 0:
        return 0.0
    if contract.is_option:
        return max(1.0, round(0.65 * filled, 4))
    return round(min(max(1.0, 0.005 * filled), max(0.01 * value, 0.01)), 4)
