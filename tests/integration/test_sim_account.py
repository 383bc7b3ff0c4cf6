"""The account from outside: values, summaries, positions and profit, asked for and kept fresh."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone

import pytest
from ib_async import IB, Contract, MarketOrder, Trade

from ibcore import clock
from ibcore.sim.server import Gateway, SimConfig
from sidecar.ib_compat import harden, sever
from tests.integration.sim_client import RawClient, eventually, raw_client

harden()
pytestmark = pytest.mark.anyio
APPLE = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
ACCOUNT = "DU1234567"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(SimConfig(cadence_scale=0.1, farm_wake_s=0)) as running:
        yield running


@pytest.fixture
async def ib(gateway: Gateway) -> AsyncIterator[IB]:
    client = IB()
    await client.connectAsync("127.0.0.1", gateway.port, clientId=9)
    yield client
    await sever(client)


async def traded(ib: IB, action: str, quantity: int) -> Trade:
    trade = ib.placeOrder(APPLE, MarketOrder(action, quantity, tif="DAY"))
    await eventually(trade.isDone)
    assert trade.orderStatus.status == "Filled"
    return trade


async def silent(client: RawClient) -> list[list[str]]:
    """Return what came before the answer to a question that is asked now."""
    client.send(49, 1)
    return (await client.until(49))[:-1]


async def test_positions_multi_are_told_and_follow_fills_until_cancelled(
    gateway: Gateway, ib: IB
) -> None:
    await traded(ib, "BUY", 5)
    async with raw_client(gateway) as client:
        client.send(74, 1, 41, ACCOUNT, "")
        held, end = await client.until(72)
        assert (held[2:5], held[12:14]) == (["41", ACCOUNT, "265598"], ["USD", "AAPL"])
        assert end == ["72", "1", "41"]
        await traded(ib, "SELL", 5)
        [*_, closed] = await client.until(71)
        assert closed[-3] == "0"
        client.send(75, 1, 41)
        await silent(client)
        await traded(ib, "BUY", 1)
        assert await silent(client) == []


async def test_account_updates_multi_are_told_and_follow_fills_until_cancelled(
    gateway: Gateway, ib: IB
) -> None:
    async with raw_client(gateway) as client:
        client.send(76, 1, 42, ACCOUNT, "", 1)
        frames = await client.until(74)
        values = {frame[5]: frame[6] for frame in frames if frame[0] == "73"}
        assert values["TotalCashValue"] == "1000000.00"
        assert {frame[3] for frame in frames if frame[0] == "73"} == {ACCOUNT}
        trade = await traded(ib, "BUY", 10)
        price = trade.orderStatus.avgFillPrice
        await eventually(lambda: gateway.trading.book.blotter.changes == 1)
        frames = [*await client.until(73), *await silent(client)]
        values = {frame[5]: frame[6] for frame in frames if frame[0] == "73"}
        assert values["TotalCashValue"] == f"{1_000_000 - 10 * price - 1:.2f}"
        assert not [frame for frame in frames if frame[0] == "74"]
        client.send(77, 1, 42)
        await silent(client)
        await traded(ib, "SELL", 10)
        assert await silent(client) == []


async def test_a_third_summary_is_refused_until_one_is_cancelled(gateway: Gateway) -> None:
    async with raw_client(gateway) as client:
        for req_id in (1, 2):
            client.send(62, 1, req_id, "All", "NetLiquidation,BuyingPower")
            frames = await client.until(64)
            assert {frame[4] for frame in frames if frame[0] == "63"} == {
                "NetLiquidation", "BuyingPower",
            }  # fmt: skip
        client.send(62, 1, 3, "All", "NetLiquidation")
        assert (await client.receive())[2:4] == ["3", "322"]
        client.send(63, 1, 1)
        client.send(62, 1, 3, "All", "NetLiquidation")
        assert (await client.until(64))[-1] == ["64", "1", "3"]


@pytest.mark.parametrize(
    "request_", [(74, 1, 5, "DU9", ""), (76, 1, 5, "DU9", "", 1), (92, 5, "DU9", ""),
                 (94, 5, "DU9", "", 265598)],
)  # fmt: skip
async def test_an_account_that_is_not_there_is_refused(
    gateway: Gateway, request_: tuple[object, ...]
) -> None:
    async with raw_client(gateway) as client:
        client.send(*request_)
        assert (await client.receive())[2:4] == ["5", "321"]
        assert await silent(client) == []


async def test_profit_of_a_contract_begins_with_its_first_fill_and_ends_with_its_cancel(
    gateway: Gateway, ib: IB
) -> None:
    async with raw_client(gateway) as client:
        client.send(94, 51, ACCOUNT, "", 265598)
        assert await silent(client) == []
        await traded(ib, "BUY", 3)
        [*_, single] = await client.until(95)
        assert single[1:3] == ["51", "3"]
        client.send(95, 51)
        await silent(client)
        await traded(ib, "BUY", 1)
        assert await silent(client) == []


async def test_profit_of_the_account_is_what_cash_and_positions_say(
    gateway: Gateway, ib: IB
) -> None:
    await traded(ib, "BUY", 7)
    pnl = ib.reqPnL(ACCOUNT)
    single = ib.reqPnLSingle(ACCOUNT, "", 265598)
    await eventually(lambda: single.position == 7 and pnl.dailyPnL == pnl.dailyPnL)
    await eventually(lambda: pnl.unrealizedPnL == single.unrealizedPnL)
    assert pnl.dailyPnL == pytest.approx(pnl.unrealizedPnL + pnl.realizedPnL, abs=1e-4)


class Moved:
    """A clock that runs, and can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return clock.monotonic() + self.ahead

    def utcnow(self) -> datetime:
        return datetime(2026, 11, 23, 15, tzinfo=timezone.utc) + timedelta(seconds=self.ahead)

    def unix_ns(self) -> int:
        return int(self.utcnow().timestamp() * 1e9)


async def test_values_are_told_again_every_three_minutes() -> None:
    moved = Moved()
    async with Gateway(SimConfig(clock=moved)) as gateway, raw_client(gateway) as client:
        client.send(6, 2, 1, ACCOUNT)
        await client.until(54)
        moved.ahead += 2  # PnL has had its turn, and so would the values have had
        assert not [frame for frame in await silent(client) if frame[0] == "6"]
        moved.ahead += 181
        assert (await client.until(8))[-1][2] == "15:03"
