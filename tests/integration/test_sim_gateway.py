"""The simulated gateway seen by the real ib_async, and by clients that behave badly."""

from __future__ import annotations

import asyncio
import random
import struct
from dataclasses import replace
from itertools import pairwise

import pytest
from ib_async import IB, Contract, Option, Stock, Ticker

from ibcore.sim.server import Gateway, SimConfig
from sidecar.ib_compat import sever
from tests.integration import sim_client as asking
from tests.integration.hand_clock import HandClock, passes
from tests.integration.sim_client import eventually, ib_client, raw_client

pytestmark = pytest.mark.anyio

STOCK_TICKS = "233,236,293,294,295,411,595,165,456,106,105,100,101"
OPTION_TICKS = "106,100,101,232,233"
FAST = SimConfig(cadence_scale=0.1, snapshot_s=2.0)


STOCK_FIELDS = (
    *("bid", "ask", "last", "bidSize", "askSize", "lastSize", "volume", "high", "low", "open"),
    *("close", "halted", "shortable", "shortableShares", "avVolume", "low52week", "tradeCount"),
    *("volumeRate3Min", "volumeRate5Min", "volumeRate10Min", "impliedVolatility"),
    *("rtHistVolatility", "callOpenInterest", "putOpenInterest", "callVolume"),
    *("putVolume", "avOptionVolume", "lastTimestamp", "rtVolume", "vwap"),
)


def missing(ticker: Ticker) -> list[str]:
    """Name the fields that hold nothing, or NaN."""
    values = {name: getattr(ticker, name) for name in STOCK_FIELDS}
    return [name for name, value in values.items() if value in (None, "") or value != value]


async def test_a_plain_connect_with_every_fetch_succeeds_at_once(simulator: Gateway) -> None:
    ib = IB()
    await asyncio.wait_for(ib.connectAsync("127.0.0.1", simulator.port, clientId=3), 3.0)
    try:
        assert ib.managedAccounts() == ["DU1234567"]
        assert ib.client.serverVersion() == 178
        assert ib.positions() == []
        assert {value.tag for value in ib.accountValues()} >= {"NetLiquidation", "BuyingPower"}
        asked = {request.msg_id for request in simulator.ledger.requests}
        assert asked >= {71, 61, 5, 99, 6, 76, 7}
        summary = await ib.accountSummaryAsync()
        assert {value.tag for value in summary} >= {"NetLiquidation"}
    finally:
        await sever(ib)


async def test_contracts_are_qualified_one_for_one(simulator: Gateway) -> None:
    async with ib_client(simulator) as ib:
        asked = [Stock(symbol, "SMART", "USD") for symbol in ("AAPL", "XXX", "SPY")]
        found = await ib.qualifyContractsAsync(*asked)
        assert [contract and contract.conId for contract in found] == [265598, None, 756733]
        [details] = await ib.reqContractDetailsAsync(Contract(conId=265598))
        assert details.longName == "APPLE INC"
        assert details.minTick == 0.01
        assert details.timeZoneId == "US/Eastern"
        assert len(details.validExchanges.split(",")) == len(details.marketRuleIds.split(","))
        assert details.tradingSessions()


async def test_an_unknown_contract_gets_200_and_no_end(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        client.send(*asking.contract_details(7, symbol="XXX", sec_type="STK"))
        client.send(49, 1)
        frames = await client.until(49)
        assert [frame[:4] for frame in frames] == [["4", "2", "7", "200"], frames[1][:4]]


async def test_a_wildcard_returns_the_chain_of_an_expiry(simulator: Gateway) -> None:
    async with ib_client(simulator) as ib:
        chains = await ib.reqSecDefOptParamsAsync("AAPL", "", "STK", 265598)
        smart = next(chain for chain in chains if chain.exchange == "SMART")
        assert len(smart.expirations) == 12
        wild = Option("AAPL", smart.expirations[1], 0, "P", "SMART")
        found = await ib.reqContractDetailsAsync(wild)
        strikes = sorted(details.contract.strike for details in found)
        assert len(strikes) > 20
        assert set(strikes) < set(smart.strikes)
        assert {details.contract.right for details in found} == {"P"}
        assert {details.contract.lastTradeDateOrContractMonth for details in found} == {
            smart.expirations[1]
        }
        assert found[0].underConId == 265598
        assert found[0].lastTradeTime == "16:00:00"


async def test_a_stock_line_fills_every_field_that_was_asked_for(simulator: Gateway) -> None:
    async with ib_client(simulator) as ib:
        [spy] = await ib.qualifyContractsAsync(Stock("SPY", "SMART", "USD"))
        ticker = ib.reqMktData(spy, STOCK_TICKS)
        await eventually(lambda: not missing(ticker))
        assert ticker.bid < ticker.ask
        assert ticker.marketDataType == 1
        assert ticker.halted == 0


async def test_an_option_line_carries_quotes_and_all_four_computations(simulator: Gateway) -> None:
    async with ib_client(simulator) as ib:
        con_id = next(
            c.con_id for c in simulator.source.universe.options("NVDA") if c.strike == 180
        )
        [option] = await ib.qualifyContractsAsync(Contract(conId=con_id, exchange="SMART"))
        ticker = ib.reqMktData(option, OPTION_TICKS)
        await eventually(lambda: ticker.modelGreeks and ticker.bidGreeks and ticker.askGreeks)
        assert ticker.bidGreeks.impliedVol < ticker.modelGreeks.impliedVol
        assert ticker.modelGreeks.impliedVol < ticker.askGreeks.impliedVol
        assert ticker.bid <= ticker.modelGreeks.optPrice <= ticker.ask
        assert ticker.modelGreeks.gamma > 0
        assert ticker.modelGreeks.undPrice == pytest.approx(182, rel=0.1)
        await eventually(lambda: ticker.markPrice == ticker.markPrice)


async def test_a_snapshot_ends_by_itself_and_takes_no_line_for_ever() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        [apple] = await ib.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
        [ticker] = await ib.reqTickersAsync(apple)
        assert ticker.bid > 0
        assert ticker.close > 0
        assert gateway.subscriptions.count == 0


async def test_the_market_moves_at_ibs_cadence() -> None:
    clock = HandClock()
    async with Gateway(replace(FAST, cadence_scale=1.0, clock=clock)) as gateway:
        async with raw_client(gateway) as client:
            client.send(*asking.market_data(1, con_id=265598))
            await eventually(lambda: gateway.subscriptions.count == 1)
            for _ in range(400):
                await passes(gateway, clock, 0.05)
        bids = [t for t in gateway.ledger.sent_ticks if t.tick_type == 1]
        gaps = [(b.at_ns - a.at_ns) / 1e6 for a, b in pairwise(bids)]
        assert len(gaps) > 30
        assert min(gaps) >= 200.0  # and whole turns of the pump


async def test_nothing_is_sent_after_a_cancel() -> None:
    quiet = SimConfig(farm_wake_s=0)  # no farm speaks up between
    async with Gateway(quiet) as simulator, raw_client(simulator) as client:
        client.send(*asking.market_data(5, con_id=265598))
        await client.until(46)
        client.send(2, 2, 5)
        client.send(2, 2, 5)
        frames = await client.until(4)
        assert frames[-1][2:5] == ["5", "300", "Can't find EId with tickerId:5"]
        sent = simulator.ledger.tick_count
        client.send(49, 1)
        assert [frame[0] for frame in await client.until(49)] == ["49"]
        assert simulator.ledger.tick_count == sent


async def test_the_line_allowance_holds_over_all_sessions() -> None:
    async with (
        Gateway(SimConfig(lines=2, farm_wake_s=0)) as gateway,
        raw_client(gateway, 1) as one,
        raw_client(gateway, 2) as two,
    ):
        one.send(*asking.market_data(1, con_id=265598))
        one.send(*asking.market_data(2, con_id=756733))
        await eventually(lambda: gateway.subscriptions.count == 2)
        two.send(*asking.market_data(1, con_id=4391))
        assert (await two.until(4))[-1][2:5] == [
            "1",
            "101",
            "Max number of tickers has been reached.",
        ]
        one.send(2, 2, 1)
        await eventually(lambda: gateway.subscriptions.count == 1)
        two.send(*asking.market_data(2, con_id=4391))
        assert (await two.until(58))[-1][2] == "2"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"con_id": 1}, "200"),
        ({"symbol": "AAPL", "sec_type": "OPT"}, "200"),
        ({"con_id": 265598, "generic": "9999"}, "321"),
        ({"con_id": 265598, "generic": "233", "snapshot": 1}, "321"),
        ({"con_id": 265598, "strike": "x"}, "320"),
    ],
)
async def test_a_line_that_cannot_be_opened_is_refused_with_ibs_code(
    simulator: Gateway, fields: dict[str, object], code: str
) -> None:
    async with raw_client(simulator) as client:
        client.send(*asking.market_data(9, **fields))
        assert (await client.until(4))[-1][2:4] == ["9", code]
        assert simulator.subscriptions.count == 0


async def test_volume_rates_are_refused_for_options(simulator: Gateway) -> None:
    con_id = simulator.source.universe.options("AAPL")[0].con_id
    async with raw_client(simulator) as client:
        client.send(*asking.market_data(9, con_id=con_id, generic="595"))
        assert (await client.until(4))[-1][3] == "321"


async def test_a_second_client_with_the_same_id_is_told_326_and_closed(simulator: Gateway) -> None:
    async with raw_client(simulator, 8), raw_client(simulator, None) as second:
        await second.greet()
        await second.receive()
        second.send(71, 2, 8, "")
        assert (await second.receive())[2:4] == ["-1", "326"]
        assert await second.closed() == b""
    await eventually(lambda: not simulator.sessions)
    async with raw_client(simulator, 8):
        assert list(simulator.sessions) == [8]


async def test_a_client_that_is_too_old_is_closed(simulator: Gateway) -> None:
    async with raw_client(simulator, None) as client:
        await client.greet("v100..156")
        assert await client.closed() == b""
        await eventually(lambda: simulator.ledger.sessions[-1].event == "closed")
    assert simulator.ledger.sessions[-1].detail == "the client speaks 156, too old"


async def test_what_is_asked_before_startapi_is_refused_and_not_done(simulator: Gateway) -> None:
    async with raw_client(simulator, None) as client:
        await client.greet()
        await client.receive()
        client.send(*asking.market_data(9, con_id=265598))
        words = "Error reading request.Message id 9.  startApi has to come first."
        assert (await client.receive())[2:5] == ["9", "320", words]
        assert simulator.ledger.requests[-1].verdict == "startApi has to come first."
        assert simulator.subscriptions.count == 0
        client.send(71, 2, 1, "")
        assert (await client.receive())[0] == "15"


@pytest.mark.parametrize(
    ("range_", "version"),
    [("v100..225", "178"), ("v157..163", "163"), ("v157..178 +PACEAPI", "178")],
)
async def test_the_newest_common_version_is_spoken(
    simulator: Gateway, range_: str, version: str
) -> None:
    async with raw_client(simulator, None) as client:
        await client.greet(range_)
        assert (await client.receive())[0] == version


async def test_the_clock_of_the_gateway_is_told(simulator: Gateway) -> None:
    async with ib_client(simulator) as ib:
        told = await ib.reqCurrentTimeAsync()
        assert abs(told.timestamp() - simulator.clock.unix_ns() / 1e9) < 3


async def test_garbage_is_answered_or_cut_off_and_hurts_nobody_else(simulator: Gateway) -> None:
    rng = random.Random(5)
    async with ib_client(simulator, 99) as bystander:
        [apple] = await bystander.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
        ticker = bystander.reqMktData(apple)
        for number in range(60):
            async with raw_client(simulator, number if number % 2 else None) as client:
                client.writer.write(_garbage(rng, framed=bool(number % 2)))
        heard = simulator.ledger.tick_count
        await eventually(lambda: simulator.ledger.tick_count > heard + 10)
        assert ticker.bid > 0
        assert await bystander.reqCurrentTimeAsync()
    await eventually(lambda: not simulator.sessions)
    counts = simulator.ledger.counts
    assert counts["requests_refused"] > 10
    assert counts["sessions_failed"] == counts["answers_failed"] == 0


def _garbage(rng: random.Random, *, framed: bool) -> bytes:
    if not framed:
        return rng.randbytes(rng.randrange(1, 400))
    out = b""
    for _ in range(20):
        fields = [str(rng.choice((1, 2, 9, 20, 59, 71, 78, 99, 4000)))]
        fields += [
            rng.choice(("", "1", "x", "-7", "9" * 30, "\x7f")) for _ in range(rng.randrange(20))
        ]
        body = "".join(f"{field}\0" for field in fields).encode()
        out += struct.pack(">I", len(body)) + body
    return out


async def test_a_frame_that_claims_gigabytes_is_cut_off(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        client.writer.write(struct.pack(">I", 2**31 - 1))
        assert await client.closed() == b""
    [closed] = [s for s in simulator.ledger.sessions if s.event == "closed"]
    assert "2147483647" in closed.detail


async def test_a_client_that_does_not_read_is_conflated_not_buffered_for() -> None:
    config = SimConfig(rate=40_000.0, write_limit=65_536)
    async with (
        Gateway(config) as gateway,
        raw_client(gateway, 1) as reader,
        raw_client(gateway, 2) as sleeper,
    ):
        sleeper.writer.transport.pause_reading()
        for req_id, stock in enumerate(gateway.source.universe.stocks.values()):
            sleeper.send(*asking.market_data(req_id, con_id=stock.con_id))
        await eventually(lambda: gateway.ledger.counts["conflated"] > 1000, 30.0)
        assert gateway.sessions[2].buffered < config.write_limit * 2
        reader.send(49, 1)
        assert await reader.until(49)
