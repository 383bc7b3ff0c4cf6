"""Combinations (BAG): contracts made of legs, what they cost, and which are refused.

A combination is not in the universe: it is what a request says it is. Its quote is the natural
one, what its legs could be traded at now; below zero is a price like any other.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from ibcore.sim.contracts import Contract, Leg, Spec, Universe
from ibcore.sim.quotes import Quote

WIRE_CON_ID: Final = 28812380  # IB's one id of every combination in dollars (an ib-ruby recording)
_MOST_LEGS: Final = 8


def resolve(universe: Universe, spec: Spec, said: Sequence[Sequence[str]]) -> Contract | str:
    """Make the contract of a combination; a text says why there is none.

    `said` has contract id, ratio, action and exchange of each leg first.
    """
    if not said:
        return "Security type 'BAG' requires combo leg details."
    if len(said) > _MOST_LEGS:
        return f"Too many combo legs: {len(said)}."
    legs = [_leg(universe, *fields[:3]) for fields in said]
    problems = [leg for leg in legs if isinstance(leg, str)]
    if problems:
        return problems[0]
    made = [leg for leg in legs if isinstance(leg, Leg)]
    if len({leg.contract.con_id for leg in made}) < len(made):
        return "A contract is more than one leg of the combo."
    if len({leg.contract.multiplier for leg in made}) > 1:
        return "Not simulated: combos of contracts with different multipliers."
    return combination(spec.symbol, made)


def _leg(universe: Universe, con_id: str, ratio: str, action: str) -> Leg | str:
    contract = universe.by_id.get(_integer(con_id))
    if contract is None:
        return f"Invalid contract id of a combo leg: {con_id}."
    if contract.sec_type not in ("STK", "OPT", "FUT"):
        return f"A contract of type {contract.sec_type} cannot be a combo leg."
    if not 0 < _integer(ratio) <= 1_000:
        return f"Invalid ratio of a combo leg: {ratio}."
    if action not in ("BUY", "SELL", "SSHORT"):
        return f"Invalid action of a combo leg: {action}."
    return Leg(contract, _integer(ratio), action == "BUY")


def _integer(text: str) -> int:
    """Read a number that a client wrote; 0 for what is none, or has more digits than any id."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0


def combination(symbol: str, legs: Sequence[Leg]) -> Contract:
    """Build a combination; its id, a negative one, follows from its legs and is never sent."""
    told = ",".join(f"{leg.contract.con_id}|{leg.signed}" for leg in legs)
    first = legs[0].contract
    return Contract(
        replace(first.name, symbol=symbol or first.symbol),
        -1 - zlib.crc32(told.encode()) % (1 << 31),
        "BAG",
        str(WIRE_CON_ID),
        "COMB",
        0.01,
        legs=tuple(legs),
    )


def describe(contract: Contract) -> str:
    """Write the legs as openOrder does: contract id, ratio, below zero where it is sold."""
    return ",".join(f"{leg.contract.con_id}|{leg.signed}" for leg in contract.legs)


def natural(contract: Contract, quote: Callable[[Contract], Quote]) -> Quote:
    """Return what a combination could be sold and bought at; size 0 where a leg has no price."""
    quotes = [(leg, quote(leg.contract)) for leg in contract.legs]
    bid, bid_size = _side(quotes, selling=True)
    ask, ask_size = _side(quotes, selling=False)
    return Quote(bid, bid_size, ask, ask_size, -1.0)


def _side(quotes: Sequence[tuple[Leg, Quote]], *, selling: bool) -> tuple[float, float]:
    price, size = 0.0, math.inf
    for leg, quote in quotes:
        at, shown = quote.touch(buying=leg.is_buy != selling)
        if shown <= 0:
            return -1.0, 0.0
        price += leg.signed * at
        size = min(size, shown // leg.ratio)
    return round(price, 6), float(size)


def leg_prices(
    contract: Contract, price: float, quote: Callable[[Contract], Quote], *, buying: bool
) -> dict[int, float]:
    """Share a price out to the legs: each at its side of the quote, the first takes what is left.

    The sum over the legs is the price of the combination to the last digit that is sent.
    """
    prices: dict[int, float] = {}
    for leg in contract.legs:
        shown = quote(leg.contract)
        at, size = shown.touch(buying=leg.is_buy == buying)
        prices[leg.contract.con_id] = at if size > 0 else shown.mid
    if contract.legs:
        total = sum(leg.signed * prices[leg.contract.con_id] for leg in contract.legs)
        first = min(contract.legs, key=lambda leg: leg.ratio)
        prices[first.contract.con_id] += (price - total) / first.signed
    return {con_id: round(at, 6) for con_id, at in prices.items()}
