"""What orders do to positions: contract by contract, and each quantity once.

    order ──► moves: each contract that it trades, a combination by its legs (ratio × quantity)
    moves of all that works, and its own ──► most: what one side of a contract may still execute

Of orders that cancel each other (an OCA group; the children of one bracket, which IB ties so) only
the largest counts. A child lives once its parent is filled: what it trades back of the parent's
own move adds nothing while the parent still works.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from ibcore.risk.facts import ZERO, Facts, Move, ProposedOrder, Quote, Side


class Effect(NamedTuple):
    """What an order does to one contract: held now (None: unknown), and after all of it."""

    name: str
    held: Decimal | None
    move: Move
    after: Decimal

    @property
    def reduces(self) -> bool:
        """Say whether it makes what is held smaller, and no more than that."""
        held = self.held
        return held is not None and abs(self.after) <= abs(held) and self.after * held >= 0


def moves(order: ProposedOrder) -> tuple[Move, ...]:
    """Return what the order trades, one move a contract."""
    parent = moves(order.parent) if order.parent is not None else ()
    made = []
    for con_id, signed in _signed(order):
        side = Side.buy if signed > 0 else Side.sell
        covered = sum((m.quantity for m in parent if m.con_id == con_id and m.side != side), ZERO)
        made.append(Move(con_id, side, abs(signed), order.group, order.family, covered))
    return tuple(made)


def _signed(order: ProposedOrder) -> Iterator[tuple[int, Decimal]]:
    if not order.legs:
        yield order.con_id, order.sign * order.quantity
    for leg in order.legs:
        yield leg.con_id, order.sign * leg.ratio * order.quantity


def closes_parent(order: ProposedOrder, working: Iterable[Move] = ()) -> bool:
    """Say whether all that a child trades gives back what its parent is about to trade.

    `working`: what may give back the same already, such as another exit that is not tied to it.
    """
    before = tuple(working)
    return order.parent is not None and all(
        own.quantity <= own.covered
        and most((*before, own), own.con_id, own.side) == most(before, own.con_id, own.side)
        for own in moves(order)
    )


def most(working: Iterable[Move], con_id: int, side: str) -> Decimal:
    """Return how much of a contract one side may execute, if everything that can be is filled."""
    groups: dict[str, list[Move]] = defaultdict(list)
    for place, move in enumerate(working):
        if (move.con_id, move.side) == (con_id, side):
            groups[move.group or move.family or f"alone {place}"].append(move)
    needed: dict[str, Decimal] = defaultdict(lambda: ZERO)
    covered: dict[str, Decimal] = {}
    for members in groups.values():
        families = {move.family for move in members}
        family = families.pop() if len(families) == 1 else ""
        needed[family] += max(move.quantity for move in members)
        cover = min(move.covered for move in members) if family else ZERO
        covered[family] = min(covered.get(family, cover), cover)
    return sum((max(ZERO, need - covered[family]) for family, need in needed.items()), ZERO)


def effects(order: ProposedOrder, facts: Facts, *, as_if_alone: bool = False) -> Iterator[Effect]:
    """Yield each contract's position when this order and all that work on its side are filled.

    `as_if_alone`: what the order itself trades counts in full, also what its parent covers.
    """
    if not order.quantity.is_finite():
        return
    for own in moves(order):
        move = own._replace(covered=ZERO) if as_if_alone else own
        name, held = order.symbol, facts.position
        if order.legs:
            leg = facts.contracts.get(move.con_id)
            name = f"{leg.name if leg else 'an unknown leg'} (con id {move.con_id})"
            held = leg.position if leg else None
        sign = 1 if move.side == Side.buy else -1
        total = most((*facts.working, move), move.con_id, move.side)
        yield Effect(name, held, move, (held or ZERO) + sign * total)


def natural(order: ProposedOrder, facts: Facts) -> Quote | None:
    """Return what a combination could be bought and sold at now, as old as its oldest quote."""
    quotes = []
    for leg in order.legs:
        found = facts.contracts.get(leg.con_id)
        if found is None or found.quote is None:
            return None
        quotes.append((leg.ratio, found.quote))
    bids = [(q.bid if ratio > 0 else q.ask, ratio) for ratio, q in quotes]
    asks = [(q.ask if ratio > 0 else q.bid, ratio) for ratio, q in quotes]
    qualities = sorted((q.quality for _, q in quotes), key=lambda each: each == "live")
    age_s = max(q.age_s for _, q in quotes)
    return Quote(_sum(bids), _sum(asks), None, age_s, qualities[0])


def _sum(prices: Iterable[tuple[Decimal | None, int]]) -> Decimal | None:
    total = ZERO
    for price, ratio in prices:
        if price is None:
            return None
        total += ratio * price
    return total


def multiplier(order: ProposedOrder, facts: Facts) -> Decimal:
    """Return what a price of 1 is worth; of a combination the largest of its legs'."""
    if not order.legs:
        return order.multiplier
    found = [facts.contracts.get(leg.con_id) for leg in order.legs]
    known = [leg.multiplier for leg in found if leg is not None and leg.sec_type]
    # One that nobody knows is taken for an option, as the combination itself is.
    return max(known if len(known) == len(found) else [order.multiplier, *known])
