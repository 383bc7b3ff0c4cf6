"""Faults of lines, farms and the link to IB, as raw clients and the real ib_async see them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from ib_async import IB, Contract, Ticker

from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.sim_client import RawClient, eventually, ib_client, raw_client

pytestmark = pytest.mark.anyio

FAST = SimConfig(cadence_scale=0.1, farm_wake_s=0)
AAPL, MSFT = 265598, 272093
Heard = list[tuple[int, int]]


@asynccontextmanager
async def watching(gateway: Gateway) -> AsyncIterator[tuple[IB, dict[int, Ticker], Heard]]:
    """Connect ib_async with two streaming tickers; note every error."""
    async with ib_client(gateway) as ib:
        heard: Heard = []
        ib.errorEvent += lambda req_id, code, _text, _contract: heard.append((req_id, code))
        tickers = {
            con_id: ib.reqMktData(Contract(conId=con_id, exchange="SMART"))
            for con_id in (AAPL, MSFT)
        }
        await eventually(lambda: all(ticker.bid > 0 for ticker in tickers.values()))
        yield ib, tickers, heard


def ticks_of(gateway: Gateway, con_id: int) -> int:
    return sum(tick.con_id == con_id for tick in gateway.ledger.sent_ticks)


async def moves(gateway: Gateway, con_id: int) -> None:
    """Wait until one more tick of a contract is sent."""
    before = ticks_of(gateway, con_id)
    await eventually(lambda: ticks_of(gateway, con_id) > before)


async def stands_still(gateway: Gateway, con_id: int, seconds: float = 0.25) -> bool:
    """Whether no tick of a contract is sent for so long (ten times its cadence)."""
    try:
        await asyncio.wait_for(moves(gateway, con_id), seconds)
    except (asyncio.TimeoutError, TimeoutError):
        return True
    return False


async def notices(client: RawClient) -> list[str]:
    """Receive up to the answer to a question; return the codes of the notices before it."""
    client.send(49, 1)
    return [frame[3] for frame in await client.until(49) if frame[0] == "4"]


async def test_a_silent_line_says_nothing_and_then_catches_up() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (_, tickers, heard):
        await gateway.fault("silent", 30, line="AAPL")
        assert await stands_still(gateway, AAPL)
        await moves(gateway, MSFT)
        await gateway.fault("clear")
        await moves(gateway, AAPL)
        assert heard == []
        board = gateway.source.board(gateway.source.universe.by_id[AAPL])
        await eventually(lambda: tickers[AAPL].bid == board.values[1])


async def test_a_farm_breaks_and_comes_back() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (_, _tickers, heard):
        await gateway.fault("farm", 30)
        assert await stands_still(gateway, AAPL, 0.2)
        await gateway.fault("clear")
        await eventually(lambda: heard == [(-1, 2103), (-1, 2104)])
        await moves(gateway, AAPL)


async def test_a_farm_may_come_back_and_its_lines_stay_dead_until_asked_again() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (ib, _tickers, heard):
        await gateway.fault("farm", 0.1, dead="yes")
        await eventually(lambda: (-1, 2104) in heard)
        assert await stands_still(gateway, AAPL)
        ib.cancelMktData(Contract(conId=AAPL, exchange="SMART"))
        ib.reqMktData(Contract(conId=AAPL, exchange="SMART"))
        await moves(gateway, AAPL)
        assert await stands_still(gateway, MSFT)


async def test_1100_repeats_itself_and_1102_keeps_what_it_says() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (_, _tickers, heard):
        await gateway.fault("1100", 30, every=0.05)
        assert await stands_still(gateway, AAPL, 0.2)
        await eventually(lambda: heard.count((-1, 1100)) >= 3)
        await gateway.fault("clear")
        await eventually(lambda: (-1, 1102) in heard)
        await moves(gateway, AAPL)


async def test_after_1101_every_line_is_gone_until_it_is_asked_for_again() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (ib, _tickers, heard):
        await gateway.fault("1100", 0.1, then=1101)
        await eventually(lambda: (-1, 1101) in heard)
        assert gateway.subscriptions.count == 0
        assert await stands_still(gateway, AAPL)
        ib.cancelMktData(Contract(conId=AAPL, exchange="SMART"))
        await eventually(lambda: any(code == 300 for _, code in heard))
        ib.reqMktData(Contract(conId=AAPL, exchange="SMART"))
        await moves(gateway, AAPL)


def streams_of(gateway: Gateway) -> int:
    """Count what was sent of the tick-by-tick line of the tests below."""
    return sum(message.msg_id == 99 for message in gateway.ledger.sent_messages)


@asynccontextmanager
async def tick_by_tick(gateway: Gateway) -> AsyncIterator[RawClient]:
    """A client with one tick-by-tick line that has spoken."""
    async with raw_client(gateway) as client:
        apple = asking.contract({"symbol": "AAPL", "sec_type": "STK"})
        client.send(97, 7, *apple, "BidAsk", 0, 0)
        await client.until(99)
        yield client


async def hushed(gateway: Gateway, seconds: float = 0.25) -> bool:
    """Whether the tick-by-tick line says nothing for so long."""
    before = streams_of(gateway)
    try:
        await eventually(lambda: streams_of(gateway) > before, seconds)
    except (asyncio.TimeoutError, TimeoutError):
        return True
    return False


@pytest.mark.parametrize(
    ("name", "given"),
    [("1101", {}), ("1102", {"dead": "yes"}), ("farm", {"dead": "yes", "for_s": 0.05})],
)
async def test_tick_by_tick_lines_die_with_the_others(name: str, given: dict[str, object]) -> None:
    async with Gateway(FAST) as gateway, tick_by_tick(gateway):
        for_s = given.pop("for_s", None)
        await gateway.fault(name, for_s, **given)
        await eventually(lambda: not gateway.faults.active)
        assert await hushed(gateway)


@pytest.mark.parametrize("name", ["silent", "10197"])
async def test_tick_by_tick_lines_fall_silent_with_the_others_and_come_back(name: str) -> None:
    async with Gateway(FAST) as gateway, tick_by_tick(gateway):
        await gateway.fault(name, 30, line="AAPL")
        assert await hushed(gateway)
        await gateway.fault("clear")
        assert not await hushed(gateway, 10.0)


async def test_1102_may_claim_that_data_is_kept_while_it_is_dead() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (_, _tickers, heard):
        assert await gateway.fault("1102", dead="yes") == "2 lines are dead"
        await eventually(lambda: (-1, 1102) in heard)
        assert gateway.subscriptions.count == 2
        assert await stands_still(gateway, AAPL)


async def test_whoever_connects_while_the_link_is_down_hears_2110(simulator: Gateway) -> None:
    await simulator.fault("1100", 30)
    async with raw_client(simulator, None) as client:
        await client.greet()
        await client.receive()
        client.send(71, 2, 1, "")
        assert await notices(client) == ["2110"]
        client.send(*asking.market_data(1, con_id=AAPL))
        client.send(49, 1)
        assert [frame[0] for frame in await client.until(49)] == ["81", "58", "49"]
        await simulator.fault("clear")
        assert [frame[0] for frame in await client.until(1)] == ["4", "1"]


def taken_ids(heard: list[tuple[int, int]]) -> list[int]:
    return [req_id for req_id, code in heard if code == 10197]


async def test_a_competing_session_answers_in_bunches_for_each_line() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (_, _tickers, heard):
        await gateway.fault("10197", 30, bunch=12, every=0.1)
        assert await stands_still(gateway, AAPL, 0.2)
        await eventually(lambda: len(taken_ids(heard)) >= 24)
        await gateway.fault("clear")
        await eventually(lambda: len(taken_ids(heard)) % 12 == 0)
        ids = taken_ids(heard)
        assert set(ids) == {line.req_id for line in gateway.subscriptions}
        await moves(gateway, AAPL)


async def test_poison_reaches_ib_async_as_it_is_and_the_truth_follows() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (ib, tickers, _):
        seen: list[float] = []
        ib.wrapper.priceSizeTick = _spying(ib, seen)
        assert await gateway.fault("poison", ticks="bid", line="AAPL") == "5 ticks of poison sent"
        await eventually(lambda: any(map(math.isnan, seen)))
        del seen[: [*map(math.isnan, seen)].index(True)]  # the truth that was on its way
        await eventually(lambda: len(seen) >= 6)
        assert seen[1:4] == [math.inf, 1.7976931348623157e308, -1.0]
        assert seen[4] != round(seen[4], 4)
        await eventually(lambda: 0 < tickers[AAPL].bid < 10_000)
        assert tickers[MSFT].bid > 0


def _spying(ib: IB, seen: list[float]) -> object:
    true = ib.wrapper.priceSizeTick

    def note(req_id: int, tick_type: int, price: float, size: float) -> None:
        if tick_type == 1 and ib.wrapper.reqId2Ticker[req_id].contract.conId == AAPL:
            seen.append(price)
        true(req_id, tick_type, price, size)

    return note


async def test_poison_of_a_delayed_line_has_its_tick_types() -> None:
    config = SimConfig(cadence_scale=0.1, farm_wake_s=0, permissions={"*": "delayed"})
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        client.send(59, 1, 3)
        client.send(*asking.market_data(7, con_id=AAPL))
        await client.until(81)
        await gateway.fault("poison", value="nan", ticks="bid,volume")
        await eventually(lambda: "NaN" in [tick.fields[0] for tick in gateway.ledger.sent_ticks])
        poisoned = [tick for tick in gateway.ledger.sent_ticks if tick.fields[0] == "NaN"]
        assert [tick.tick_type for tick in poisoned] == [66, 74]


async def test_poison_with_a_duration_comes_again_and_again() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        client.send(*asking.market_data(7, con_id=AAPL))
        await client.until(81)
        await gateway.fault("poison", 30, value="nan", ticks="last,volume,model_greeks", every=0.1)

        def poisoned() -> list[int]:
            sent = gateway.ledger.sent_ticks
            return [tick.tick_type for tick in sent if tick.fields[0] == "NaN"]

        await eventually(lambda: len(poisoned()) >= 6)
        assert poisoned()[:2] == [4, 8]
        with pytest.raises(ValueError, match="bid_size"):
            await gateway.fault("poison", ticks="lost")


async def test_a_farm_wakes_for_its_first_line_only() -> None:
    async with Gateway(SimConfig(cadence_scale=0.1)) as gateway, ib_client(gateway) as ib:
        heard: list[tuple[int, str]] = []
        ib.errorEvent += lambda _req_id, code, text, _contract: heard.append((code, text))
        ib.reqMktData(Contract(conId=AAPL, exchange="SMART"))
        await eventually(lambda: len(heard) == 2)
        ib.reqMktData(Contract(conId=MSFT, exchange="SMART"))
        option = gateway.source.universe.options("SPY")[60]
        ib.reqMktData(Contract(conId=option.con_id, exchange="SMART"))
        await eventually(lambda: len(heard) == 4)
    assert heard == [
        (2119, "Market data farm is connecting:usfarm"),
        (2104, "Market data farm connection is OK:usfarm"),
        (2119, "Market data farm is connecting:usopt"),
        (2104, "Market data farm connection is OK:usopt"),
    ]


async def test_the_nightly_reset_comes_in_its_order_and_lines_and_orders_outlive_it() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (_, _tickers, heard):
        await gateway.fault("nightly", 1.0, notices=3)
        await eventually(lambda: not gateway.faults.active)
        await eventually(lambda: len(heard) >= 10)
        codes = [code for _, code in heard]
        assert codes == [2103, 2104, 1100, 1100, 1100, 2103, 2103, 1102, 2104, 2104]
        await moves(gateway, AAPL)


async def test_a_nightly_reset_that_is_cut_short_leaves_everything_mended() -> None:
    async with Gateway(FAST) as gateway, watching(gateway) as (_, _tickers, heard):
        await gateway.fault("nightly", 60, then=1101)
        await eventually(lambda: (-1, 2103) in heard)
        await gateway.fault("clear")
        await eventually(lambda: (-1, 1101) in heard)
        assert gateway.farms.all_well
        assert gateway.subscriptions.count == 0
