"""The book against a quote that is set by hand: what trades, what waits, what it leaves behind."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.sim.contracts import Contract
from ibcore.sim.positions import START_CASH, Portfolio
from tests.property.sim_floor import AAPL, CALL, Floor


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_a_fill_takes_what_is_displayed_and_no_more_until_the_quote_changes(floor: Floor) -> None:
    ticket = floor.place("MKT", 700)
    floor.book.turn()
    floor.book.turn()
    assert (ticket.filled, ticket.status) == (500, "Submitted")
    late = floor.place("MKT", 10)
    floor.book.turn()
    assert late.filled == 0
    floor.hand.quote(200.0, 300.0, 200.2, 900.0, last=200.05)
    floor.book.turn()
    assert (ticket.filled, ticket.status, late.status) == (700, "Filled", "Filled")
    assert ticket.average == pytest.approx((500 * 200.1 + 200 * 200.2) / 700)


def test_a_limit_trades_at_the_quote_and_never_beyond_itself(floor: Floor) -> None:
    buy = floor.place("LMT", lmt_price=200.05)
    better = floor.place("LMT", lmt_price=201.0)
    floor.book.turn()
    assert (buy.status, better.status) == ("Submitted", "Filled")
    assert better.fills[0].price == 200.1
    floor.hand.quote(199.9, 100.0, 200.0, 100.0, last=200.0)
    floor.book.turn()
    assert buy.fills[0].price == 200.0


def test_fill_or_kill_does_neither_half(floor: Floor) -> None:
    assert_all = floor.place("MKT", 501, tif="FOK")
    fits = floor.place("MKT", 500, tif="FOK")
    floor.book.turn()
    assert (assert_all.status, assert_all.filled) == ("Cancelled", 0)
    assert fits.status == "Filled"


def test_all_or_none_waits_for_size(floor: Floor) -> None:
    ticket = floor.place("MKT", 600, all_or_none=1)
    floor.book.turn()
    assert ticket.filled == 0
    floor.hand.quote(200.0, 300.0, 200.1, 600.0, last=200.05)
    floor.book.turn()
    assert ticket.status == "Filled"


def test_a_buy_stop_triggers_on_the_last_price_and_then_is_a_market_order(floor: Floor) -> None:
    ticket = floor.place("STP", aux_price=200.5)
    floor.book.turn()
    assert (ticket.status, ticket.why_held) == ("PreSubmitted", "trigger")
    floor.hand.quote(200.6, 300.0, 200.7, 500.0, last=200.4)
    floor.book.turn()
    assert ticket.status == "PreSubmitted"
    floor.hand.quote(200.6, 300.0, 200.7, 500.0, last=200.5)
    floor.book.turn()
    assert (ticket.status, ticket.average) == ("Filled", 200.7)


def test_a_stop_limit_may_trigger_and_rest(floor: Floor) -> None:
    ticket = floor.place("STP LMT", aux_price=200.5, lmt_price=200.55)
    floor.hand.quote(200.6, 300.0, 200.7, 500.0, last=200.5)
    floor.book.turn()
    assert (ticket.status, ticket.why_held, ticket.filled) == ("Submitted", "", 0)
    floor.hand.quote(200.4, 300.0, 200.5, 500.0, last=200.5)
    floor.book.turn()
    assert ticket.status == "Filled"


@pytest.mark.parametrize(
    ("method", "quote", "last", "expected"),
    [
        (2, (200.0, 1.0, 200.1, 1.0), 201.0, True),
        (2, (201.0, 1.0, 201.1, 1.0), 200.0, False),
        (4, (201.0, 1.0, 201.1, 1.0), 200.0, True),
        (7, (200.0, 1.0, 200.1, 1.0), 201.0, True),
        (8, (200.0, 1.0, 202.2, 1.0), 200.0, True),
        (8, (200.0, 1.0, 201.0, 1.0), 201.0, False),
    ],
)
def test_a_trigger_method_says_which_price_counts(
    floor: Floor, method: int, quote: tuple[float, ...], last: float, expected: bool
) -> None:
    ticket = floor.place("STP", 1, aux_price=201.0, trigger_method=method)
    floor.hand.quote(*quote, last=last)
    floor.book.turn()
    assert ticket.triggered is expected


def test_a_trailing_sell_follows_up_and_not_down(floor: Floor) -> None:
    ticket = floor.place("TRAIL", action="SELL", aux_price=1.0)
    for last, stop in ((200.05, 199.05), (205.0, 204.0), (204.5, 204.0)):
        floor.hand.quote(last - 0.1, 300.0, last + 0.1, 500.0, last=last)
        floor.book.turn()
        assert ticket.stop == stop
    floor.hand.quote(203.9, 300.0, 204.1, 500.0, last=204.0)
    floor.book.turn()
    assert (ticket.status, ticket.average) == ("Filled", 203.9)


def test_a_trailing_buy_by_percentage_keeps_its_limit_beyond_the_stop(floor: Floor) -> None:
    ticket = floor.place("TRAIL LIMIT", trailing_percent=1, lmt_price_offset=0.5)
    floor.book.turn()
    assert (ticket.stop, ticket.limit) == (202.05, 202.55)
    floor.hand.quote(189.9, 300.0, 190.1, 500.0, last=190.0)
    floor.book.turn()
    assert (ticket.stop, ticket.limit) == (191.9, 192.4)


@pytest.mark.parametrize(("oca_type", "left"), [(1, 0), (2, 50), (3, 50)])
def test_an_oca_group_shrinks_or_dies(floor: Floor, oca_type: int, left: int) -> None:
    rest = floor.place("LMT", lmt_price=190.0, oca_group="g", oca_type=oca_type)
    part = floor.place("LMT", 1000, lmt_price=200.1, oca_group="g", oca_type=oca_type)
    floor.book.turn()
    assert part.filled == 500
    assert rest.remaining == left or rest.status == "Cancelled"
    assert (rest.status == "Cancelled") is (oca_type == 1)


def test_without_block_both_of_a_group_may_trade_in_one_turn(floor: Floor) -> None:
    for oca_type, filled in ((3, [100, 100]), (1, [100, 0])):
        pair = [floor.place("MKT", oca_group=f"g{oca_type}", oca_type=oca_type) for _ in range(2)]
        floor.book.turn()
        assert [ticket.filled for ticket in pair] == filled


def test_children_wait_for_the_whole_parent(floor: Floor) -> None:
    parent = floor.place("MKT", 700, transmit=0)
    child = floor.place("LMT", 700, action="SELL", lmt_price=200.0, parent_id=1)
    floor.book.turn()
    assert (parent.filled, child.why_held) == (500, "child")
    floor.hand.quote(200.0, 900.0, 200.2, 900.0, last=200.05)
    floor.book.turn()
    floor.book.turn()
    assert [parent.status, child.status] == ["Filled", "Filled"]
    assert child.oca_group == str(parent.perm_id)


def test_a_cancelled_parent_takes_its_children_with_it(floor: Floor) -> None:
    floor.place("LMT", lmt_price=190.0, transmit=0)
    child = floor.place("LMT", action="SELL", lmt_price=210.0, parent_id=1)
    floor.trading.desk.cancel(floor.client, 1)  # type: ignore[arg-type]
    floor.book.turn()
    assert child.status == "Cancelled"
    assert floor.client.codes == [202, 202]


def test_a_fill_may_beat_a_cancel_only_before_it_is_asked(floor: Floor) -> None:
    ticket = floor.place("MKT")
    floor.trading.desk.cancel(floor.client, ticket.order_id)  # type: ignore[arg-type]
    floor.book.turn()
    assert (ticket.status, ticket.filled) == ("Cancelled", 0)


@pytest.mark.parametrize(
    ("tif", "until", "hours", "alive"),
    [
        ("DAY", "", 13, True),
        ("DAY", "", 14, False),
        ("GTC", "", 400, True),
        ("GTD", "20261124 10:00:00 US/Eastern", 23, True),
        ("GTD", "20261124 10:00:00 US/Eastern", 24, False),
        ("GTD", "20261124-15:00:00", 24, False),
    ],
)
def test_an_order_lives_as_long_as_its_time_in_force(
    floor: Floor, tif: str, until: str, hours: int, alive: bool
) -> None:
    ticket = floor.place("LMT", lmt_price=150.0, tif=tif, good_till_date=until)
    floor.hand.at += timedelta(hours=hours)
    floor.book.turn()
    assert ticket.done is not alive


def test_a_change_keeps_what_was_filled(floor: Floor) -> None:
    ticket = floor.place("LMT", 700, lmt_price=200.1)
    floor.book.turn()
    assert floor.try_place("LMT", 400, lmt_price=200.1, order_id=1) is ticket
    assert floor.ledger.events[-1].what == "refused"
    floor.try_place("LMT", 600, lmt_price=200.2, order_id=1)
    assert (ticket.quantity, ticket.limit, ticket.remaining) == (600, 200.2, 100)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"action": "SELL"}, 105), ({"contract": CALL}, 105), ({"kind": "MKT"}, 329),
     ({"lmt_price": 150.005}, 110)],
)  # fmt: skip
def test_a_change_that_makes_another_order_is_refused(
    floor: Floor, change: dict[str, Any], code: int
) -> None:
    ticket = floor.place("LMT", lmt_price=150.0)
    floor.try_place(**{"kind": "LMT", "lmt_price": 150.0, "order_id": 1, **change})
    assert floor.client.codes == [code]
    assert (ticket.limit, ticket.done) == (150.0, False)


def test_margin_refuses_what_the_account_cannot_carry_and_lets_it_close(floor: Floor) -> None:
    ticket = floor.place("MKT", 100_000)
    assert (ticket.status, floor.client.codes) == ("Inactive", [201])
    names = [name for name, _ in floor.client.heard]
    assert names == ["order_status"]
    floor.book.portfolio.trade(AAPL, 25_000, price=200.0, commission=0.0)
    assert floor.place("MKT", 100, action="SELL").status == "PreSubmitted"


def test_boards_are_held_for_live_orders_only(floor: Floor) -> None:
    ticket = floor.place("LMT", 1, contract=CALL, lmt_price=4.0)
    assert floor.hand.held == 1
    floor.book.cancel(ticket)
    assert floor.hand.held == 0


def test_a_correction_is_booked_as_if_it_had_always_been_so(floor: Floor) -> None:
    first = floor.place("MKT")
    floor.book.turn()
    floor.place("MKT", action="SELL")
    floor.book.turn()
    old = first.fills[0].exec_id
    fill = floor.book.correct(old, price=190.0, shares=50)
    assert fill.exec_id == old[:-2] + "02"
    assert (first.filled, first.average) == (50, 190.0)
    cash = START_CASH - 50 * 190.0 - 1 + 100 * 200.0 - 1
    assert floor.book.portfolio.cash == pytest.approx(cash)
    assert floor.book.portfolio.positions[AAPL.con_id].quantity == -50
    assert floor.book.correct(fill.exec_id, shares=0).exec_id.endswith(".03")


def test_a_fill_that_is_busted_leaves_the_ledger_as_it_was(floor: Floor) -> None:
    floor.place("MKT")
    floor.book.turn()
    before = list(floor.ledger.fills)
    floor.book.correct(before[0].exec_id, shares=0)
    assert floor.ledger.fills[:1] == before
    assert floor.book.portfolio.cash == START_CASH


@given(
    st.lists(
        st.tuples(st.integers(-500, 500).filter(bool), st.integers(1, 50_000), st.integers(0, 300)),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([AAPL, CALL]),
)
def test_profit_is_what_cash_and_positions_say(
    trades: list[tuple[int, int, int]], contract: Contract
) -> None:
    portfolio = Portfolio()
    for quantity, cents, fee in trades:
        portfolio.trade(contract, quantity, price=cents / 100, commission=fee / 100)

    def mark(_contract: Contract) -> float:
        return 123.45

    profit = portfolio.realized + portfolio.unrealized(mark)
    assert portfolio.equity(mark) - START_CASH == pytest.approx(profit, abs=1e-4)
    position = portfolio.positions[contract.con_id]
    assert position.quantity == sum(quantity for quantity, _, _ in trades)


def test_an_order_begins_when_its_good_after_time_has_come(floor: Floor) -> None:
    ticket = floor.place("MKT", good_after_time="20261123 11:00:00 US/Eastern")
    floor.book.turn()
    assert (ticket.status, ticket.filled) == ("PreSubmitted", 0)
    floor.hand.at += timedelta(hours=1)
    floor.book.turn()
    assert ticket.status == "Filled"


def test_a_day_order_that_begins_later_lives_through_that_day(floor: Floor) -> None:
    ticket = floor.place("LMT", lmt_price=150.0, good_after_time="20261125-15:00:00")
    for hours, alive in ((47, True), (50, True), (70, False)):
        floor.hand.at = datetime(2026, 11, 23, 15, 0, tzinfo=timezone.utc) + timedelta(hours=hours)
        floor.book.turn()
        assert ticket.done is not alive


@pytest.mark.parametrize("name", ["good_after_time", "good_till_date"])
def test_a_time_that_is_none_is_refused(floor: Floor, name: str) -> None:
    times = {"good_till_date": "20261125-15:00:00", name: "tomorrow"}
    assert floor.try_place("LMT", lmt_price=150.0, tif="GTD", **times) is None
    assert floor.client.codes == [391]


def test_an_order_of_a_closed_day_lives_to_the_next_open_one() -> None:
    floor = Floor(trading_hours=True)
    floor.hand.at = datetime(2026, 11, 21, 15, 0, tzinfo=timezone.utc)  # a Saturday
    ticket = floor.place("LMT", lmt_price=201.0)
    floor.hand.at += timedelta(days=1)
    floor.book.turn()
    assert not ticket.done
    floor.hand.at += timedelta(days=1)  # Monday, 10:00 in New York
    floor.book.turn()
    floor.book.turn()
    assert ticket.status == "Filled"


def test_a_cancel_that_takes_its_time_may_lose_against_a_fill() -> None:
    floor = Floor(cancel_s=2.0)
    ticket = floor.place("LMT", lmt_price=200.0)
    floor.book.turn()
    floor.trading.desk.cancel(floor.client, ticket.order_id)  # type: ignore[arg-type]
    floor.book.turn()
    assert ticket.status == "PendingCancel"
    floor.hand.quote(199.8, 300.0, 200.0, 40.0, last=199.9)
    floor.book.turn()
    assert (ticket.status, ticket.filled) == ("PendingCancel", 40)
    floor.hand.quote(199.8, 300.0, 199.9, 400.0, last=199.9)
    floor.book.turn()
    assert (ticket.status, floor.client.codes) == ("Filled", [161])


def test_a_cancel_that_takes_its_time_wins_in_the_end() -> None:
    floor = Floor(cancel_s=2.0)
    ticket = floor.place("LMT", lmt_price=150.0)
    floor.trading.desk.cancel(floor.client, ticket.order_id)  # type: ignore[arg-type]
    floor.hand.at += timedelta(seconds=2)
    floor.book.turn()
    assert (ticket.status, floor.client.codes) == ("Cancelled", [202])


def test_a_change_to_what_is_filled_fills_the_order(floor: Floor) -> None:
    ticket = floor.place("LMT", 700, lmt_price=200.1)
    floor.book.turn()
    floor.try_place("LMT", 500, lmt_price=200.1, order_id=1)
    assert (ticket.status, ticket.remaining) == ("Filled", 0)
    assert floor.book.live == []


@pytest.mark.parametrize(
    "change", [{"quantity": 100_000}, {"lmt_price": 400.0}, {"algo_strategy": "MyOwn"}]
)
def test_a_change_that_would_be_refused_as_an_order_changes_nothing(
    floor: Floor, change: dict[str, Any]
) -> None:
    ticket = floor.place("LMT", lmt_price=150.0)
    floor.book.turn()
    floor.try_place(**{"kind": "LMT", "lmt_price": 150.0, "order_id": 1, **change})
    assert floor.client.codes == [201]
    assert (ticket.status, ticket.quantity, ticket.limit) == ("Submitted", 100, 150.0)


def test_a_correction_may_not_fill_more_than_was_ordered(floor: Floor) -> None:
    ticket = floor.place("LMT", 700, lmt_price=200.1)
    floor.book.turn()
    exec_id = ticket.fills[0].exec_id
    with pytest.raises(ValueError, match="701 would be filled of 700"):
        floor.book.correct(exec_id, shares=701)
    floor.book.correct(exec_id, shares=700)
    assert (ticket.status, ticket.filled) == ("Filled", 700)


def test_a_resting_limit_adds_liquidity_and_a_market_order_takes_it(floor: Floor) -> None:
    resting, taking = floor.place("LMT", lmt_price=200.0), floor.place("MKT")
    floor.book.turn()
    floor.hand.quote(199.9, 300.0, 200.0, 500.0, last=200.0)
    floor.book.turn()
    assert (resting.fills[0].liquidity, taking.fills[0].liquidity) == (1, 2)


PRICE = ("1", "a", "1", "205.0", str(AAPL.con_id), "SMART", "0")
TIME = ("3", "a", "1", "20261123 11:00:00 US/Eastern")


@pytest.mark.parametrize(
    ("conditions", "moved", "waited", "works"),
    [
        ((PRICE,), False, False, False),
        ((PRICE,), True, False, True),
        ((TIME,), False, True, True),
        ((PRICE, TIME), True, False, False),
        ((PRICE, TIME), True, True, True),
        ((("1", "o", *PRICE[2:]), TIME), False, True, True),
    ],
)
def test_an_order_begins_when_its_conditions_are_met(
    floor: Floor, conditions: Any, moved: bool, waited: bool, works: bool
) -> None:
    ticket = floor.place("MKT", conditions=conditions)
    floor.book.turn()
    floor.book.turn()
    assert (ticket.status, ticket.filled) == ("PreSubmitted", 0)
    if moved:
        floor.hand.quote(205.0, 300.0, 205.1, 500.0, last=205.05)
    floor.hand.at += timedelta(hours=1 if waited else 0)
    floor.book.turn()
    floor.hand.quote(200.0, 300.0, 200.1, 500.0, last=200.05)  # once met is met
    floor.book.turn()
    assert (ticket.status == "Filled") is works


def test_conditions_may_cancel_an_order_that_works_until_then(floor: Floor) -> None:
    ticket = floor.place("LMT", 700, lmt_price=200.1, conditions=(PRICE,),
                         conditions_cancel_order=1)  # fmt: skip
    floor.book.turn()
    assert ticket.filled == 500
    floor.hand.quote(205.0, 300.0, 205.1, 500.0, last=205.05)
    floor.book.turn()
    assert (ticket.status, floor.client.codes) == ("Cancelled", [202])


@pytest.mark.parametrize(
    "condition",
    [
        ("4", "a", "1", "30"),
        ("1", "a", "1", "5", str(CALL.con_id), "SMART", "0"),
        ("1", "a", "1", "5", "77", "SMART", "0"),
        ("1", "a", "1", "x", str(AAPL.con_id), "SMART", "0"),
        ("1", "a", "1", "5", str(AAPL.con_id), "SMART", "3"),
        ("3", "a", "1", "noon"),
    ],
)
def test_a_condition_that_nobody_watches_is_refused(floor: Floor, condition: Any) -> None:
    ticket = floor.place("MKT", conditions=(condition,))
    assert (ticket.status, floor.client.codes) == ("Inactive", [201])
