"""Margin: what positions tie up, before and after an order. Simple published rules, not IB's.

Stocks: a quarter of the value initially, a fifth to maintain (short: 30 % and 25 %). Long options
are paid in full. A short option: its value plus the greater of 20 % of the underlying less what it
is out of the money, and 10 %; where a long option of the same underlying and right that lives as
long stands against it, no more than the distance of the strikes. Nothing else is offset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
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
        for part, count in _parts(contract, quantity):
            held[part] = held.get(part, 0.0) + count
        # A limit away from the market is no profit; one through it costs the difference.
        slippage = max(quantity * (price - self._mark(contract)) * _multiplier(contract), 0.0)
        paid = slippage + commission
        return Impact(before, self._levels(held, before.equity - paid))

    def _levels(self, held: dict[Contract, float], equity: float) -> Levels:
        pairs = [self._of(contract, count) for contract, count in held.items()]
        shorts = self._short_options(held)
        # Long options have no loan value: they leave the equity that backs a loan.
        paid = sum(
            quantity * self._mark(contract) * float(contract.multiplier or 1)
            for contract, quantity in held.items()
            if contract.is_option and quantity > 0
        )
        initial = sum(first for first, _ in pairs) + shorts
        return Levels(initial, sum(second for _, second in pairs) + shorts, equity - paid)

    def _of(self, contract: Contract, quantity: float) -> tuple[float, float]:
        if contract.is_option:
            return 0.0, 0.0
        value = quantity * self._mark(contract) * _multiplier(contract)
        if value >= 0:
            return 0.25 * value, 0.20 * value
        return -0.30 * value, -0.25 * value

    def _short_options(self, held: Mapping[Contract, float]) -> float:
        """Return the margin of all short options, covered by the long ones that cap them best."""
        options = {contract: count for contract, count in held.items() if contract.is_option}
        free = {contract: count for contract, count in options.items() if count > 0}
        margin = 0.0
        for short, count in options.items():
            left = max(-count, 0.0)
            for long in sorted(filter(partial(_caps, short), free), key=partial(_risk, short)):
                covered = min(left, free[long])
                free[long] -= covered
                left -= covered
                most = _risk(short, long) * _multiplier(short) * covered
                margin += min(most, self._naked(short, covered))
            margin += self._naked(short, left)
        return margin

    def _naked(self, contract: Contract, count: float) -> float:
        spot, strike = self._spot(contract), contract.strike
        out = strike - spot if contract.right == "C" else spot - strike
        risk = max(0.20 * spot - max(out, 0.0), 0.10 * spot)
        return count * float(contract.multiplier) * (self._mark(contract) + risk)


def _parts(contract: Contract, quantity: float) -> list[tuple[Contract, float]]:
    """Return what a trade moves: the contract, or a combination's legs."""
    if not contract.legs:
        return [(contract, quantity)]
    return [(leg.contract, quantity * leg.signed) for leg in contract.legs]


def _multiplier(contract: Contract) -> float:
    return float((contract.legs[0].contract if contract.legs else contract).multiplier or 1)


def _caps(short: Contract, long: Contract) -> bool:
    """Whether a long option limits what a short one may cost."""
    same = (short.symbol, short.right) == (long.symbol, long.right)
    return same and long.expiry >= short.expiry


def _risk(short: Contract, long: Contract) -> float:
    """Return what a pair may lose at expiry, for one share."""
    away = long.strike - short.strike
    return max(away if short.right == "C" else -away, 0.0)
