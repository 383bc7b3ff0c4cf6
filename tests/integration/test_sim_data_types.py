"""Live, frozen and delayed data: what is permitted, what is said, and which ticks come."""

from __future__ import annotations

import pytest
from ib_async import Option, Stock

from ibcore.sim.permissions import GRANTS
from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.sim_client import RawClient, eventually, ib_client, raw_client

pytestmark = pytest.mark.anyio

APPLE = Stock("AAPL", "SMART", "USD", conId=265598)


def granted(grant: str, **more: object) -> SimConfig:
    values = {"cadence_scale": 0.1, "symbols": ("AAPL",), "farm_wake_s": 0.0, **more}
    return SimConfig(permissions={"*": grant}, **values)  # type: ignore[arg-type]


async def opening(client: RawClient, asked: int) -> tuple[list[str], list[str]]:
    """Ask for a line after reqMarketDataType; return the types (58) and codes that follow."""
    client.send(59, 1, asked)
    client.send(*asking.market_data(1, symbol="AAPL", sec_type="STK"))
    client.send(49, 1)
    frames = await client.until(49)
    kinds = [frame[3] for frame in frames if frame[0] == "58"]
    return kinds, [frame[3] for frame in frames if frame[0] == "4"]


@pytest.mark.parametrize(
    ("grant", "asked", "kinds", "codes"),
    [
        ("live", 1, ["1"], []),
        ("live", 3, ["1"], []),
        ("live", 2, ["1"], []),
        ("partial", 1, ["1"], ["10090"]),
        ("partial", 3, ["1"], ["10091"]),
        ("additional", 1, [], ["10089"]),
        ("additional", 3, ["3"], ["10167"]),
        ("delayed", 1, [], ["10168"]),
        ("delayed", 3, ["3"], ["10167"]),
        ("delayed", 4, ["3"], ["10167"]),
        ("none", 1, [], ["354"]),
        ("none", 3, [], ["354"]),
    ],
)
async def test_what_is_granted_decides_what_is_shown(
    grant: str, asked: int, kinds: list[str], codes: list[str]
) -> None:
    async with Gateway(granted(grant)) as gateway, raw_client(gateway) as client:
        assert await opening(client, asked) == (kinds, codes)
        assert gateway.subscriptions.count == len(kinds)


async def test_ib_async_fills_the_same_ticker_from_delayed_ticks() -> None:
    async with Gateway(granted("delayed")) as gateway, ib_client(gateway) as ib:
        ib.reqMarketDataType(3)
        chain = gateway.source.universe.options("AAPL")
        known = min(chain, key=lambda c: abs(c.strike - 228))
        call = Option("AAPL", known.expiry, known.strike, known.right, "SMART")
        await ib.qualifyContractsAsync(call)
        stock, option = ib.reqMktData(APPLE, "233,106"), ib.reqMktData(call)
        await eventually(lambda: stock.last > 0 and option.modelGreeks is not None)
        assert stock.marketDataType == 3
        assert stock.bid < stock.ask
        kinds = {tick.tick_type for tick in gateway.ledger.sent_ticks}
        assert kinds >= {66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 83, 24}
        assert not kinds & {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 32, 33, 45, 48, 84}


async def test_a_closed_market_shows_quotes_only_to_frozen_lines() -> None:
    async with Gateway(granted("live", closed=True)) as gateway, ib_client(gateway) as ib:
        live = ib.reqMktData(APPLE)
        await eventually(lambda: live.close > 0)
        assert live.bid == -1
        assert live.last > 0
        ib.cancelMktData(APPLE)
        ib.reqMarketDataType(2)
        frozen = ib.reqMktData(APPLE)
        await eventually(lambda: frozen.bid > 0 and frozen.marketDataType == 2)


async def test_nothing_moves_while_the_market_is_closed() -> None:
    async with Gateway(granted("live", closed=True)) as gateway, raw_client(gateway) as client:
        kinds, _ = await opening(client, 4)
        assert kinds == ["2"]
        for _ in range(20):
            client.send(49, 1)
            assert (await client.until(49))[0][0] == "49"


async def test_what_needs_a_subscription_is_refused_without_one() -> None:
    async with Gateway(granted("delayed")) as gateway, raw_client(gateway) as client:
        apple = asking.contract({"symbol": "AAPL", "sec_type": "STK", "exchange": "SMART"})
        client.send(97, 1, *apple, "Last", 0, 0)
        client.send(10, 5, 2, *apple, 5, 1, "")
        client.send(50, 3, 3, *apple, 5, "TRADES", 0, "")
        client.send(20, 4, *apple, 0, "", "1 min", "1 D", 1, "TRADES", 1, 0, "")
        client.send(96, 5, *apple, 0, "", "20261120 12:00:00", 10, "TRADES", 1, 0, "")
        codes = [(await client.receive())[2:4] for _ in range(5)]
        assert codes == [
            ["1", "10189"],
            ["2", "354"],
            ["3", "420"],
            ["4", "162"],
            ["5", "162"],
        ]


def test_a_grant_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="permissions: AAPL has 'some'"):
        SimConfig(permissions={"AAPL": "some"})
    assert {SimConfig(permissions={"*": grant}).permissions["*"] for grant in GRANTS} == set(GRANTS)
