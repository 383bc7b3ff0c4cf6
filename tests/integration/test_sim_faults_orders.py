"""Faults of orders: what the real ib_async believes, and what the book knows all the while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from ib_async import IB, Contract, ExecutionFilter, LimitOrder, Trade

from ibcore.sim.entries import Wanted, entries
from ibcore.sim.server import Gateway, SimConfig
from sidecar.ib_compat import sever
from tests.integration.sim_client import eventually

pytestmark = pytest.mark.anyio

FAST = SimConfig(cadence_scale=0.1, farm_wake_s=0)
APPLE = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
FAR = 1.0  # a limit that nobody sells at


@asynccontextmanager
async def trading(gateway: Gateway, client_id: int = 1) -> AsyncIterator[IB]:
    ib = IB()
    await ib.connectAsync("127.0.0.1", gateway.port, clientId=client_id)
    try:
        yield ib
    finally:
        await sever(ib)


def place(ib: IB, quantity: int = 10, *, order_id: int = 0) -> Trade:
    return ib.placeOrder(APPLE, LimitOrder("BUY", quantity, FAR, tif="GTC", orderId=order_id))


async def resting(gateway: Gateway, ib: IB, quantity: int = 10) -> Trade:
    """Place an order that waits in the book."""
    trade = place(ib, quantity)
    await eventually(lambda: trade.orderStatus.status in {"Submitted", "PreSubmitted"})
    await eventually(lambda: gateway.trading.book.find(1, trade.order.orderId) is not None)
    return trade


def in_book(gateway: Gateway, trade: Trade) -> str:
    ticket = gateway.trading.book.find(trade.order.clientId, trade.order.orderId)
    return ticket.status if ticket is not None else ""


def sent(gateway: Gateway, trade: Trade) -> list[int]:
    """Return the numbers of the messages that went out about an order."""
    wanted = Wanted(("message",), order=trade.order.orderId)
    return [entry["msg_id"] for entry in entries(gateway.ledger, wanted)]


async def test_a_lost_ack_hides_an_order_that_works_and_a_question_finds_it() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        await gateway.fault("lost-ack", 30)
        trade = place(ib)
        await eventually(lambda: in_book(gateway, trade) not in {"", "PendingSubmit"})
        await eventually(lambda: gateway.trading.book.find(1, trade.order.orderId).routed)  # type: ignore[union-attr]
        assert trade.orderStatus.status == "PendingSubmit"
        assert not {3, 5} & set(sent(gateway, trade))
        await ib.reqAllOpenOrdersAsync()
        assert trade.orderStatus.status == in_book(gateway, trade)


async def test_a_lost_ack_may_be_one_order_s_only() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        await gateway.fault("lost-ack", 30, order=1_000)
        lost, heard = place(ib, order_id=1_000), place(ib, order_id=1_001)
        await eventually(lambda: heard.orderStatus.status in {"Submitted", "PreSubmitted"})
        assert lost.orderStatus.status == "PendingSubmit"


async def test_a_lost_fill_is_in_the_book_and_not_with_the_client_until_it_asks() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        trade = await resting(gateway, ib)
        await gateway.fault("lost-fill", 30)
        await gateway.fault("fill")
        assert in_book(gateway, trade) == "Filled"
        await ib.reqCurrentTimeAsync()
        assert not trade.fills
        assert trade.orderStatus.status != "Filled"
        fills = await ib.reqExecutionsAsync(ExecutionFilter())
        assert [fill.execution.shares for fill in fills] == [10]
        [record] = gateway.ledger.orders.fills_of(1, trade.order.orderId)
        assert fills[0].execution.execId == record.exec_id


async def test_only_so_many_are_lost_as_were_asked_for() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        await gateway.fault("lost-ack", 30, count=1)
        trade = place(ib)
        await eventually(lambda: trade.orderStatus.status in {"Submitted", "PreSubmitted"})


async def test_a_fill_during_an_outage_is_found_after_it() -> None:
    async with Gateway(FAST) as gateway:
        async with trading(gateway) as ib:
            trade = await resting(gateway, ib)
            assert await gateway.fault("fill", 0.3) == "1 orders filled"
            await eventually(lambda: not ib.isConnected())
            assert not trade.fills
        assert in_book(gateway, trade) == "Filled"
        await eventually(lambda: gateway.listening)
        async with trading(gateway) as again:
            [fill] = again.fills()
            assert (fill.execution.orderId, fill.execution.price) == (trade.order.orderId, FAR)
            assert fill.commissionReport.execId == fill.execution.execId


async def test_a_partial_fill_leaves_the_rest_working() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        trade = await resting(gateway, ib)
        await gateway.fault("fill", shares=4, order=trade.order.orderId)
        await eventually(lambda: trade.orderStatus.filled == 4)
        assert trade.orderStatus.remaining == 6


async def test_messages_about_orders_may_come_several_times() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        trade = await resting(gateway, ib)
        before = len(sent(gateway, trade))
        await gateway.fault("duplicate", 30, times=3)
        await gateway.fault("fill")
        await eventually(lambda: trade.isDone())
        await ib.reqCurrentTimeAsync()
        numbers = sent(gateway, trade)[before:]
        assert len(numbers) % 3 == 0
        assert numbers.count(11) == numbers.count(59) == 3
        assert len({fill.execution.execId for fill in trade.fills}) == 1


async def test_messages_about_orders_may_come_in_another_order() -> None:
    async def numbers(*, seed: int | None) -> list[int]:
        async with Gateway(FAST) as gateway, trading(gateway) as ib:
            trade = await resting(gateway, ib)
            before = len(sent(gateway, trade))
            if seed is not None:
                await gateway.fault("reorder", 30, window_ms=50, seed=seed)
            await gateway.fault("fill")
            await eventually(lambda: {11, 59} <= set(sent(gateway, trade)[before:]))
            return sent(gateway, trade)[before:]

    straight, shuffled = await numbers(seed=None), await numbers(seed=4)
    assert sorted(straight) == sorted(shuffled)
    assert straight != shuffled
    assert await numbers(seed=4) == shuffled


async def test_what_was_gathered_comes_out_when_the_fault_ends() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        await gateway.fault("reorder", 30, window_ms=60_000)
        trade = place(ib)
        await eventually(lambda: in_book(gateway, trade) != "")
        await ib.reqCurrentTimeAsync()
        assert trade.orderStatus.status == "PendingSubmit"
        await gateway.fault("clear")
        await eventually(lambda: trade.orderStatus.status in {"Submitted", "PreSubmitted"})


async def test_an_execution_is_corrected_under_a_new_revision() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        trade = await resting(gateway, ib)
        with pytest.raises(ValueError, match="nothing was executed"):
            await gateway.fault("correct")
        await gateway.fault("fill")
        await eventually(lambda: trade.isDone() and bool(trade.fills))
        [first] = [fill.execution for fill in trade.fills]
        await gateway.fault("correct", price=0.99)
        await eventually(lambda: len(trade.fills) == 2)
        second = trade.fills[-1].execution
        assert (second.price, second.shares) == (0.99, first.shares)
        assert second.execId.rpartition(".")[0] == first.execId.rpartition(".")[0]
        assert second.execId != first.execId


async def test_after_a_rollback_ids_are_given_that_were_used() -> None:
    async with Gateway(FAST) as gateway:
        async with trading(gateway) as ib:
            used = [(await resting(gateway, ib)).order.orderId for _ in range(5)]
            await gateway.fault("rollback", by=3)
            await eventually(lambda: not ib.isConnected())
        async with trading(gateway) as again:
            assert gateway.trading.book.ids.next(1) in used
            assert {trade.order.orderId for trade in again.openTrades()} == set(used)


async def test_an_order_that_nobody_has_cannot_fill(simulator: Gateway) -> None:
    with pytest.raises(ValueError, match="no order is working"):
        await simulator.fault("fill")


async def test_orders_outlive_the_nightly_reset() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        trade = await resting(gateway, ib)
        await gateway.fault("nightly", 0.3, then=1101)
        await eventually(lambda: not gateway.faults.active)
        assert [open_.order.orderId for open_ in await ib.reqAllOpenOrdersAsync()] == [
            trade.order.orderId
        ]
