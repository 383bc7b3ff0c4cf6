"""Tick-by-tick lines, depth, sums on request, small tables, and what is refused."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from ib_async import IB, Option, Stock

from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.sim_client import RawClient, eventually, ib_client, raw_client

pytestmark = pytest.mark.anyio

APPLE = Stock("AAPL", "SMART", "USD", conId=265598)
FAST = SimConfig(cadence_scale=0.02, symbols=("AAPL", "SPY", "MSFT", "AMD", "TSLA", "META"))


def tick_by_tick(req_id: int, kind: str, **given: object) -> list[object]:
    """Build reqTickByTickData (97)."""
    contract = asking.contract({"symbol": "AAPL", "sec_type": "STK", **given})
    return [97, req_id, *contract, kind, given.get("count", 0), given.get("ignore_size", 0)]


def depth(req_id: int, **given: object) -> list[object]:
    """Build reqMktDepth (10)."""
    contract = asking.contract({"symbol": "AAPL", "sec_type": "STK", "exchange": "SMART", **given})
    return [10, 5, req_id, *contract, given.get("rows", 5), given.get("smart", 1), ""]


async def frames_of(client: RawClient, msg_id: str, count: int) -> list[list[str]]:
    found: list[list[str]] = []
    while len(found) < count:
        frame = await asyncio.wait_for(client.receive(), 20.0)
        if frame[0] == msg_id:
            found.append(frame)
    return found


async def test_every_kind_of_tick_by_tick_line_speaks_of_the_same_market() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        for number, kind in enumerate(("Last", "AllLast", "BidAsk", "MidPoint"), 1):
            client.send(*tick_by_tick(number, kind))
        frames = await frames_of(client, "99", 200)
        of_kind = {kind: [f for f in frames if f[2] == str(kind)] for kind in (1, 2, 3, 4)}
        assert all(of_kind.values())
        last, all_last = ([f[3:] for f in of_kind[kind]] for kind in (1, 2))
        assert last[: len(all_last)] == all_last[: len(last)]
        quotes = [tuple(map(float, f[4:8])) for f in of_kind[3]]
        assert all(bid < ask and size > 0 for bid, ask, size, _ in quotes)
        assert all(one != two for one, two in pairwise(quotes))
        mids = [float(f[4]) for f in of_kind[4]]
        assert all(one != two for one, two in pairwise(mids))
        assert set(mids) <= {round((bid + ask) / 2, 6) for bid, ask, *_ in quotes} | {mids[-1]}


async def test_ignoring_sizes_leaves_only_quotes_whose_prices_moved() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        client.send(*tick_by_tick(1, "BidAsk", ignore_size=1))
        prices = [frame[4:6] for frame in await frames_of(client, "99", 60)]
        assert all(one != two for one, two in pairwise(prices))


async def test_a_number_of_past_ticks_comes_before_the_line_begins() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        client.send(*tick_by_tick(1, "AllLast", count=10))
        frames = await client.until(99)
        [past] = [frame for frame in frames if frame[0] == "98"]
        assert past[2] == "10"
        assert past[-1] == "1"


async def test_tick_by_tick_lines_are_refused_as_ib_refuses_them() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        client.send(*tick_by_tick(1, "Gossip"))
        assert (await client.receive())[2:4] == ["1", "321"]
        client.send(*tick_by_tick(1, "Last", symbol="XXX"))
        assert (await client.receive())[2:4] == ["1", "200"]
        [call] = gateway.source.universe.options("AAPL")[:1]
        client.send(*tick_by_tick(1, "Last", con_id=call.con_id, symbol="", sec_type=""))
        assert (await client.receive())[2:4] == ["1", "10189"]
        for number, symbol in enumerate(("AAPL", "SPY", "MSFT", "AMD", "TSLA", "META"), 1):
            client.send(*tick_by_tick(number, "MidPoint", symbol=symbol))
        assert (await frames_of(client, "4", 1))[0][2:4] == ["6", "10190"]
        client.send(*tick_by_tick(2, "Last"))
        assert (await frames_of(client, "4", 1))[0][2:4] == ["2", "322"]
        client.send(98, 77)
        assert (await frames_of(client, "4", 1))[0][2:4] == ["77", "300"]


async def test_ib_async_sees_a_book_that_is_sorted_and_follows_the_quote() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        ticker = ib.reqMktDepth(APPLE, numRows=5, isSmartDepth=True)
        quotes = ib.reqMktData(APPLE)
        seen: set[float] = set()
        ticker.updateEvent += lambda t: seen.add(t.domBids[0].price)
        await eventually(lambda: len(seen) > 5)
        await eventually(lambda: ticker.domBids[0].price == quotes.bid)
        assert len(ticker.domBids) == len(ticker.domAsks) == 5
        assert all(one.price > two.price for one, two in pairwise(ticker.domBids))
        assert all(one.price < two.price for one, two in pairwise(ticker.domAsks))
        assert all(level.marketMaker for level in ticker.domBids)
        ib.cancelMktDepth(APPLE, isSmartDepth=True)
        await eventually(lambda: gateway.data.streams.count("depth") == 0)


async def test_the_book_of_one_exchange_comes_as_message_12() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        client.send(*depth(1, exchange="ARCA", smart=0, rows=3))
        frames = await frames_of(client, "12", 6)
        assert [frame[3:6] for frame in frames] == [
            [str(place), "0", side] for side in ("1", "0") for place in range(3)
        ]


async def test_a_book_that_missed_quotes_begins_anew_after_317() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        client.send(*depth(1))
        await frames_of(client, "13", 10)
        [book] = gateway.data.streams
        book.reset()  # type: ignore[attr-defined]
        frames = await client.until(4)
        assert frames[-1][2:4] == ["1", "317"]
        operations = [frame[5] for frame in await frames_of(client, "13", 10)]
        assert operations == ["0"] * 10


async def test_depth_is_refused_as_ib_refuses_it() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        client.send(*depth(1, smart=0))
        assert (await client.receive())[2:4] == ["1", "10092"]
        client.send(*depth(1, rows=0))
        assert (await client.receive())[2:4] == ["1", "321"]
        for number, symbol in enumerate(("AAPL", "SPY", "MSFT", "AMD"), 1):
            client.send(*depth(number, symbol=symbol))
        assert (await frames_of(client, "4", 1))[0][2:4] == ["4", "309"]
        client.send(11, 1, 9, 1)
        assert (await frames_of(client, "4", 1))[0][2:4] == ["9", "310"]


async def test_streams_end_with_their_session() -> None:
    async with Gateway(FAST) as gateway:
        async with raw_client(gateway) as client:
            client.send(*tick_by_tick(1, "Last"))
            client.send(*depth(2))
            await frames_of(client, "13", 3)
        await eventually(lambda: not list(gateway.data.streams))


async def test_a_price_and_a_volatility_are_inverse_to_each_other(simulator: Gateway) -> None:
    async with ib_client(simulator) as ib:
        chain = simulator.source.universe.options("AAPL")
        known = next(c for c in chain if c.right == "C" and c.strike == 230.0)
        call = Option("AAPL", known.expiry, 230.0, "C", "SMART")
        await ib.qualifyContractsAsync(call)
        priced = await ib.calculateOptionPriceAsync(call, 0.31, 226.0)
        back = await ib.calculateImpliedVolatilityAsync(call, priced.optPrice, 226.0)
        assert back.impliedVol == pytest.approx(0.31, abs=1e-6)
        assert 0 < priced.delta < 1
        assert priced.undPrice == 226.0


async def test_sums_that_have_no_answer_are_refused(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        stock = asking.contract({"con_id": 265598})
        client.send(54, 3, 1, *stock, 10.0, 226.0, 0, "")
        assert (await client.receive())[2:4] == ["1", "321"]
        [option] = simulator.source.universe.options("AAPL")[:1]
        client.send(54, 3, 2, *asking.contract({"con_id": option.con_id}), 1e6, 226.0, "")
        assert (await client.receive())[2:4] == ["2", "321"]


async def test_small_tables_are_answered(simulator: Gateway) -> None:
    async with ib_client(simulator) as ib:
        exchanges = await ib.reqMktDepthExchangesAsync()
        assert {"SMART", "ARCA"} <= {entry.exchange for entry in exchanges}
        components = await ib.reqSmartComponentsAsync("9c0001")
        assert [part.bitNumber for part in components] == list(range(len(components)))
        assert await ib.reqNewsProvidersAsync() == []
        assert (await ib.reqMarketRuleAsync(109))[1].increment == 0.05


REFUSED = {
    18: ([1, 1], "321"),
    19: ([1, 1, "<xml/>", 7], "321"),
    22: ([7, *[""] * 23], "162"),
    24: ([1], "321"),
    52: ([2, 7, *[""] * 7, "ReportSnapshot", 0, ""], "10358"),
    67: ([1, 7], "321"),
    68: ([1, 7, 1], "321"),
    69: ([1, 7, "none"], "321"),
    84: ([7, "BRFG", "x", ""], "10172"),
    86: ([7, 265598, "BRFG", "", "", 10, ""], "10276"),
    100: ([7], "10279"),
    102: ([7, 265598, "", 0, 0, 0, "", "", ""], "10283"),
}


@pytest.mark.parametrize("msg_id", REFUSED)
async def test_what_is_not_offered_is_refused_clearly(simulator: Gateway, msg_id: int) -> None:
    fields, code = REFUSED[msg_id]
    async with raw_client(simulator) as client:
        client.send(msg_id, *fields)
        frame = await client.receive()
        assert (frame[0], frame[3]) == ("4", code)
        assert len(frame[4]) > 20


SILENT = {12: [1, 1], 13: [1], 23: [1, 7], 53: [1, 7], 56: [1, 7], 57: [1, 7], 70: [1, 7],
          89: [7], 90: [7], 101: [7], 103: [7]}  # fmt: skip


async def test_cancels_of_what_never_was_are_accepted_without_a_word(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        for msg_id, fields in SILENT.items():
            client.send(msg_id, *fields)
        client.send(49, 1)
        assert (await client.receive())[0] == "49"
        assert not simulator.ledger.counts["requests_refused"]


async def test_codes_and_tiers_are_answered(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        client.send(79, 7)
        assert await client.receive() == ["77", "7", "0"]
        client.send(80)
        assert await client.receive() == ["78", "1", "DU1234567", ""]
        client.send(104, 7)
        assert await client.receive() == ["107", "7", ""]
        client.send(83, 7, "zzz")
        assert (await client.receive())[3] == "321"


async def test_two_ib_async_clients_read_the_same_prints() -> None:
    async with Gateway(FAST) as gateway:
        heard: list[list[tuple[float, float]]] = [[], []]

        async def listen(number: int) -> None:
            async with ib_client(gateway, number + 1) as ib:
                await watch(ib, heard[number])

        await asyncio.gather(listen(0), listen(1))
        shorter = min(len(heard[0]), len(heard[1]))
        joint = [pair for pair in heard[0] if pair in heard[1]]
        assert len(joint) >= shorter * 0.5


async def watch(ib: IB, heard: list[tuple[float, float]]) -> None:
    ticker = ib.reqTickByTickData(APPLE, "Last")
    ticker.updateEvent += lambda t: heard.extend((k.price, k.size) for k in t.tickByTicks)
    await eventually(lambda: len(heard) > 30)
