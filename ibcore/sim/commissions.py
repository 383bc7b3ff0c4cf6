"""Commissions: IB's fixed pricing for stocks and options, without exchange fees."""

from __future__ import annotations

from collections.abc import Callable

from ibcore.sim.contracts import Contract


def commission(contract: Contract, filled: float, value: float) -> float:
    """Return what an order has cost after `filled` units for `value`: IB's fixed pricing."""
    if filled <= 0:
        return 0.0
    if contract.is_option:
        return max(1.0, round(0.65 * filled, 4))
    return round(min(max(1.0, 0.005 * filled), max(0.01 * value, 0.01)), 4)


def fee(
    contract: Contract, quantity: float, price: float, *, mark: Callable[[Contract], float]
) -> float:
    """Return what an order that fills in whole costs; a combination costs what its legs do."""
    if not contract.legs:
        return commission(contract, quantity, quantity * price * float(contract.multiplier or 1))
    legs = [(leg.contract, quantity * leg.ratio) for leg in contract.legs]
    return round(sum(fee(leg, count, mark(leg), mark=mark) for leg, count in legs), 4)
