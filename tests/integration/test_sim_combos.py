"""Combinations through the real ib_async: quoted, priced, filled leg by leg, accounted for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from ib_async import IB, Bag, ComboLeg, Contract, LimitOrder, MarketOrder, Order, TagValue, Trade

from ibcore.sim.contracts import Contract as SimContract
from ibcore.sim.server import Gateway, SimConfig
from sidecar.ib_compat import harden, sever
from tests.integration.sim_client import eventually

harden()
pytestmark = pytest.mark.anyio
CONFIG = SimConfig(cadence_scale=0.1, farm_wake_s=0)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(CONFIG) as running:
        yield running


@pytest.fixture
async def ib(gateway: Gateway) -> AsyncIterator[IB]:
    client = IB()
    await client.connectAsync("127.0.0.1", gateway.port, clientId=1)
    yield client
    await sever(client)


def calls(gateway: Gateway) -> list[SimContract]:
    """Return two calls of one expiry near the money, the lower strike first."""
    chain = [c for c in gateway.source.universe.options("AAPL") if c.right == "C"]
    expiry = sorted({c.expiry for c in chain})[5]
    near = [c for c in chain if c.expiry == expiry and c.strike >= 230]
    return sorted(near, key=lambda c: c.strike)[:2]


def spread(gateway: Gateway, *ratios: int) -> Bag:
    """Return a combination of the two calls; a ratio below zero sells its leg."""
    legs = [
        ComboLeg(conId=call.con_id, ratio=abs(ratio), action="BUY" if ratio > 0 else "SELL",
                 exchange="SMART")
        for call, ratio in zip(calls(gateway), ratios or (1, -1), strict=True)
    ]  # fmt: skip
    return Bag(symbol="AAPL", exchange="SMART", currency="USD", comboLegs=legs)


def natural(gateway: Gateway, *ratios: int) -> tuple[float, float]:
    """Return what the boards of the legs make of a combination now."""
    low = high = 0.0
    for call, ratio in zip(calls(gateway), ratios or (1, -1), strict=True):
        values = gateway.source.board(call).values
        bid, ask = float(values[1]), float(values[2])
        low += ratio * (bid if ratio > 0 else ask)
        high += ratio * (ask if ratio > 0 else bid)
    return round(low, 6), round(high, 6)


async def done(trade: Trade) -> None:
    await eventually(trade.isDone)
    assert trade.orderStatus.status == "Filled", trade.log


async def test_a_combination_is_quoted_at_what_its_legs_could_be_traded_at(
    gateway: Gateway, ib: IB
) -> None:
    ticker = ib.reqMktData(spread(gateway))
    await eventually(lambda: ticker.hasBidAsk())
    low, high = (gateway.source.board(call).values for call in calls(gateway))
    await eventually(lambda: (ticker.bid, ticker.ask) == natural(gateway))
    await eventually(lambda: ticker.askSize == min(float(low[3]), float(high[0])))


async def test_a_combination_moves_with_its_legs(gateway: Gateway, ib: IB) -> None:
    ticker = ib.reqMktData(spread(gateway))
    await eventually(lambda: ticker.hasBidAsk())
    first = (ticker.bid, ticker.ask)
    await eventually(lambda: (ticker.bid, ticker.ask) != first)


async def test_a_price_below_zero_is_a_price(gateway: Gateway, ib: IB) -> None:
    ticker = ib.reqMktData(spread(gateway, -1, 1))
    await eventually(lambda: ticker.bidSize > 0 and ticker.bid < 0)


async def test_a_spread_fills_leg_by_leg_as_tws_reports_it(gateway: Gateway, ib: IB) -> None:
    trade = ib.placeOrder(spread(gateway), MarketOrder("BUY", 1, tif="DAY"))  # more: maybe in parts
    await done(trade)
    await eventually(lambda: sum(bool(f.commissionReport.execId) for f in trade.fills) == 2)
    whole, long, short = trade.fills
    assert [fill.contract.secType for fill in trade.fills] == ["BAG", "OPT", "OPT"]
    assert [fill.execution.side for fill in trade.fills] == ["BOT", "BOT", "SLD"]
    assert [fill.execution.shares for fill in trade.fills] == [1, 1, 1]
    base = whole.execution.execId.removesuffix(".01.01")
    told = [fill.execution.execId for fill in trade.fills]
    assert told == [f"{base}.01.01", f"{base}.02.01", f"{base}.03.01"]
    assert {fill.execution.exchange for fill in trade.fills} == {long.execution.exchange}
    net = long.execution.price - short.execution.price
    assert whole.execution.price == pytest.approx(net)
    assert trade.orderStatus.avgFillPrice == pytest.approx(net)
    assert (trade.filled(), trade.remaining()) == (1, 0)
    assert not whole.commissionReport.execId  # what it costs is said of the legs
    await eventually(lambda: len(ib.positions()) == 2)
    assert {p.contract.conId: p.position for p in ib.positions()} == {
        long.contract.conId: 1, short.contract.conId: -1,
    }  # fmt: skip
    paid = sum(fill.commissionReport.commission for fill in (long, short))
    assert gateway.trading.book.portfolio.cash == pytest.approx(1_000_000 - 100 * net - paid)


async def test_what_was_sent_is_told_again(gateway: Gateway, ib: IB) -> None:
    order = LimitOrder("BUY", 1, -50.0, tif="GTC", orderRef="mine")
    order.smartComboRoutingParams = [TagValue("NonGuaranteed", "1")]
    bag = spread(gateway)
    trade = ib.placeOrder(bag, order)
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    [shown] = await ib.reqAllOpenOrdersAsync()
    written = next(item for item in gateway.ledger.sent_messages if item.msg_id == 5)
    # As recorded (ib-ruby, OpenOrder of a combination): one id for all, the legs in words.
    assert written.fields[1:11] == (
        "28812380", "AAPL", "BAG", "", "0", "?", "", "SMART", "USD", "28812380"
    )  # fmt: skip
    assert written.fields[11] == "COMB"
    told = ",".join(f"{leg.conId}|{1 if leg.action == 'BUY' else -1}" for leg in bag.comboLegs)
    assert told in written.fields
    assert (shown.order.lmtPrice, shown.order.orderRef) == (-50.0, "mine")
    ib.cancelOrder(order)
    await eventually(trade.isDone)
    [over] = await ib.reqCompletedOrdersAsync(False)
    assert [leg.conId for leg in over.contract.comboLegs] == [leg.conId for leg in bag.comboLegs]


async def test_a_limit_waits_until_the_natural_price_reaches_it(gateway: Gateway, ib: IB) -> None:
    trade = ib.placeOrder(spread(gateway), LimitOrder("SELL", 1, 90.0, tif="GTC"))
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    trade.order.lmtPrice = round(natural(gateway)[0] - 1.0, 2)
    ib.placeOrder(trade.contract, trade.order)
    await done(trade)
    whole = trade.fills[0].execution
    assert whole.side == "SLD"
    assert whole.price > trade.order.lmtPrice


async def test_a_fill_by_force_still_adds_up(gateway: Gateway, ib: IB) -> None:
    trade = ib.placeOrder(spread(gateway, 2, -3), LimitOrder("BUY", 2, -9.0, tif="GTC"))
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    await gateway.fault("fill")
    await done(trade)
    whole, long, short = [fill.execution for fill in trade.fills]
    assert whole.price == -9.0 == pytest.approx(2 * long.price - 3 * short.price)
    assert (long.shares, short.shares) == (4, 6)


async def test_a_leg_s_execution_may_be_corrected_but_not_the_sum(gateway: Gateway, ib: IB) -> None:
    trade = ib.placeOrder(spread(gateway), MarketOrder("BUY", 1, tif="DAY"))
    await done(trade)
    book = gateway.trading.book
    whole, long, _ = [fill.execution for fill in trade.fills]
    with pytest.raises(ValueError, match="sums up a combination"):
        book.correct(whole.execId, price=1.0)
    before = book.portfolio.cash
    book.correct(long.execId, price=long.price - 0.5)
    assert book.portfolio.cash == pytest.approx(before + 50)


async def test_what_if_of_a_spread_is_no_more_than_it_can_lose(gateway: Gateway, ib: IB) -> None:
    low, high = calls(gateway)
    state = await ib.whatIfOrderAsync(spread(gateway, -1, 1), MarketOrder("BUY", 1, tif="DAY"))
    assert float(state.initMarginChange) == pytest.approx(100 * (high.strike - low.strike))
    naked = Contract(conId=low.con_id, exchange="SMART")
    alone = await ib.whatIfOrderAsync(naked, MarketOrder("SELL", 1, tif="DAY"))
    assert float(alone.initMarginChange) > 2 * float(state.initMarginChange)
    assert state.commission == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (lambda bag, _order: bag.comboLegs.clear(), 321),
        (lambda bag, _order: setattr(bag.comboLegs[0], "conId", 12), 321),
        (lambda bag, _order: setattr(bag.comboLegs[0], "ratio", 0), 321),
        (lambda bag, _order: setattr(bag.comboLegs[0], "action", "HOLD"), 321),
        (lambda bag, _order: setattr(bag.comboLegs[0], "conId", bag.comboLegs[1].conId), 321),
        (lambda bag, _order: setattr(bag.comboLegs[0], "conId", 265598), 321),
        (lambda _bag, order: setattr(order, "lmtPrice", 1.005), 110),
        (lambda _bag, order: order.__dict__.update(orderType="STP", auxPrice=1.0), 201),
    ],
)
async def test_a_combination_that_cannot_be_is_refused(
    gateway: Gateway, ib: IB, break_it: object, code: int
) -> None:
    bag = spread(gateway)
    order = Order(action="BUY", totalQuantity=1, orderType="LMT", lmtPrice=1.0, tif="DAY")
    break_it(bag, order)  # type: ignore[operator]
    codes: list[int] = []
    ib.errorEvent += lambda _id, number, *_rest: codes.append(number)
    ib.placeOrder(bag, order)
    await eventually(lambda: codes == [code])
    assert gateway.trading.book.live == []


async def test_a_line_of_a_combination_that_cannot_be_is_refused(gateway: Gateway, ib: IB) -> None:
    bag = spread(gateway)
    bag.comboLegs[0].conId = 12
    codes: list[int] = []
    ib.errorEvent += lambda _id, number, *_rest: codes.append(number)
    ib.reqMktData(bag)
    await eventually(lambda: codes == [321])
    ib.client.reqContractDetails(ib.client.getReqId(), spread(gateway))  # 321 ends no request
    await eventually(lambda: codes == [321, 321])
    assert gateway.subscriptions.count == 0


async def test_a_combination_needs_the_permission_of_its_legs() -> None:
    async with Gateway(SimConfig(permissions={"AAPL": "none"})) as gateway:
        ib = IB()
        await ib.connectAsync("127.0.0.1", gateway.port, clientId=1)
        codes: list[int] = []
        ib.errorEvent += lambda _id, number, *_rest: codes.append(number)
        bag = spread(gateway)
        bag.symbol = "ANY"
        ib.reqMktData(bag)
        await eventually(lambda: 354 in codes)
        await sever(ib)


async def test_in_rate_mode_a_combination_s_line_is_opened_and_still() -> None:
    async with Gateway(SimConfig(rate=500.0)) as gateway:
        ib = IB()
        await ib.connectAsync("127.0.0.1", gateway.port, clientId=1)
        ib.reqMktData(spread(gateway))
        apple = ib.reqMktData(Contract(conId=265598, exchange="SMART"))
        await eventually(lambda: apple.hasBidAsk() and len(gateway.ledger.sent_ticks) > 100)
        assert gateway.subscriptions.count == 2
        await sever(ib)
