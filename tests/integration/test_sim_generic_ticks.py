"""Generic ticks by security type, lines without quotes, and what the refusal of one lists."""

from __future__ import annotations

import pytest

from ibcore.sim.board import GENERIC_TICKS, LEGAL
from ibcore.sim.ledger import by_line
from ibcore.sim.server import Gateway, SimConfig
from sidecar.lines import GENERIC_TICKS as ASKED
from sidecar.lines import legal_ticks
from tests.integration import sim_client as asking
from tests.integration.hand_clock import HandClock, passes
from tests.integration.sim_client import RawClient, eventually, raw_client

pytestmark = pytest.mark.anyio

FAST = SimConfig(cadence_scale=0.1, symbols=("SPY", "AAPL"), farm_wake_s=0.0)


async def opened(client: RawClient, gateway: Gateway, **given: object) -> set[int]:
    """Open a line and return the tick types that it begins with."""
    client.send(*asking.market_data(7, **given))
    client.send(49, 1)
    await client.until(49)
    lines = by_line(gateway.ledger.sent_ticks)
    return {tick.tick_type for tick in lines.get((1, 7), [])}


async def test_an_index_a_future_and_a_fund_have_ticks_of_their_own() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        wanted = {("SPX", "IND", "162"): {31}, ("ES", "FUT", "588"): {86},
                  ("SPY", "STK", "576,577,578,614,619,623"): {79, *range(92, 100)}}  # fmt: skip
        for number, (symbol, kind, generic) in enumerate(wanted):
            client.send(*asking.market_data(number, symbol=symbol, sec_type=kind, generic=generic))
        client.send(49, 1)
        await client.until(49)
        lines = by_line(gateway.ledger.sent_ticks)
        for key, ticks in lines.items():
            assert list(wanted.values())[key[1]] <= {tick.tick_type for tick in ticks}


@pytest.mark.parametrize("number", sorted(set(GENERIC_TICKS) - {162, 588}))
async def test_a_fund_shows_every_tick_that_a_generic_number_stands_for(number: int) -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        seen = await opened(client, gateway, symbol="SPY", sec_type="STK", generic=number)
        printed = {48, 77}  # these begin with the first print
        await eventually(
            lambda: (
                printed.isdisjoint(GENERIC_TICKS[number])
                or printed & {tick.tick_type for tick in gateway.ledger.sent_ticks}
            )
        )
        assert set(GENERIC_TICKS[number]) - printed <= seen


async def test_a_line_without_market_data_has_its_generic_ticks_only() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        seen = await opened(client, gateway, symbol="SPY", sec_type="STK", generic="mdoff,233,106")
        assert {24} <= seen <= {24, 48}  # 48 begins with the first print
        await eventually(lambda: {tick.tick_type for tick in gateway.ledger.sent_ticks} == {24, 48})


async def test_a_regulatory_snapshot_ends_as_every_snapshot_does() -> None:
    clock = HandClock()
    config = SimConfig(symbols=("AAPL",), clock=clock, farm_wake_s=0.0)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        request = asking.market_data(7, symbol="AAPL", sec_type="STK")
        request[-2] = 1
        client.send(*request)
        await eventually(lambda: gateway.subscriptions.count == 1)
        await passes(gateway, clock, 10.9)
        assert gateway.subscriptions.count == 1
        await passes(gateway, clock, 0.2)
        assert (await client.until(57))[-1][2] == "7"
        assert gateway.subscriptions.count == 0


async def test_the_refusal_of_a_generic_tick_lists_what_may_be_asked_for_instead() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        [call] = gateway.source.universe.options("AAPL")[:1]
        client.send(*asking.market_data(7, con_id=call.con_id, generic="100,106,595"))
        refused = await client.receive()
        assert refused[2:4] == ["7", "321"]
        assert legal_ticks("100,106,595", refused[4]) == "100,106"
        listed = {part.partition("(")[0] for part in refused[4].partition("are: ")[2].split(",")}
        assert listed == {str(number) for number in LEGAL["OPT"]}


async def test_no_default_line_is_refused_and_the_refusal_of_104_repeats_what_was_asked() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        asked = ASKED["STK"]
        assert await opened(client, gateway, symbol="SPY", sec_type="STK", generic=asked)
        client.send(*asking.market_data(8, symbol="SPY", sec_type="STK", generic=f"104,{asked}"))
        [refused] = [frame for frame in await client.until(4) if frame[0] == "4"]
        assert refused[2:4] == ["8", "321"]
        assert f"list of 104,{asked}." in refused[4]
        assert legal_ticks(f"104,{asked}", refused[4]) == asked
