"""Risk as a rule book: what it accepts keeps every limit, and tighter facts never help."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import product

from hypothesis import assume, given
from hypothesis import strategies as st

from ibcore.risk import (
    Contract,
    Facts,
    Leg,
    Limits,
    Move,
    ProposedOrder,
    Quote,
    assess,
    closes_parent,
    effects,
)
from ibcore.risk.exposure import notional_of
from ibcore.risk.moves import most
from ibcore.risk.moves import moves as moves_of

NOW = datetime(2026, 11, 27, 15, 0, tzinfo=timezone.utc)
amounts = st.decimals(0, 10_000, places=2)
maybe = st.none() | amounts
quotes = st.none() | st.builds(
    Quote, maybe, maybe, maybe, st.floats(0, 100), st.sampled_from(["live", "delayed", "frozen"])
)
limits = st.builds(
    Limits,
    max_quantity=maybe,
    max_notional=maybe,
    price_collar_percent=maybe,
    max_working_orders=maybe,
    max_orders_per_s=maybe,
    max_orders_per_day=maybe,
    max_daily_loss=maybe,
    duplicate_window_s=maybe,
    max_position=maybe,
)
sides = st.sampled_from(["BUY", "SELL"])
# A group lies within one bracket, or in none; what the parent covers is the same for its children.
ties = st.sampled_from([("", ""), ("exit", ""), ("", "P"), ("a", "P"), ("b", "P")])
COVERED = {"": Decimal(0), "P": Decimal(70)}
moves = st.tuples(st.integers(1, 2), sides, st.integers(0, 99), ties).map(
    lambda made: Move(made[0], made[1], Decimal(made[2]), *made[3], covered=COVERED[made[3][1]])
)
working = st.lists(moves, max_size=6).map(tuple)
orders = st.builds(
    ProposedOrder,
    account=st.sampled_from(["DU1", "U1"]),
    symbol=st.just("SPY"),
    sec_type=st.sampled_from(["STK", "OPT", "BAG"]),
    con_id=st.just(1),
    side=st.sampled_from(["BUY", "SELL"]),
    quantity=st.decimals(-10, 10_000, places=1),
    order_type=st.sampled_from(["MKT", "LMT", "STP", "STP LMT", "TRAIL"]),
    limit_price=st.none() | st.decimals(-10, 10_000, places=2),
    stop_price=maybe,
    multiplier=st.sampled_from([Decimal(1), Decimal(100)]),
    replaces=maybe,
)
facts = st.builds(
    Facts,
    limits=limits,
    live_enabled=st.booleans(),
    stopped=st.none() | st.just("a test"),
    armed_until=st.none() | st.just(NOW) | st.just(NOW + timedelta(hours=1)),
    quote=quotes,
    position=st.none() | st.decimals(-10_000, 10_000, places=0),
    working=working,
    working_orders=st.integers(0, 100),
    sent_last_s=st.integers(0, 100),
    sent_today=st.integers(0, 10_000),
    alike_age_s=st.none() | st.floats(0, 100),
    daily_pnl=st.none() | st.decimals(-10_000, 10_000, places=2),
)


@given(orders, facts)
def test_what_is_accepted_keeps_every_limit(order: ProposedOrder, known: Facts) -> None:
    if assess(order, known, NOW):
        return
    held = known.limits
    assert known.stopped is None
    assert order.account == "DU1"  # the live account lacks an allow-list here
    assert order.quantity > 0
    if held.max_quantity is not None:
        assert order.quantity <= held.max_quantity
    if held.max_notional is not None:
        worth = notional_of(order, known)
        assert worth is not None
        assert worth <= held.max_notional
    if held.max_position is not None:
        assert known.position is not None
        (effect,) = effects(order, known)
        assert abs(effect.after) <= max(held.max_position, abs(known.position))
    if order.order_type == "MKT":
        assert known.quote is not None
        assert known.quote.age_s <= held.max_quote_age_s


@given(orders, facts)
def test_every_refusal_names_limit_value_and_remedy(order: ProposedOrder, known: Facts) -> None:
    for refusal in assess(order, known, NOW):
        assert refusal.limit
        assert refusal.value
        assert refusal.allowed
        assert refusal.remedy.endswith(".")


@given(orders, facts)
def test_the_kill_switch_refuses_everything(order: ProposedOrder, known: Facts) -> None:
    refused = assess(order, replace(known, stopped="a drill"), NOW)
    assert refused[0].limit == "kill_switch"


@given(orders, facts, st.integers(1, 1_000))
def test_more_of_anything_never_turns_a_refusal_into_a_pass(
    order: ProposedOrder, known: Facts, more: int
) -> None:
    if not assess(order, known, NOW):
        return
    worse = replace(
        known,
        working_orders=known.working_orders + more,
        sent_last_s=known.sent_last_s + more,
        sent_today=known.sent_today + more,
    )
    assert assess(order, worse, NOW)


@given(orders, facts)
def test_without_any_limit_only_sanity_and_freshness_can_refuse_paper(
    order: ProposedOrder, known: Facts
) -> None:
    paper = replace(order, account="DU1")
    found = {r.limit for r in assess(paper, replace(known, limits=Limits(), stopped=None), NOW)}
    assert found <= {"max_quantity", "max_quote_age_s", "limit_price", "stop_price"}


def worst(each: Sequence[Move]) -> Decimal:
    """Return the worst that can be executed: every way in which one of each group is the one."""
    groups: dict[str, list[Move]] = defaultdict(list)
    for place, move in enumerate(each):
        groups[move.group or move.family or str(place)].append(move)
    found = [Decimal(0)]
    for chosen in product(*groups.values()):
        families: dict[str, Decimal] = defaultdict(Decimal)
        for move in chosen:
            families[move.family] += move.quantity
        found.append(sum(max(Decimal(0), n - COVERED[f]) for f, n in families.items()))
    return max(found)


@given(working, st.integers(1, 2), sides)
def test_most_is_the_worst_of_all_ways_in_which_orders_can_cancel_each_other(
    each: tuple[Move, ...], con_id: int, side: str
) -> None:
    mine = [move for move in each if (move.con_id, move.side) == (con_id, side)]
    assert most(each, con_id, side) == worst(mine)


@given(working, moves)
def test_one_more_order_never_makes_a_side_smaller_nor_counts_twice(
    each: tuple[Move, ...], more: Move
) -> None:
    before = most(each, more.con_id, more.side)
    after = most((*each, more), more.con_id, more.side)
    assert before <= after <= before + more.quantity


legs = st.lists(
    st.builds(Leg, st.integers(11, 14), st.integers(-9, 9).filter(bool)),
    min_size=2, max_size=4, unique_by=lambda leg: leg.con_id,
)  # fmt: skip
positions = st.dictionaries(st.integers(11, 14), st.integers(-300, 300))


@given(
    orders=st.builds(
        ProposedOrder,
        account=st.just("DU1"),
        symbol=st.just("GOOG"),
        sec_type=st.just("BAG"),
        con_id=st.just(0),
        side=sides,
        quantity=st.integers(1, 40).map(Decimal),
        order_type=st.just("LMT"),
        limit_price=st.just(Decimal(-1)),
        legs=legs.map(tuple),
    ),
    held=positions,
    limit=st.integers(0, 400),
    at_work=st.integers(0, 50),
)
def test_a_combination_keeps_the_position_limit_of_every_leg_and_is_refused_for_nothing_else(
    orders: ProposedOrder, held: dict[int, int], limit: int, at_work: int
) -> None:
    contracts = {c: Contract("X", "GOOG", "OPT", Decimal(100), Decimal(n)) for c, n in held.items()}
    other = Move(orders.legs[0].con_id, "BUY", Decimal(at_work))
    known = Facts(Limits(max_position=Decimal(limit)), contracts=contracts, working=(other,))
    broken = False
    for place, leg in enumerate(orders.legs):
        signed = leg.ratio * orders.quantity * (1 if orders.side == "BUY" else -1)
        besides = at_work if place == 0 and signed > 0 else 0
        now = held.get(leg.con_id)
        after = (now or 0) + signed + besides
        smaller = now is not None and abs(after) <= abs(now) and after * now >= 0
        broken |= now is None or (abs(after) > limit and not smaller)
    refused = [refusal.limit for refusal in assess(orders, known, NOW)]
    assert bool(refused) is broken
    assert set(refused) <= {"max_position"}


@given(orders, orders, working)
def test_a_child_closes_its_parent_only_with_what_the_parent_opens(
    parent: ProposedOrder, child: ProposedOrder, each: tuple[Move, ...]
) -> None:
    assume(min(parent.quantity, child.quantity) > 0)
    tied = replace(child, parent=parent, family="P")
    assert not closes_parent(child, each)
    if closes_parent(tied, each):
        assert child.side != parent.side
        assert child.quantity <= parent.quantity
        (own,) = moves_of(tied)
        assert most((*each, own), 1, own.side) == most(each, 1, own.side)
