"""Risk as a rule book: what it accepts keeps every limit, and tighter facts never help."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ibcore.risk import Facts, Limits, ProposedOrder, Quote, assess
from ibcore.risk.exposure import notional_of, position_after

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
    working_buy=amounts,
    working_sell=amounts,
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
        after = position_after(order, known.position, known)
        assert abs(after) <= max(held.max_position, abs(known.position))
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
