"""Orders through the real ib_async over a socket: placed, filled, changed, cancelled, accounted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone

import pytest
from ib_async import (
    IB,
    ExecutionFilter,
    LimitOrder,
    MarketOrder,
    Option,
    Order,
    PriceCondition,
    Stock,
    StopLimitOrder,
    StopOrder,
    TagValue,
    TimeCondition,
    Trade,
)

from ibcore import clock
from ibcore.sim.contracts import Spec
from ibcore.sim.hours import NEW_YORK
from ibcore.sim.orders import Order as SimOrder
from ibcore.sim.quotes import Quote
from ibcore.sim.server import Gateway, SimConfig
from sidecar.ib_compat import harden
from tests.integration.sim_client import eventually, raw_client

harden()
pytestmark = pytest.mark.anyio
AAPL = 265598


@asynccontextmanager
async def trader(gateway: Gateway, client_id: int = 1) -> AsyncIterator[IB]:
    ib = IB()
    await ib.connectAsync("127.0.0.1", gateway.port, clientId=client_id)
    try:
        yield ib
    finally:
        ib.disconnect()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(SimConfig(cadence_scale=0.1)) as running:
        yield running


@pytest.fixture
async def ib(gateway: Gateway) -> AsyncIterator[IB]:
    async with trader(gateway) as connected:
        yield connected


async def apple(ib: IB) -> Stock:
    [contract] = await ib.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
    return contract


def quote(gateway: Gateway) -> Quote:
    contract = gateway.source.universe.by_id[AAPL]
    marks = gateway.trading.book._marks
    return marks.quote(contract)


def statuses(gateway: Gateway, trade: Trade) -> list[str]:
    """Return the distinct statuses of an order, in order, as the ledger knows them."""
    events = gateway.ledger.orders.of(trade.order.clientId, trade.order.orderId)
    listed = [event.status for event in events if event.what == "status"]
    return [new for old, new in zip(["", *listed], listed, strict=False) if new != old]


def refused(gateway: Gateway, order_id: int) -> str:
    events = gateway.ledger.orders.of(1, order_id)
    return next(event.detail for event in reversed(events) if event.what == "refused")


async def filled(trade: Trade) -> None:
    await eventually(lambda: trade.isDone() and all(f.commissionReport.execId for f in trade.fills))
    assert trade.orderStatus.status == "Filled"


async def test_a_market_order_fills_at_the_ask_and_everything_moves(
    gateway: Gateway, ib: IB
) -> None:
    contract = await apple(ib)
    trade = ib.placeOrder(contract, MarketOrder("BUY", 100, tif="DAY"))
    await filled(trade)
    [fill] = trade.fills
    [record] = gateway.ledger.orders.fills_of(1, trade.order.orderId)
    assert (fill.execution.price, fill.execution.shares) == (record.price, 100)
    assert fill.execution.execId == record.exec_id
    assert fill.commissionReport.commission == record.commission == 1.0
    cash = 1_000_000 - 100 * record.price - 1.0
    await eventually(lambda: bool(ib.positions()))
    [position] = ib.positions()
    assert (position.position, round(position.avgCost, 6)) == (100, round(record.price + 0.01, 6))
    values = {value.tag: value.value for value in ib.accountValues() if value.currency == "USD"}
    assert values["CashBalance"] == f"{cash:.2f}"
    summary = {value.tag: value.value for value in await ib.accountSummaryAsync()}
    assert summary["TotalCashValue"] == f"{cash:.2f}"
    [item] = ib.portfolio()
    assert item.position == 100


async def test_a_round_trip_realizes_what_the_two_prices_say(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    await filled(ib.placeOrder(contract, MarketOrder("BUY", 100, tif="DAY")))
    sale = ib.placeOrder(contract, MarketOrder("SELL", 100, tif="DAY"))
    await filled(sale)
    first, second = gateway.ledger.orders.fills
    profit = 100 * (second.price - first.price) - 2.0
    assert sale.fills[0].commissionReport.realizedPNL == pytest.approx(profit)
    await eventually(lambda: not ib.positions())
    pnl = ib.reqPnL("DU1234567")
    await eventually(lambda: pnl.realizedPnL == pytest.approx(profit))
    assert pnl.unrealizedPnL == 0
    assert gateway.trading.book.portfolio.cash == pytest.approx(1_000_000 + profit)


async def test_pnl_of_a_position_follows_the_market(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    await filled(ib.placeOrder(contract, MarketOrder("BUY", 100, tif="DAY")))
    single = ib.reqPnLSingle("DU1234567", "", contract.conId)
    await eventually(lambda: single.position == 100)
    assert single.value == pytest.approx(single.unrealizedPnL + 100 * ib.positions()[0].avgCost)
    first = single.value
    await eventually(lambda: single.value != first)


async def test_a_limit_order_rests_is_changed_and_cancelled(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    order = LimitOrder("BUY", 100, 150.0, tif="GTC")
    trade = ib.placeOrder(contract, order)
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    assert ib.openTrades() == [trade]
    order.lmtPrice, order.totalQuantity = 151.0, 60
    ib.placeOrder(contract, order)
    [ticket] = gateway.trading.book.live
    await eventually(lambda: (ticket.limit, ticket.quantity) == (151.0, 60))
    await eventually(lambda: trade.orderStatus.remaining == 60)
    codes: list[int] = []
    ib.errorEvent += lambda _id, code, *_rest: codes.append(code)
    ib.cancelOrder(order)
    await eventually(lambda: trade.orderStatus.status == "Cancelled")
    assert statuses(gateway, trade) == ["PreSubmitted", "Submitted", "Cancelled"]
    await eventually(lambda: codes == [202])


async def test_a_limit_that_the_market_reaches_is_filled(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    gateway.trading.book._marks.hold(gateway.source.universe.by_id[AAPL])
    price = quote(gateway).bid
    trade = ib.placeOrder(contract, LimitOrder("BUY", 1, price, tif="DAY"))
    await filled(trade)
    assert trade.fills[0].execution.price <= price


@pytest.mark.parametrize("kind", ["STP", "STP LMT", "TRAIL", "TRAIL %", "TRAIL LIMIT"])
async def test_a_stop_waits_for_its_trigger(gateway: Gateway, ib: IB, kind: str) -> None:
    contract = await apple(ib)
    gateway.trading.book._marks.hold(gateway.source.universe.by_id[AAPL])
    last = quote(gateway).last
    orders = {
        "STP": StopOrder("SELL", 1, round(last - 0.03, 2), tif="DAY"),
        "STP LMT": StopLimitOrder("SELL", 1, round(last - 5, 2), round(last - 0.03, 2), tif="DAY"),
        "TRAIL": Order(action="SELL", totalQuantity=1, orderType="TRAIL", auxPrice=0.03, tif="DAY"),
        "TRAIL %": Order(action="SELL", totalQuantity=1, orderType="TRAIL", trailingPercent=0.02,
                         tif="DAY"),
        "TRAIL LIMIT": Order(action="SELL", totalQuantity=1, orderType="TRAIL LIMIT",
                             auxPrice=0.03, lmtPriceOffset=5, tif="DAY"),
    }  # fmt: skip
    trade = ib.placeOrder(contract, orders[kind])
    await eventually(lambda: trade.orderStatus.status == "PreSubmitted")
    assert trade.orderStatus.whyHeld == "trigger"
    await eventually(trade.isDone, within_s=40)
    assert trade.orderStatus.status == "Filled"


async def test_a_trailing_stop_only_ever_moves_the_right_way(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    order = Order(action="SELL", totalQuantity=1, orderType="TRAIL", trailingPercent=20, tif="GTC")
    ib.placeOrder(contract, order)
    await eventually(lambda: bool(gateway.trading.book.live))
    [ticket] = gateway.trading.book.live
    await eventually(lambda: ticket.stop is not None)
    stops = []
    for _ in range(200):
        await asyncio.sleep(0.005)
        stops.append(ticket.stop)
    assert stops == sorted(stops)
    [shown] = await ib.reqOpenOrdersAsync()
    assert shown.order.orderId == order.orderId


async def test_a_bracket_waits_is_filled_and_closes_itself(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    gateway.trading.book._marks.hold(gateway.source.universe.by_id[AAPL])
    ask = quote(gateway).ask
    parent, target, stop = ib.bracketOrder("BUY", 1, ask + 1, round(ask - 5, 2), 100.0, tif="GTC")
    trades = [ib.placeOrder(contract, order) for order in (parent, target, stop)]
    await eventually(lambda: trades[2].orderStatus.status == "Cancelled")
    assert [trade.orderStatus.status for trade in trades] == ["Filled", "Filled", "Cancelled"]
    assert statuses(gateway, trades[1])[0] == "PreSubmitted"
    sold, bought = (gateway.ledger.orders.fills[n] for n in (1, 0))
    assert bought.order_id == parent.orderId
    assert sold.order_id == target.orderId
    await eventually(lambda: not ib.positions())


async def test_nothing_of_a_bracket_works_before_the_last_is_transmitted(
    gateway: Gateway, ib: IB
) -> None:
    contract = await apple(ib)
    parent, target, stop = ib.bracketOrder("BUY", 1, 150.0, 300.0, 100.0, tif="GTC")
    trades = [ib.placeOrder(contract, order) for order in (parent, target)]
    await eventually(lambda: len(gateway.trading.book.live) == 2)
    assert await ib.reqAllOpenOrdersAsync() == []
    trades.append(ib.placeOrder(contract, stop))
    await eventually(lambda: trades[0].orderStatus.status == "Submitted")
    assert [trade.orderStatus.whyHeld for trade in trades] == ["", "child", "child,trigger"]
    ib.cancelOrder(parent)
    await eventually(lambda: all(trade.orderStatus.status == "Cancelled" for trade in trades))


@pytest.mark.parametrize("oca_type", [1, 2, 3])
async def test_an_oca_group_acts_as_one(gateway: Gateway, ib: IB, oca_type: int) -> None:
    contract = await apple(ib)
    low = LimitOrder("BUY", 10, 150.0, tif="GTC")
    other = LimitOrder("BUY", 4, 151.0, tif="GTC")
    trades = [
        ib.placeOrder(contract, order) for order in ib.oneCancelsAll([low, other], "one", oca_type)
    ]
    await eventually(lambda: all(trade.orderStatus.status == "Submitted" for trade in trades))
    book = gateway.trading.book
    first, second = book.live
    book._fill(second, 2, 151.0)  # half of it
    book.turn()
    if oca_type == 1:
        assert first.status == "Cancelled"
    else:
        assert (first.status, first.quantity) == ("Submitted", 5)
        book._fill(second, 2, 151.0)
        book.turn()
        assert first.status == "Cancelled"
    await eventually(lambda: trades[0].orderStatus.status == "Cancelled")


async def test_a_large_order_takes_only_what_is_displayed(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    trade = ib.placeOrder(contract, MarketOrder("BUY", 12_000, tif="DAY"))
    await eventually(trade.isDone, within_s=20)
    fills = gateway.ledger.orders.fills_of(1, trade.order.orderId)
    assert len(fills) > 1
    assert sum(fill.shares for fill in fills) == 12_000
    assert max(fill.shares for fill in fills) < 4_000
    average = sum(fill.shares * fill.price for fill in fills) / 12_000
    assert trade.orderStatus.avgFillPrice == pytest.approx(average)
    assert sum(fill.commission for fill in fills) == pytest.approx(60.0)


async def test_at_once_or_not_at_all(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    ioc = ib.placeOrder(contract, MarketOrder("BUY", 12_000, tif="IOC"))
    await eventually(ioc.isDone)
    assert ioc.orderStatus.status == "Cancelled"
    assert 0 < ioc.filled() < 12_000
    fok = ib.placeOrder(contract, MarketOrder("BUY", 12_000, tif="FOK"))
    await eventually(fok.isDone)
    assert (fok.orderStatus.status, fok.filled()) == ("Cancelled", 0)


async def test_what_if_says_the_margin_and_places_nothing(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    state = await ib.whatIfOrderAsync(contract, MarketOrder("BUY", 1000, tif="DAY"))
    assert float(state.initMarginBefore) == 0
    assert float(state.initMarginChange) == pytest.approx(0.25 * 1000 * 230, rel=0.05)
    assert float(state.initMarginAfter) == float(state.initMarginChange)
    assert state.commission == 5.0
    assert gateway.trading.book.live == []
    assert gateway.ledger.orders.fills == []


REFUSALS = {
    201: Order(action="BUY", totalQuantity=900_000, orderType="MKT", tif="DAY"),
    110: Order(action="BUY", totalQuantity=1, orderType="LMT", lmtPrice=100.005, tif="DAY"),
    387: Order(action="BUY", totalQuantity=1, orderType="MIDPRICE", tif="DAY"),
    434: Order(action="BUY", totalQuantity=0, orderType="MKT", tif="DAY"),
    10243: Order(action="BUY", totalQuantity=0.5, orderType="MKT", tif="DAY"),
    435: Order(action="BUY", totalQuantity=1, orderType="MKT", tif="DAY", account="U1"),
    135: Order(action="BUY", totalQuantity=1, orderType="MKT", tif="DAY", parentId=777),
    10268: Order(action="BUY", totalQuantity=1, orderType="MKT", tif="DAY", eTradeOnly=True),
    10269: Order(action="BUY", totalQuantity=1, orderType="MKT", tif="DAY", firmQuoteOnly=True),
}


@pytest.mark.parametrize("code", REFUSALS)
async def test_an_order_that_cannot_be_is_refused(gateway: Gateway, ib: IB, code: int) -> None:
    codes: list[int] = []
    ib.errorEvent += lambda _id, number, *_rest: codes.append(number)
    order = Order(**{**REFUSALS[code].__dict__, "orderId": 0})
    trade = ib.placeOrder(await apple(ib), order)
    await eventually(lambda: code in codes)
    assert gateway.trading.book.live == []
    if code == 201:
        assert trade.orderStatus.status == "Inactive"
        assert "EQUITY WITH LOAN VALUE" in refused(gateway, order.orderId)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lmtPrice": 500.0}, "too far outside"),
        ({"totalQuantity": 2_000_000}, "exceeds the limit"),
        ({"tif": "OPG"}, "OPG is not simulated"),
        ({"algoStrategy": "MyOwn"}, "the algorithm MyOwn"),
        ({"algoStrategy": "Vwap", "orderType": "STP", "auxPrice": 200.0}, "needs a market or"),
    ],
)
async def test_a_rejection_says_why(
    gateway: Gateway, ib: IB, change: dict[str, object], reason: str
) -> None:
    order = LimitOrder("BUY", 1, 200.0, tif="DAY")
    for name, value in change.items():
        setattr(order, name, value)
    trade = ib.placeOrder(await apple(ib), order)
    await eventually(trade.isDone)
    assert refused(gateway, order.orderId).startswith("Order rejected - reason:")
    assert reason in refused(gateway, order.orderId)


async def test_ids_are_the_clients_own_and_are_not_used_twice(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    trade = ib.placeOrder(contract, MarketOrder("BUY", 1, tif="DAY"))
    await filled(trade)
    codes: list[tuple[int, int]] = []
    ib.errorEvent += lambda number, code, *_rest: codes.append((number, code))
    ib.client.placeOrder(trade.order.orderId, contract, MarketOrder("BUY", 1, tif="DAY"))
    ib.client.placeOrder(1, contract, MarketOrder("BUY", 1, tif="DAY"))
    ib.client.cancelOrder(trade.order.orderId)
    ib.client.cancelOrder(9_000)
    await eventually(lambda: len(codes) == 4)
    used = trade.order.orderId
    assert codes == [(used, 104), (1, 103), (used, 10148), (9_000, 10147)]
    async with trader(gateway, 2) as other:
        assert other.client.getReqId() < 10
        assert other.openTrades() == []
        assert len(other.fills()) == 1


async def test_a_second_cancel_in_the_same_moment_is_161(gateway: Gateway, ib: IB) -> None:
    trade = ib.placeOrder(await apple(ib), LimitOrder("BUY", 1, 150.0, tif="GTC"))
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    codes: list[int] = []
    ib.errorEvent += lambda _id, code, *_rest: codes.append(code)
    ib.client.cancelOrder(trade.order.orderId)
    ib.client.cancelOrder(trade.order.orderId)
    await eventually(lambda: trade.orderStatus.status == "Cancelled" and len(codes) == 2)
    assert sorted(codes) == [161, 202]


async def test_orders_outlast_connections_and_only_their_client_sees_them(
    gateway: Gateway, ib: IB
) -> None:
    trade = ib.placeOrder(await apple(ib), LimitOrder("BUY", 1, 150.0, tif="GTC"))
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    ib.disconnect()
    async with trader(gateway, 2) as other:
        assert other.openTrades() == []
        [shown] = await other.reqAllOpenOrdersAsync()
        assert (shown.order.clientId, shown.order.permId) == (1, trade.order.permId)
        other.client.cancelOrder(trade.order.orderId)
        codes: list[int] = []
        other.errorEvent += lambda _id, code, *_rest: codes.append(code)
        await eventually(lambda: codes == [10147])
    async with trader(gateway, 1) as again:
        [own] = again.openTrades()
        assert again.client.getReqId() > own.order.orderId
        again.cancelOrder(own.order)
        await eventually(lambda: own.orderStatus.status == "Cancelled")


async def test_a_restart_keeps_orders_and_may_roll_ids_back(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    kept = ib.placeOrder(contract, LimitOrder("BUY", 1, 150.0, tif="GTC"))
    lost = ib.placeOrder(contract, LimitOrder("BUY", 1, 150.0, tif="GTC", transmit=False))
    await eventually(lambda: len(gateway.trading.book.live) == 2)
    before = gateway.trading.book.ids.next(1)
    gateway.trading.book.restart(keep_ids=True)
    assert gateway.trading.book.ids.next(1) == before == lost.order.orderId + 1
    gateway.trading.book.restart()
    assert gateway.trading.book.ids.next(1) == 1
    [ticket] = gateway.trading.book.live
    assert ticket.order_id == kept.order.orderId


async def test_completed_orders_and_executions_are_told_again(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    await filled(ib.placeOrder(contract, MarketOrder("BUY", 2, tif="DAY")))
    await filled(ib.placeOrder(contract, MarketOrder("SELL", 1, tif="DAY")))
    ib.disconnect()
    async with trader(gateway, 1) as again:
        completed = await again.reqCompletedOrdersAsync(False)
        assert [trade.order.filledQuantity for trade in completed] == [2, 1]
        assert len(await again.reqExecutionsAsync()) == 2
        [sale] = await again.reqExecutionsAsync(ExecutionFilter(side="SELL"))
        assert sale.execution.side == "SLD"
        assert await again.reqExecutionsAsync(ExecutionFilter(symbol="MSFT")) == []
        late = ExecutionFilter(time="20991231 00:00:00 UTC")
        assert await again.reqExecutionsAsync(late) == []


async def test_global_cancel_ends_every_clients_orders(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    async with trader(gateway, 2) as other:
        trades = [
            client.placeOrder(contract, LimitOrder("BUY", 1, 150.0, tif="GTC"))
            for client in (ib, other)
        ]
        await eventually(lambda: all(t.orderStatus.status == "Submitted" for t in trades))
        ib.reqGlobalCancel()
        await eventually(lambda: all(t.orderStatus.status == "Cancelled" for t in trades))


async def test_a_corrected_execution_comes_with_a_new_id(gateway: Gateway, ib: IB) -> None:
    trade = ib.placeOrder(await apple(ib), MarketOrder("BUY", 100, tif="DAY"))
    await filled(trade)
    old = trade.fills[0].execution
    gateway.trading.book.correct(old.execId, price=old.price - 1)
    await eventually(lambda: len(trade.fills) == 2)
    new = trade.fills[1].execution
    assert new.execId == old.execId[:-2] + "02"
    assert new.price == old.price - 1
    cash = gateway.trading.book.portfolio.cash
    assert cash == pytest.approx(1_000_000 - 100 * new.price - 1)
    assert gateway.ledger.orders.fills[-1].corrects == old.execId


async def test_an_order_without_time_in_force_is_told_of_the_preset_and_lives(
    gateway: Gateway, ib: IB
) -> None:
    codes: list[int] = []
    ib.errorEvent += lambda _id, code, *_rest: codes.append(code)
    trade = ib.placeOrder(await apple(ib), LimitOrder("BUY", 1, 150.0))
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    assert codes == [10349]


async def test_options_fill_in_contracts_and_cost_by_the_contract(gateway: Gateway, ib: IB) -> None:
    chain = gateway.source.universe.options("AAPL")
    known = next(c for c in chain if c.expiry > "20270101" and c.strike > 230)
    option = Option("AAPL", known.expiry, known.strike, known.right, "SMART", currency="USD")
    [option] = await ib.qualifyContractsAsync(option)
    trade = ib.placeOrder(option, MarketOrder("BUY", 2, tif="DAY"))
    await filled(trade)
    fills = gateway.ledger.orders.fills  # one, or two where only one contract is offered
    assert sum(fill.commission for fill in fills) == pytest.approx(1.3)
    await eventually(lambda: bool(ib.positions()))
    [position] = ib.positions()
    paid = sum(fill.price * fill.shares for fill in fills) / 2
    assert position.avgCost == pytest.approx(paid * 100 + 0.65)


async def test_orders_entered_by_hand_are_bound_to_client_0(gateway: Gateway) -> None:
    order = SimOrder({"action": "BUY", "total_quantity": "1", "order_type": "LMT",
                      "lmt_price": "150.0", "tif": "GTC"})  # fmt: skip
    spec = gateway.source.universe.by_id[AAPL]
    ticket = gateway.trading.by_hand.enter(order, Spec(con_id=spec.con_id))
    async with trader(gateway, 0) as master:
        [trade] = await master.reqOpenOrdersAsync()
        assert (trade.order.orderId, trade.order.permId) == (-1, ticket.perm_id)
        master.client.cancelOrder(-1)
        await eventually(lambda: ticket.status == "Cancelled")
    async with trader(gateway, 3) as other:
        codes: list[int] = []
        other.errorEvent += lambda _id, code, *_rest: codes.append(code)
        other.reqAutoOpenOrders(True)
        await eventually(lambda: codes == [327])


async def test_a_hook_can_swallow_messages_and_the_ledger_knows_better(
    gateway: Gateway, ib: IB
) -> None:
    swallowed: list[str] = []
    gateway.trading.wire.hook = lambda _session, kind, _values, _send: swallowed.append(kind)
    trade = ib.placeOrder(await apple(ib), MarketOrder("BUY", 1, tif="DAY"))
    await eventually(lambda: bool(gateway.ledger.orders.fills))
    assert trade.orderStatus.status == "PendingSubmit"
    assert swallowed == ["open_order", "order_status", "execution", "open_order", "order_status",
                         "open_order", "commission_report"]  # fmt: skip


async def test_the_frames_of_a_market_order_come_as_in_the_recording(
    gateway: Gateway, ib: IB
) -> None:
    await filled(ib.placeOrder(await apple(ib), MarketOrder("BUY", 100, tif="DAY")))
    written = next(item for item in gateway.ledger.requests if item.msg_id == 3)
    async with raw_client(gateway, 2) as client:
        client.send(3, 1, *written.fields[1:])
        frames = await client.until(59)
    # rust-ibapi_orders.txt, block (a): TSLA, 24 Feb 2023.
    assert [frame[0] for frame in frames] == ["5", "3", "11", "5", "3", "5", "59"]


class Fixed:
    """Stands at one moment of the wall clock."""

    monotonic = staticmethod(clock.monotonic)

    def __init__(self, local: str) -> None:
        self.at = datetime.strptime(local, "%Y-%m-%d %H:%M").replace(tzinfo=NEW_YORK)

    def utcnow(self) -> datetime:
        return self.at.astimezone(timezone.utc)

    def unix_ns(self) -> int:
        return int(self.at.timestamp() * 1e9)


@pytest.mark.parametrize(("now", "hours"), [("2026-11-21 12:00", "399"), ("2026-11-23 10:00", "")])
async def test_off_hours_an_order_waits_with_a_warning(now: str, hours: str) -> None:
    config = SimConfig(clock=Fixed(now), trading_hours=True, cadence_scale=0.1)
    async with Gateway(config) as gateway, trader(gateway) as ib:
        codes: list[str] = []
        ib.errorEvent += lambda _id, code, *_rest: codes.append(str(code))
        ib.placeOrder(await apple(ib), MarketOrder("BUY", 1, tif="DAY"))
        await eventually(lambda: bool(codes) or bool(gateway.ledger.orders.fills))
        assert "".join(codes) == hours
        assert bool(gateway.ledger.orders.fills) == (not hours)


async def test_the_master_client_hears_of_every_order_and_changes_none() -> None:
    config = SimConfig(cadence_scale=0.1, master_client_id=7)
    async with Gateway(config) as gateway, trader(gateway, 7) as master, trader(gateway) as ib:
        contract = await apple(ib)
        trade = ib.placeOrder(contract, LimitOrder("BUY", 1, 150.0, tif="GTC", orderId=900))
        await eventually(lambda: bool(master.trades()))
        [seen] = master.trades()
        await eventually(lambda: seen.orderStatus.status == "Submitted")
        assert (seen.order.clientId, seen.order.orderId) == (1, 900)
        assert master.client.getReqId() > 900
        codes: list[int] = []
        master.errorEvent += lambda _id, code, *_rest: codes.append(code)
        master.client.cancelOrder(900)
        await eventually(lambda: codes == [10147])
        await gateway.fault("fill")
        await filled(trade)
        await eventually(lambda: bool(seen.fills) and bool(seen.fills[0].commissionReport.execId))
        assert seen.orderStatus.status == "Filled"


async def test_who_saw_an_id_of_another_client_must_go_above_it(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    ib.placeOrder(contract, LimitOrder("BUY", 1, 150.0, tif="GTC", orderId=900))
    async with trader(gateway, 2) as other:
        await eventually(lambda: bool(gateway.trading.book.live))
        await other.reqAllOpenOrdersAsync()
        codes: list[int] = []
        other.errorEvent += lambda _id, code, *_rest: codes.append(code)
        order = LimitOrder("BUY", 1, 150.0, tif="GTC")
        other.client.placeOrder(899, contract, order)
        await eventually(lambda: codes == [103])
        other.client.placeOrder(901, contract, order)
        await eventually(lambda: gateway.trading.book.find(2, 901) is not None)


async def test_executions_are_filtered_by_every_field(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    await filled(ib.placeOrder(contract, MarketOrder("BUY", 2, tif="DAY")))
    [venue] = [fill.execution.exchange for fill in ib.fills()]
    let_through: list[dict[str, object]] = [
        {}, {"clientId": 1}, {"acctCode": "DU1234567"}, {"symbol": "AAPL"}, {"secType": "STK"},
        {"exchange": venue}, {"exchange": "SMART"}, {"side": "BUY"}, {"side": "BOT"},
        {"time": "20200101 00:00:00 America/Chicago"}, {"time": "20200101-00:00:00"},
    ]  # fmt: skip
    kept_back: list[dict[str, object]] = [
        {"clientId": 2}, {"acctCode": "DU7"}, {"symbol": "MSFT"}, {"secType": "OPT"},
        {"exchange": "NYMEX"}, {"side": "SELL"}, {"time": "20991231 00:00:00 UTC"},
        {"clientId": 1, "symbol": "MSFT"},
    ]  # fmt: skip
    for wanted, count in ((let_through, 1), (kept_back, 0)):
        for given in wanted:
            found = await ib.reqExecutionsAsync(ExecutionFilter(**given))
            assert len(found) == count, given


class Moved(Fixed):
    """Stands until it is moved."""

    def move(self, **by: int) -> None:
        self.at += timedelta(**by)


async def test_what_was_before_midnight_in_new_york_is_not_told_again() -> None:
    moved = Moved("2026-11-23 23:30")
    async with Gateway(SimConfig(clock=moved, cadence_scale=0.1)) as gateway:
        async with trader(gateway) as ib:
            contract = await apple(ib)
            trade = ib.placeOrder(contract, LimitOrder("BUY", 1, 150.0, tif="GTC"))
            await eventually(lambda: trade.orderStatus.status == "Submitted")
            await gateway.fault("fill")
            await filled(trade)
        async with trader(gateway, 2) as same_day:
            assert len(same_day.fills()) == 1
            assert len(await same_day.reqCompletedOrdersAsync(False)) == 1
        moved.move(hours=1)
        async with trader(gateway, 2) as next_day:
            assert next_day.fills() == []
            long_ago = ExecutionFilter(time="20200101 00:00:00 UTC")
            assert await next_day.reqExecutionsAsync(long_ago) == []
            assert await next_day.reqCompletedOrdersAsync(False) == []
            assert [position.position for position in next_day.positions()] == [1]


async def test_a_rejected_order_is_among_the_completed_ones(gateway: Gateway, ib: IB) -> None:
    trade = ib.placeOrder(await apple(ib), MarketOrder("BUY", 900_000, tif="DAY"))
    await eventually(trade.isDone)
    [over] = await ib.reqCompletedOrdersAsync(False)
    assert over.orderStatus.status == "Inactive"
    written = next(item for item in gateway.ledger.sent_messages if item.msg_id == 101)
    assert any(field.startswith("Order rejected - reason:") for field in written.fields)


@pytest.mark.parametrize("algorithm", ["Adaptive", "Twap", "Vwap"])
async def test_an_algorithm_is_told_again_and_fills_as_its_order(
    gateway: Gateway, ib: IB, algorithm: str
) -> None:
    order = LimitOrder("BUY", 1, 150.0, tif="DAY", algoStrategy=algorithm)
    order.algoParams = [TagValue("adaptivePriority", "Normal")]
    trade = ib.placeOrder(await apple(ib), order)
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    async with trader(gateway, 2) as other:
        [shown] = await other.reqAllOpenOrdersAsync()
        assert shown.order.algoStrategy == algorithm
        assert shown.order.algoParams == [TagValue("adaptivePriority", "Normal")]
    order.lmtPrice = 300.0
    ib.placeOrder(trade.contract, order)
    await filled(trade)


async def test_an_order_waits_for_its_good_after_time(gateway: Gateway, ib: IB) -> None:
    contract = await apple(ib)
    late = Order(action="BUY", totalQuantity=1, orderType="MKT", tif="DAY",
                 goodAfterTime="20991231 10:00:00 US/Eastern")  # fmt: skip
    now = Order(action="BUY", totalQuantity=1, orderType="MKT", tif="DAY",
                goodAfterTime="20200102 10:00:00 US/Eastern")  # fmt: skip
    waiting, going = ib.placeOrder(contract, late), ib.placeOrder(contract, now)
    await filled(going)
    assert (waiting.orderStatus.status, waiting.filled()) == ("PreSubmitted", 0)
    [shown] = await ib.reqOpenOrdersAsync()
    assert shown.order.goodAfterTime == late.goodAfterTime


async def test_two_orders_by_hand_are_two_and_are_not_client_0_s_before_they_are_bound(
    gateway: Gateway,
) -> None:
    order = SimOrder({"action": "BUY", "total_quantity": "1", "order_type": "LMT",
                      "lmt_price": "150.0", "tif": "GTC"})  # fmt: skip
    async with raw_client(gateway, 0) as zero:
        for _ in range(2):
            gateway.trading.by_hand.enter(order, Spec(con_id=AAPL))
        book = gateway.trading.book
        await eventually(lambda: all(ticket.routed for ticket in book.live))
        assert book.find(0, 0) is None  # client 0 has no way to change one before it is bound
        zero.send(5, 1)
        frames = await zero.until(53)
    assert [frame[0] for frame in frames[:3]] == ["100", "5", "3"]  # nothing came before
    assert {frame[1] for frame in frames if frame[0] == "3"} == {"-1", "-2"}


async def test_an_order_waits_for_its_conditions_and_tells_them_again(
    gateway: Gateway, ib: IB
) -> None:
    contract = await apple(ib)
    far = PriceCondition(price=9_000.0, conId=AAPL, exch="SMART", isMore=True, conjunction="o")
    near = PriceCondition(price=9_000.0, conId=AAPL, exch="SMART", isMore=False)
    soon = TimeCondition(time="20200102 10:00:00 US/Eastern", isMore=True)
    waiting, going = (
        ib.placeOrder(contract, MarketOrder("BUY", 1, tif="DAY", conditions=listed))
        for listed in ([far], [near, soon])
    )
    await filled(going)
    assert (waiting.orderStatus.status, waiting.filled()) == ("PreSubmitted", 0)
    async with trader(gateway, 2) as other:
        [shown] = await other.reqAllOpenOrdersAsync()
        assert shown.order.conditions == [far]
