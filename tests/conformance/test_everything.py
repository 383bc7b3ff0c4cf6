"""One of everything at every version: each message type in real traffic, understood alike.

The official client writes the requests, the gateway answers, and both decoders read the answers.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, Final

import ibapi.client
import ibapi.contract
import ibapi.execution
import ibapi.order
import ibapi.wrapper
import pytest
from ibapi import server_versions

from ibcore import clock
from ibcore.sim import messages, wire
from ibcore.sim.server import Gateway, SimConfig
from tests.conformance.agreement import compare
from tests.conformance.decoders import by_ib_async, by_official
from tests.conformance.official import contract
from tests.conformance.test_decoders import VERSIONS, unexplained, unknown_sides
from tests.integration.sim_client import RawClient, raw_client

pytestmark = pytest.mark.anyio

APPLE: Final = {"conId": 265598, "symbol": "AAPL", "secType": "STK"}
ACCOUNT: Final = "DU1234567"
HOT: Final = {1, 2, 21, 45, 46}
_FASTER: Final = 20
NEWER: Final = {
    106: server_versions.MIN_SERVER_VER_HISTORICAL_SCHEDULE,
    107: server_versions.MIN_SERVER_VER_USER_INFO,
}
# Not sent because nobody asks, and why.
UNASKED: Final = {100: "an order entered by hand: client 0 only, see test_sim_orders"}


class FastClock:
    """Twenty seconds go by in one: real-time bars of five come soon."""

    def __init__(self) -> None:
        self._began, self._at = clock.monotonic(), datetime(2026, 11, 23, 15, tzinfo=timezone.utc)

    def monotonic(self) -> float:
        return (clock.monotonic() - self._began) * _FASTER

    def utcnow(self) -> datetime:
        return self._at + timedelta(seconds=self.monotonic())

    def unix_ns(self) -> int:
        return int(self.utcnow().timestamp() * 1e9)


def writer_of(client: RawClient, version: int) -> Any:
    """Return the official client, which writes to this socket and hears nothing."""
    made = ibapi.client.EClient(ibapi.wrapper.EWrapper())
    made.isConnected = lambda: True
    made.serverVersion_, made.clientId, made.optCapab = version, 7, ""
    made.conn = SimpleNamespace(sendMsg=client.writer.write)
    return made


def order(action: str, kind: str, **given: Any) -> ibapi.order.Order:
    made = ibapi.order.Order()
    made.action, made.orderType, made.totalQuantity, made.tif = action, kind, 5, "DAY"
    for name, value in given.items():
        setattr(made, name, value)
    return made


def ask_about_contracts(client: Any) -> None:
    client.reqCurrentTime()
    client.reqContractDetails(1, contract(**APPLE))
    client.reqContractDetails(2, contract(secType="OPT", symbol="AAPL", right="C", strike=230))
    client.reqContractDetails(3, contract(secType="FUT", symbol="ES", exchange="CME"))
    client.reqContractDetails(4, contract(secType="STK", symbol="XXX"))
    client.reqSecDefOptParams(5, "AAPL", "", "STK", 265598)
    client.reqMatchingSymbols(6, "A")
    client.reqMarketRule(26)
    client.reqMktDepthExchanges()
    client.reqSmartComponents(7, "9c0001")
    client.reqNewsProviders()
    client.reqFamilyCodes()
    client.reqSoftDollarTiers(8)
    client.reqUserInfo(9)
    client.reqScannerParameters()


def ask_for_data(client: Any, option: int) -> None:
    apple = contract(**APPLE)
    client.reqMktData(20, apple, "100,101,105,106,165,233,236,293,318", False, False, [])
    client.reqMktData(21, contract(conId=option), "100,101,106", False, False, [])
    client.reqMktData(22, apple, "", True, False, [])
    for number, kind in enumerate(("Last", "BidAsk", "MidPoint")):
        client.reqTickByTickData(23 + number, apple, kind, 5, False)
    client.reqMktDepth(26, apple, 5, True, [])
    client.reqMktDepth(27, contract(secType="FUT", symbol="ES", exchange="CME"), 5, False, [])
    client.reqRealTimeBars(28, apple, 5, "TRADES", False, [])
    client.calculateImpliedVolatility(29, contract(conId=option), 5.0, 228.0, [])


def ask_for_history(client: Any) -> None:
    apple = contract(**APPLE)
    client.reqHistoricalData(40, apple, "", "2 D", "1 hour", "TRADES", 1, 1, False, [])
    client.reqHistoricalData(41, apple, "", "600 S", "5 secs", "MIDPOINT", 0, 2, True, [])
    client.reqHistoricalData(42, apple, "", "3 D", "1 day", "SCHEDULE", 1, 1, False, [])
    client.reqHeadTimeStamp(43, apple, "TRADES", 1, 1)
    client.reqHistogramData(44, apple, True, "3 days")
    for number, show in enumerate(("TRADES", "BID_ASK", "MIDPOINT")):
        start = "20261120-15:00:00"
        client.reqHistoricalTicks(45 + number, apple, start, "", 5, show, 1, True, [])


def trade(client: Any) -> None:
    apple = contract(**APPLE)
    client.placeOrder(1, apple, order("BUY", "MKT"))
    client.placeOrder(2, apple, order("BUY", "LMT", lmtPrice=20.0))
    client.placeOrder(3, apple, order("BUY", "MKT", whatIf=True))
    client.placeOrder(4, apple, order("SELL", "TRAIL", auxPrice=50.0))


def ask_about_the_account(client: Any) -> None:
    client.reqAccountUpdates(True, ACCOUNT)
    client.reqAccountSummary(60, "All", "NetLiquidation,$LEDGER")
    client.reqAccountUpdatesMulti(61, ACCOUNT, "", False)
    client.reqPositions()
    client.reqPositionsMulti(62, ACCOUNT, "")
    client.reqPnL(63, ACCOUNT, "")
    client.reqPnLSingle(64, ACCOUNT, "", 265598)
    client.reqExecutions(65, ibapi.execution.ExecutionFilter())
    client.reqOpenOrders()
    client.reqAllOpenOrders()
    client.reqCompletedOrders(False)


def missing(version: int, frames: list[list[str]]) -> set[int]:
    """Return the message types that have not come and could have."""
    wanted = HOT | {message.msg_id for message in messages.MESSAGES.values()} - UNASKED.keys()
    newer = {number for number, since in NEWER.items() if version < since}
    return wanted - newer - {int(fields[0]) for fields in frames}


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_message_type_comes_and_is_understood_alike(version: int) -> None:
    config = SimConfig(
        cadence_scale=2.0, snapshot_s=1.0, clock=FastClock(), messages_per_second=None
    )
    frames: list[list[str]] = []
    async with Gateway(config) as gateway, raw_client(gateway, None) as client:
        await client.greet(f"v157..{version}")
        await client.receive()
        asking = writer_of(client, version)
        asking.startApi()
        ask_for_data(asking, gateway.source.universe.options("AAPL")[300].con_id)
        trade(asking)
        ask_about_contracts(asking)
        ask_for_history(asking)
        while not any(frame[0] == "59" for frame in frames):  # a fill, and its commission
            frames.append(await asyncio.wait_for(client.receive(), 10.0))
        ask_about_the_account(asking)
        while missing(version, frames):
            frames.append(await asyncio.wait_for(client.receive(), 10.0))
    for fields in frames:
        frame = wire.frame(*fields)
        found = compare(by_ib_async(frame, version), by_official(frame, version))
        assert (unexplained(found), unknown_sides(found)) == ({}, set()), fields
