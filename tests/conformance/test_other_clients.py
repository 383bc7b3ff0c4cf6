"""What other clients were seen to send (docs/simulator.md names them), as they send it."""

from __future__ import annotations

import asyncio

import pytest

from ibcore.sim.server import Gateway
from tests.integration import sim_client as asking
from tests.integration.sim_client import raw_client

pytestmark = pytest.mark.anyio

NAMES = "symbol sec_type expiry strike right exchange currency local_symbol market_name"
NAMES += " trading_class con_id min_tick multiplier"
DETAILS = NAMES.split(" ")  # of message 10, behind its number and the request's


@pytest.mark.parametrize("greeting", [b"62\0", b"63\0", b"GET / HTTP/1.1\r\n\r\n"])
async def test_another_protocol_is_closed_at_once(greeting: bytes) -> None:
    """The npm package ib greets with 62, IbPy with 63, and both wait for an answer."""
    async with Gateway() as gateway, raw_client(gateway, None) as client:
        client.writer.write(greeting)
        assert await asyncio.wait_for(client.closed(), 5.0) == b""
        assert gateway.ledger.sessions[-1].detail == "not the API's greeting"


@pytest.mark.parametrize("sec_type", ["STK", "OPT"])
async def test_a_contract_is_found_again_as_it_was_told(sec_type: str) -> None:
    """@stoqey/ib hands back the last trade date with time and zone, and 0 for no multiplier."""
    async with Gateway() as gateway, raw_client(gateway) as client:
        wanted = {"symbol": "AAPL", "sec_type": sec_type, "exchange": "SMART", "currency": "USD"}
        client.send(*asking.contract_details(1, **wanted))
        told = dict(zip(DETAILS, (await client.until(52))[0][2:], strict=False))
        assert (told["expiry"].count(" ") == 2) == (sec_type == "OPT")
        told["multiplier"] = told["multiplier"] or "0"
        client.send(*asking.contract_details(2, **told))
        [again, end] = await client.until(52)
        assert (again[DETAILS.index("con_id") + 2], end) == (told["con_id"], ["52", "1", "2"])


@pytest.mark.parametrize("exchange", ["NASDAQ", "ARCA"])
async def test_details_are_of_the_exchange_that_was_asked_for(exchange: str) -> None:
    """ib_async takes what it is told: an order meant for one exchange went to SMART."""
    async with Gateway() as gateway, raw_client(gateway) as client:
        client.send(*asking.contract_details(1, con_id=265598, exchange=exchange))
        [told, _end] = await client.until(52)
        assert told[DETAILS.index("exchange") + 2] == exchange


async def test_the_ledger_tag_stands_for_balances_only() -> None:
    """Samples of every client ask for $LEDGER; a gateway does not send the whole account for it."""
    async with Gateway() as gateway, raw_client(gateway) as client:
        client.send(62, 1, 5, "All", "$LEDGER:ALL,BuyingPower")
        tags = {fields[4] for fields in (await client.until(64))[:-1]}
        assert tags >= {"CashBalance", "ExchangeRate", "StockMarketValue", "BuyingPower"}
        assert tags & {"AccountCode", "AccountType", "NetLiquidation", "InitMarginReq"} == set()
