"""Why an order may not go: the limit, the value that met it, and what a person can do."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Refusal(NamedTuple):
    """One limit that an order does not keep.

    `passing`: it will be kept by itself some time later (a rate), so the order may wait for it.
    """

    limit: str
    value: str
    allowed: str
    remedy: str
    passing: bool = False

    def __str__(self) -> str:
        return f"{self.limit}: {self.value}; allowed: {self.allowed}. {self.remedy}"


def raise_limit(name: str, account: str) -> str:
    """Return the remedy of everything that a person may decide to allow."""
    return f"Change the order, or the limit: ibkeeper limits set {name} VALUE --account {account}."


def shown(value: Decimal) -> str:
    """Return a number as a person writes it: without exponent, without empty decimals."""
    return f"{value.normalize():f}" if value.is_finite() else str(value)
