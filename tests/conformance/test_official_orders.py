"""The official client's order round trip: placed, changed, filled, cancelled, refused, listed."""

from __future__ import annotations

from typing import Any

import pytest
from ibapi.contract import ComboLeg, Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.order_cancel import OrderCancel
from ibapi.order_condition import Create, OrderCondition
from ibapi.tag_value import TagValue

from ibcore.sim.threaded import ThreadedGateway
from tests.conformance.official import OfficialClient, contract, official_client

pytestmark = pytest.mark.ib_gateway(cadence_scale=0.2)
APPLE = contract(symbol="AAPL", secType="STK")


def order(action: str, quantity: int, kind: str, **given: Any) -> Order:
    made = Order()
    made.action, made.totalQuantity, made.orderType = action, quantity, kind
    made.tif = "DAY"  # left blank it is preset, with a notice (10349)
    for name, value in given.items():
        setattr(made, name, value)
    return made


def next_id(client: OfficialClient) -> int:
    return int(client.first("nextValidId")[0])


def status(client: OfficialClient, order_id: int, wanted: str) -> tuple[Any, ...]:
    """Wait until the order has the status; return what orderStatus said."""
    return client.first("orderStatus", lambda *said: said[:2] == (order_id, wanted))


def test_a_market_order_is_filled_and_reported(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        order_id = next_id(client)
        client.placeOrder(order_id, APPLE, order("BUY", 1, "MKT"))
        said = status(client, order_id, "Filled")
        assert (float(said[2]), float(said[3])) == (1.0, 0.0)
        _, filled_contract, execution = client.first("execDetails")
        assert (filled_contract.conId, execution.side) == (265598, "BOT")
        report = client.first("commissionAndFeesReport")[0]
        assert report.execId == execution.execId
        client.reqExecutions(77, ExecutionFilter())
        assert client.first("execDetails", lambda req_id, *_: req_id == 77)[2].execId
        client.first("execDetailsEnd")
        client.reqPositions()
        client.first("positionEnd")
        assert [(p[1].symbol, float(p[2])) for p in client.of("position")] == [("AAPL", 1.0)]
        client.reqCompletedOrders(False)
        client.first("completedOrdersEnd")
        assert client.of("completedOrder")[0][2].completedStatus


def test_a_limit_order_rests_is_changed_and_cancelled(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        order_id = next_id(client)
        resting = order("BUY", 5, "LMT", lmtPrice=20.0)
        client.placeOrder(order_id, APPLE, resting)
        client.first("openOrder")
        client.first("orderStatus")
        resting.lmtPrice = 21.5
        client.placeOrder(order_id, APPLE, resting)
        client.first("openOrder", lambda _id, _contract, said, _state: said.lmtPrice == 21.5)
        client.reqOpenOrders()
        client.first("openOrderEnd")
        client.cancelOrder(order_id, OrderCancel())
        status(client, order_id, "Cancelled")
        assert client.first("error", lambda *said: said[0] == order_id)[2] == 202


def test_a_what_if_order_tells_its_margins_and_places_nothing(
    ib_gateway: ThreadedGateway,
) -> None:
    with official_client(ib_gateway.port) as client:
        order_id = next_id(client)
        client.placeOrder(order_id, APPLE, order("BUY", 100, "MKT", whatIf=True))
        state = client.first("openOrder")[3]
        assert float(state.initMarginChange) > 0
        client.reqOpenOrders()
        client.first("openOrderEnd")
        assert len(client.of("openOrder")) == 1


def test_a_bracket_goes_in_as_three_orders(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        parent = next_id(client)
        legs = [
            order("BUY", 2, "LMT", lmtPrice=20.0, transmit=False),
            order("SELL", 2, "LMT", lmtPrice=900.0, parentId=parent, transmit=False),
            order("SELL", 2, "STP", auxPrice=10.0, parentId=parent),
        ]
        for number, leg in enumerate(legs):
            client.placeOrder(parent + number, APPLE, leg)
        client.until(
            lambda: {said[0] for said in client.of("openOrder")} == {*range(parent, parent + 3)}
        )
        client.reqGlobalCancel(OrderCancel())
        for number in range(3):
            status(client, parent + number, "Cancelled")


def test_an_order_id_that_was_used_is_refused(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        order_id = next_id(client)
        client.placeOrder(order_id, APPLE, order("BUY", 1, "MKT"))
        status(client, order_id, "Filled")
        client.placeOrder(order_id, APPLE, order("BUY", 1, "MKT"))
        assert client.first("error", lambda *said: said[0] == order_id)[2] in {103, 104}


def test_profit_and_loss_is_streamed(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        client.placeOrder(next_id(client), APPLE, order("BUY", 10, "MKT"))
        status(client, next_id(client), "Filled")
        client.reqPnL(31, "DU1234567", "")
        client.first("pnl")
        client.cancelPnL(31)
        client.reqPnLSingle(32, "DU1234567", "", 265598)
        assert float(client.first("pnlSingle")[1]) == 10.0
        client.cancelPnLSingle(32)


def spread(ib_gateway: ThreadedGateway) -> Contract:
    """Return a call spread of the last expiry, at the money."""
    chain = ib_gateway.ask(lambda gateway: gateway.source.universe.options("AAPL"))
    calls = sorted((c for c in chain if c.right == "C" and c.strike > 230), key=_expiry_and_strike)
    bag = contract(symbol="AAPL", secType="BAG")
    bag.comboLegs = []
    for call, action in zip(calls[:2], ("BUY", "SELL"), strict=True):
        leg = ComboLeg()
        leg.conId, leg.ratio, leg.action, leg.exchange = call.con_id, 1, action, "SMART"
        bag.comboLegs.append(leg)
    return bag


def _expiry_and_strike(listed: Any) -> tuple[int, float]:
    return -int(listed.expiry), listed.strike


def test_a_spread_is_quoted_and_fills_leg_by_leg(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        order_id, bag = next_id(client), spread(ib_gateway)
        client.reqMktData(61, bag, "", False, False, [])
        bid = client.first("tickPrice", lambda req_id, kind, *_: (req_id, kind) == (61, 1))[2]
        ask = client.first("tickPrice", lambda req_id, kind, *_: (req_id, kind) == (61, 2))[2]
        assert bid < ask
        client.cancelMktData(61)
        client.placeOrder(order_id, bag, order("BUY", 1, "MKT"))
        said = status(client, order_id, "Filled")
        client.until(lambda: len(client.of("commissionAndFeesReport")) == 2)
        done = [(made.secType, told.side, told.price) for _, made, told in client.of("execDetails")]
        assert [(kind, side) for kind, side, _ in done] == [
            ("BAG", "BOT"), ("OPT", "BOT"), ("OPT", "SLD"),
        ]  # fmt: skip
        assert abs(done[0][2] - (done[1][2] - done[2][2])) < 1e-6
        assert abs(float(said[4]) - done[0][2]) < 1e-6
        _, echoed, _, _ = client.first("openOrder")
        assert [leg.conId for leg in echoed.comboLegs] == [leg.conId for leg in bag.comboLegs]
        assert (echoed.conId, echoed.tradingClass) == (28812380, "COMB")


def test_an_algorithm_and_a_time_to_begin_are_told_again(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        order_id = next_id(client)
        adaptive = order("BUY", 1, "LMT", lmtPrice=20.0, algoStrategy="Adaptive")
        adaptive.algoParams = [TagValue("adaptivePriority", "Urgent")]
        client.placeOrder(order_id, APPLE, adaptive)
        later = order("BUY", 1, "MKT", goodAfterTime="20991231 10:00:00 US/Eastern")
        client.placeOrder(order_id + 1, APPLE, later)
        told = client.first("openOrder", lambda number, *_: number == order_id)[2]
        assert (told.algoStrategy, told.algoParams[0].value) == ("Adaptive", "Urgent")
        told = client.first("openOrder", lambda number, *_: number == order_id + 1)[2]
        assert told.goodAfterTime == later.goodAfterTime
        status(client, order_id, "Submitted")
        assert not client.of("execDetails")


@pytest.mark.ib_gateway(cadence_scale=0.2, master_client_id=5)
def test_the_master_client_hears_of_the_orders_of_others(ib_gateway: ThreadedGateway) -> None:
    with (
        official_client(ib_gateway.port, 5) as master,
        official_client(ib_gateway.port, 1) as client,
        official_client(ib_gateway.port, 2) as other,
    ):
        next_id(other)
        client.placeOrder(next_id(client), APPLE, order("BUY", 1, "MKT"))
        report = master.first("commissionAndFeesReport")[0]
        assert master.first("execDetails")[2].execId == report.execId
        assert {said[2].clientId for said in master.of("openOrder")} == {1}
        other.reqCurrentTime()
        other.first("currentTime")
        assert not other.of("openOrder") + other.of("execDetails") + other.of("orderStatus")


def test_conditions_hold_an_order_back_and_let_it_go(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        order_id = next_id(client)
        for number, is_more in enumerate((True, False)):
            condition = Create(OrderCondition.Price)
            condition.conId, condition.exchange, condition.price = 265598, "SMART", 9000.0
            condition.isMore, condition.triggerMethod = is_more, 0
            held = order("BUY", 1, "MKT")
            held.conditions = [condition]
            client.placeOrder(order_id + number, APPLE, held)
        status(client, order_id + 1, "Filled")
        assert {said[2].orderId for said in client.of("execDetails")} == {order_id + 1}
        told = client.first("openOrder", lambda number, *_: number == order_id)[2]
        assert [(c.conId, c.price, c.isMore) for c in told.conditions] == [(265598, 9000.0, True)]
