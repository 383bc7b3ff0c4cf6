"""The ledger as an oracle: bounded, in true time, told by session, client, line and order."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from ib_async import LimitOrder

from ibcore.sim.entries import Wanted, entries
from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.sim_client import eventually, raw_client
from tests.integration.test_sim_faults_orders import APPLE, FAR, FAST, resting, trading

pytestmark = pytest.mark.anyio

AAPL = 265598


async def told(gateway: Gateway, **command: object) -> list[dict[str, Any]]:
    """Ask the control port for entries; return all lines of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.control_port)
    try:
        writer.write(json.dumps({"do": "entries", **command}).encode() + b"\n")
        lines = [json.loads(await reader.readline())]
        while lines[-1].get("ok") is not False and "end" not in lines[-1]:
            lines.append(json.loads(await reader.readline()))
        return lines
    finally:
        writer.transport.abort()


async def test_one_question_tells_an_order_s_whole_story_with_its_end() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        trade = await resting(gateway, ib)
        ib.cancelOrder(trade.order)
        await eventually(lambda: trade.isDone())
        order_id = trade.order.orderId
        story = list(entries(gateway.ledger, Wanted(order=order_id, client=1)))
        asked = [entry["msg_id"] for entry in story if entry["kind"] == "request"]
        steps = [entry["status"] for entry in story if entry["kind"] == "order"]
        heard = [entry["msg_id"] for entry in story if entry["kind"] == "message"]
        assert asked == [3, 4]
        assert steps[-1] == "Cancelled"
        assert set(heard) == {3, 4, 5}  # 4: the error 202 that says it is cancelled
        assert not list(entries(gateway.ledger, Wanted(order=order_id, client=2)))


async def test_a_client_s_order_is_not_told_with_another_s_of_the_same_number() -> None:
    async with Gateway(FAST) as gateway, trading(gateway, 1) as one, trading(gateway, 2) as two:
        for ib in (one, two):
            order = LimitOrder("BUY", ib.client.clientId, FAR, tif="GTC", orderId=77)
            ib.placeOrder(APPLE, order)
        await eventually(lambda: len(gateway.trading.book.live) == 2)
        wanted = Wanted(("order",), client=2, order=77)
        assert {entry["remaining"] for entry in entries(gateway.ledger, wanted)} == {2.0}


async def test_the_order_ledger_keeps_the_true_time_under_a_skewed_clock() -> None:
    async with Gateway(FAST) as gateway, trading(gateway) as ib:
        before = gateway.wall.unix_ns()
        await gateway.fault("skew", 5, seconds=-7200)
        await resting(gateway, ib)
        await gateway.fault("fill")
        events, fills = gateway.ledger.orders.events, gateway.ledger.orders.fills
        assert min(entry.at_ns for entry in (*events, *fills)) >= before


async def test_every_list_is_a_ring_and_says_what_fell_out() -> None:
    config = SimConfig(ledger_limit=4, cadence_scale=0.1, farm_wake_s=0)
    async with Gateway(config) as gateway, trading(gateway) as ib:
        for _ in range(4):
            await resting(gateway, ib)
        ledger = gateway.ledger
        assert len(ledger.orders.events) == len(ledger.requests) == len(ledger.frames()) == 4
        stats = ledger.stats()
        for name in ("requests", "messages", "orders"):
            assert stats[f"{name}_forgotten"] > 0


async def test_entries_are_a_picture_of_the_moment_in_which_they_were_asked_for() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        client.send(*asking.market_data(7, con_id=AAPL))
        await eventually(lambda: gateway.ledger.tick_count > 10)
        telling = entries(gateway.ledger, Wanted(("tick",)))
        first, count = next(telling), gateway.ledger.tick_count
        await eventually(lambda: gateway.ledger.tick_count > count)
        assert [first, *telling][-1]["at_ns"] <= gateway.ledger.sent_ticks[count - 1].at_ns


async def test_the_control_port_tells_entries_to_their_end() -> None:
    config = SimConfig(control_port=0, rate=20_000.0, farm_wake_s=0)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        client.send(*asking.market_data(7, con_id=AAPL))
        await eventually(lambda: gateway.ledger.tick_count > 3_000)
        head, *lines, end = await told(gateway, line=7, kinds=["tick", "request"])
        assert head == {"ok": True, "until": "end"}
        assert end == {"end": len(lines)}
        assert len(lines) > 3_000
        assert {line["req_id"] for line in lines} == {7}
        [refused] = await told(gateway, kinds=["dreams"])
        assert refused["ok"] is False


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ({"do": "leger"}, "did you mean ledger"),
        ({"ask": "ledger"}, "'do' is missing"),
        ({"do": "ledger", "since": "x"}, "invalid literal"),
        ({"do": ["ledger"]}, "unhashable"),
        ([1], "indices"),
        ("[" * 50_000, "recursion"),
    ],
)
async def test_a_wrong_command_is_answered_and_the_connection_lives(
    command: object, hint: str
) -> None:
    async with Gateway(SimConfig(control_port=0)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.control_port)
        sent = command if isinstance(command, str) else json.dumps(command)
        for line in (sent, '{"do": "stats"}'):
            writer.write(line.encode() + b"\n")
        answer = json.loads(await reader.readline())
        assert answer["ok"] is False
        assert hint in answer["error"]
        assert json.loads(await reader.readline())["ok"] is True
        writer.transport.abort()
