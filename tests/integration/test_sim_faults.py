"""Faults of doors and connections: what a client sees of each, and what the ledger keeps."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from ib_async import IB, Contract, Stock

from ibcore.sim.entries import Wanted, entries
from ibcore.sim.server import Gateway, SimConfig
from ibcore.sim.wire import frame
from tests.integration import sim_client as asking
from tests.integration.hand_clock import HandClock, passes
from tests.integration.sim_client import RawClient, eventually, ib_client, raw_client

pytestmark = pytest.mark.anyio

FAST = SimConfig(cadence_scale=0.1, farm_wake_s=0)
AAPL = 265598


async def streaming(client: RawClient, req_id: int = 7) -> None:
    """Open a line and receive its first message."""
    client.send(*asking.market_data(req_id, con_id=AAPL))
    await client.until(81)


async def answered(client: RawClient) -> list[list[str]]:
    """Ask for the time and receive everything up to the answer."""
    client.send(49, 1)
    return await client.until(49)


async def silence(client: RawClient, seconds: float) -> bool:
    """Whether nothing arrives for so long."""
    try:
        await asyncio.wait_for(client.receive(), seconds)
    except (asyncio.TimeoutError, TimeoutError):
        return True
    return False


async def test_refusing_cuts_and_refuses_and_ends_by_itself(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("refuse", 1.5)
        assert await client.closed() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", simulator.port)
        await eventually(lambda: simulator.listening)
        async with raw_client(simulator, 5):
            assert 5 in simulator.sessions


async def test_the_door_opens_when_the_last_refusal_ends(simulator: Gateway) -> None:
    await simulator.fault("refuse", 30)
    await simulator.fault("refuse", 0.05)
    await eventually(lambda: len(simulator.faults.active) == 1)
    assert not simulator.listening
    await simulator.fault("accept")
    assert simulator.listening


async def test_nobody_is_given_the_port_while_it_refuses(simulator: Gateway) -> None:
    await simulator.fault("refuse", 30)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", simulator.port))
    await simulator.fault("deaf", 30)
    await simulator.fault("clear", fault="refuse")
    _, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    assert simulator.connections == []
    await simulator.fault("accept")
    await eventually(lambda: len(simulator.connections) == 1)
    writer.transport.abort()


async def test_refusing_can_keep_who_is_there(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("refuse", 5, keep="yes")
        await answered(client)


async def test_a_deaf_gateway_completes_connections_and_answers_later(simulator: Gateway) -> None:
    await simulator.fault("deaf", 30)
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    client = RawClient(reader, writer)
    await client.greet()
    assert await silence(client, 0.1)
    assert simulator.connections == []
    await simulator.fault("clear")
    assert (await client.receive())[0] == "178"  # it was in the backlog
    writer.close()
    await writer.wait_closed()


async def test_ib_async_times_out_on_a_deaf_gateway(simulator: Gateway) -> None:
    await simulator.fault("deaf")
    ib = IB()
    with pytest.raises((asyncio.TimeoutError, TimeoutError)):
        await ib.connectAsync("127.0.0.1", simulator.port, clientId=1, timeout=0.2)
    assert not ib.isConnected()


async def test_dropping_one_client_leaves_the_other(simulator: Gateway) -> None:
    async with raw_client(simulator, 1) as one, raw_client(simulator, 2) as two:
        assert await simulator.fault("drop", client=1) == "1 connections cut"
        assert await one.closed() == b""
        await answered(two)


async def test_dropping_for_a_while_cuts_whoever_starts(simulator: Gateway) -> None:
    await simulator.fault("drop", 5, client=3)
    async with raw_client(simulator, None) as client:
        await client.greet()
        await client.receive()
        client.send(71, 2, 3, "")
        assert await client.closed() == b""
    async with raw_client(simulator, 4) as other:
        await answered(other)


async def test_a_reset_is_a_reset(simulator: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    await eventually(lambda: len(simulator.connections) == 1)
    await simulator.fault("reset")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.transport.abort()


async def test_a_connection_that_is_just_going_may_be_reset_again(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        for _ in range(5):
            await simulator.fault("reset")
            await asyncio.sleep(0)  # one turn of the loop: the socket is closed, the session not
        await client.closed()


async def test_resetting_for_a_while_resets_whoever_starts(simulator: Gateway) -> None:
    await simulator.fault("reset", 5, client=3)
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    client = RawClient(reader, writer)
    await client.greet()
    await client.receive()
    client.send(71, 2, 3, "")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.transport.abort()


@pytest.mark.parametrize("name", ["drop", "reset", "refuse"])
async def test_the_ledger_says_which_fault_cut_a_connection(simulator: Gateway, name: str) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault(name)
        await client.closed()
        await eventually(lambda: simulator.ledger.sessions[-1].event == "closed")
        assert simulator.ledger.sessions[-1].detail == name


async def test_a_mute_gateway_takes_requests_and_says_nothing(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("mute", 30)
        client.send(49, 1)
        await eventually(lambda: simulator.ledger.requests[-1].msg_id == 49)
        assert await silence(client, 0.1)
        assert 49 not in {message.msg_id for message in simulator.ledger.sent_messages}
        await simulator.fault("clear")
        assert [frame[0] for frame in await answered(client)] == ["49"]


async def test_a_frozen_connection_answers_when_it_thaws_and_others_never_stop() -> None:
    async with (
        Gateway(FAST) as gateway,
        raw_client(gateway, 1) as frozen,
        raw_client(gateway, 2) as other,
    ):
        await streaming(other)
        await gateway.fault("freeze", 30, client=1)
        frozen.send(49, 1)
        await answered(other)
        assert await silence(frozen, 0.1)
        assert 49 not in [r.msg_id for r in gateway.ledger.requests if r.client_id == 1]
        await gateway.fault("clear")
        assert (await frozen.receive())[0] == "49"


async def test_a_frozen_gateway_stands_still_and_goes_on() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        await streaming(client)
        await gateway.fault("freeze", 30)
        sent = gateway.ledger.tick_count
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        late = RawClient(reader, writer)
        await late.greet()
        assert await silence(late, 0.2)
        assert gateway.ledger.tick_count == sent
        await gateway.fault("clear")
        assert (await late.receive())[0] == "178"
        await eventually(lambda: gateway.ledger.tick_count > sent)
        writer.close()
        await writer.wait_closed()


async def test_a_dropped_connection_under_a_freeze_is_gone(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("freeze", 30)
        await simulator.fault("drop")
        assert await client.closed() == b""
        await eventually(lambda: not simulator.connections)


async def test_what_a_frozen_client_asked_is_lost_with_its_connection(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("freeze", 30)
        for _ in range(3):
            client.send(49, 1)
        await client.writer.drain()
        await asyncio.sleep(0.05)  # the first one may have been read, and must not be acted upon
        await simulator.fault("drop")
        assert await client.closed() == b""
        await eventually(lambda: not simulator.connections)
    assert 49 not in {request.msg_id for request in simulator.ledger.requests}


async def test_what_piles_up_under_a_freeze_is_not_held_against_the_client(
    simulator: Gateway,
) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("freeze", 0.6, client=1)
        for _ in range(75):
            client.send(49, 1)
        assert {(await client.receive())[0] for _ in range(75)} == {"49"}


async def test_what_a_fault_holds_back_is_bounded() -> None:
    config = SimConfig(write_limit=1_024, farm_wake_s=0)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        await gateway.fault("slow", 30, latency_ms=20_000)
        client.send(*asking.contract_details(1, symbol="SPY", sec_type="OPT", right="C"))
        await client.closed()
        await eventually(lambda: gateway.ledger.sessions[-1].detail == "too far behind")


async def test_a_failure_in_one_turn_does_not_stop_the_gateway() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        await streaming(client)
        gateway.farms.turn = lambda _now: 1 / 0  # type: ignore[method-assign, assignment]
        await eventually(lambda: gateway.ledger.counts["turns_failed"])
        del gateway.farms.turn
        sent = gateway.ledger.tick_count
        await eventually(lambda: gateway.ledger.tick_count > sent)


async def test_a_slow_line_is_late_by_its_latency_and_in_order(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("slow", 5, latency_ms=150, jitter_ms=50)
        began = time.monotonic()
        for number in range(10):
            client.send(91, 26 if number % 2 else 999)
        frames = [await client.receive() for _ in range(10)]
        assert 0.15 <= time.monotonic() - began < 2.0
        assert [frame[0] for frame in frames] == ["4", "93"] * 5


async def test_a_narrow_line_takes_its_time(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("slow", 5, latency_ms=0, bytes_s=1_000)
        began = time.monotonic()
        client.send(*asking.contract_details(1, con_id=AAPL))
        frames = await client.until(52)
        size = sum(len(field) + 1 for frame in frames for field in frame)
        assert time.monotonic() - began > 0.8 * size / 1_000


async def test_what_a_slow_line_holds_comes_out_when_the_fault_ends(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("slow", 30, latency_ms=20_000)
        client.send(49, 1)
        assert await silence(client, 0.1)
        await simulator.fault("clear")
        assert (await client.receive())[0] == "49"


async def test_one_byte_at_a_time_is_still_a_stream_for_ib_async() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        await gateway.fault("slice", 10)
        [details] = await ib.reqContractDetailsAsync(Stock("AAPL", "SMART", "USD"))
        assert details.longName == "APPLE INC"
        ticker = ib.reqMktData(details.contract)
        await eventually(lambda: ticker.bid > 0 and ticker.ask > 0)


async def test_a_garbled_frame_differs_in_one_byte_of_its_body() -> None:
    true = frame(15, 1, "DU1234567")
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        await gateway.fault("garble", 5, share=1.0)
        for _ in range(20):
            client.send(17, 1)
        await eventually(lambda: gateway.ledger.counts["messages"] == 26)
        await gateway.fault("drop")
        came = await client.closed()
    assert len(came) == 20 * len(true)
    for start in range(0, len(came), len(true)):
        spoiled = came[start : start + len(true)]
        differing = [place for place, byte in enumerate(spoiled) if byte != true[place]]
        assert len(differing) == 1
        assert differing[0] >= 4


@pytest.mark.parametrize(
    ("name", "values"), [("garble", {"share": 0.5}), ("truncate", {"hang_up": "no"})]
)
async def test_the_same_seed_spoils_the_same_bytes(name: str, values: dict[str, object]) -> None:
    async def spoiled(seed: int) -> bytes:
        async with Gateway(FAST) as gateway, raw_client(gateway) as client:
            await gateway.fault(name, 5, seed=seed, **values)
            for number in range(20):
                client.send(91, 900 + number)
            await eventually(lambda: gateway.ledger.requests[-1].fields == ("919",))
            await gateway.fault("drop")
            return await client.closed()

    assert await spoiled(1) == await spoiled(1) != await spoiled(2)


async def test_garble_of_a_line_spoils_nothing_else() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        await gateway.fault("garble", 5, share=1.0, line="MSFT")
        assert (await answered(client))[-1][0] == "49"


async def test_a_truncated_frame_is_the_last_one(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("truncate")
        client.send(49, 1)
        left = await client.closed()
        assert 1 <= len(left) < 4 + len("49\x001\x001234567890\0")


async def test_ib_async_notices_a_truncated_stream_as_a_disconnection() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        await gateway.fault("truncate")
        ib.client.reqCurrentTime()
        await eventually(lambda: not ib.isConnected())


async def test_a_notice_of_any_code_reaches_ib_async() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        heard: list[tuple[int, int, str]] = []
        ib.errorEvent += lambda req_id, code, text, _contract: heard.append((req_id, code, text))
        done = await gateway.fault("notice", code=2148, text="strange days", times=3)
        assert done == "3 notices sent"
        await eventually(lambda: heard.count((-1, 2148, "strange days")) == 3)
        ticker = ib.reqMktData(Contract(conId=AAPL, exchange="SMART"))
        await eventually(lambda: ticker.bid > 0)
        await gateway.fault("notice", code=354, text="not subscribed", line="AAPL")
        await eventually(lambda: heard[-1][1] == 354 and heard[-1][0] > 0)


async def test_a_notice_may_be_about_an_order(simulator: Gateway) -> None:
    async with raw_client(simulator, 1) as one, raw_client(simulator, 2) as two:
        await simulator.fault("notice", code=201, text="Order rejected", client=2, order=77)
        assert (await answered(two))[0][2:5] == ["77", "201", "Order rejected"]
        assert [frame[0] for frame in await answered(one)] == ["49"]


async def test_garble_of_an_id_spoils_whatever_was_asked_under_it(simulator: Gateway) -> None:
    async with raw_client(simulator) as client:
        await simulator.fault("garble", 5, share=1.0, line="5")
        for req_id in (5, 6):
            client.send(*asking.contract_details(req_id, con_id=AAPL))
        await eventually(lambda: simulator.ledger.counts["messages"] == 10)
        await simulator.fault("drop")
        frames = frame_bodies(await client.closed())
    assert len(frames) == 4
    assert frames[0] != frames[2].replace(b"\x006\x00", b"\x005\x00", 1)
    assert frames[3] == b"52\x001\x006\x00"


def frame_bodies(data: bytes) -> list[bytes]:
    """Split what a connection said into the bodies of its frames."""
    bodies = []
    while data:
        size = 4 + int.from_bytes(data[:4], "big")
        bodies.append(data[4:size])
        data = data[size:]
    return bodies


async def test_clearing_a_fault_that_nobody_knows_names_the_nearest(simulator: Gateway) -> None:
    with pytest.raises(ValueError, match="did you mean garble"):
        await simulator.fault("clear", fault="garbel")


async def test_a_skewed_clock_tells_clients_a_wrong_time_and_the_ledger_the_right_one() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        before = await ib.reqCurrentTimeAsync()
        await gateway.fault("skew", 5, seconds=-7200)
        after = await ib.reqCurrentTimeAsync()
        assert -7205 < (after - before).total_seconds() < -7190
        at_ns = [request.at_ns for request in gateway.ledger.requests]
        assert at_ns == sorted(at_ns)


async def test_a_burst_is_so_many_times_the_ticks() -> None:
    clock = HandClock()
    config = SimConfig(clock=clock, rate=500.0, farm_wake_s=0)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        await streaming(client)
        await gateway.fault("burst", 0.5, times=10)
        began = gateway.ledger.tick_count
        for _ in range(60):
            await passes(gateway, clock, 0.01)
        assert gateway.faults.active == []
        assert 2_400 < gateway.ledger.tick_count - began < 2_700


async def test_a_burst_of_the_model_is_so_many_times_the_steps() -> None:
    clock = HandClock()
    config = SimConfig(clock=clock, farm_wake_s=0, lines=None)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        await streaming(client)

        async def in_five_seconds() -> int:
            before = gateway.ledger.tick_count
            for _ in range(20):
                await passes(gateway, clock, 0.25)
            return gateway.ledger.tick_count - before

        slow = await in_five_seconds()
        await gateway.fault("burst", 30, times=10)
        assert 7 * slow < await in_five_seconds() < 13 * slow


async def test_a_fault_may_come_later_and_the_ledger_tells_its_life(simulator: Gateway) -> None:
    await simulator.fault("mute", 0.1, after=0.1, client=9)
    assert simulator.faults.active == []
    await eventually(lambda: [r.event for r in simulator.ledger.faults][-1:] == ["ended"])
    assert [record.event for record in simulator.ledger.faults] == ["planned", "started", "ended"]
    [plan] = {record.plan for record in simulator.ledger.faults}
    assert plan == "mute --for 0.1 --after 0.1 --client 9 --seed 7001"


async def test_a_fault_that_fails_ends_and_the_others_go_on(simulator: Gateway) -> None:
    await simulator.fault("mute", 30, client=9)
    await simulator.fault("1100", 30, every=0.05)
    simulator.farms.say_lost = lambda: 1 / 0  # type: ignore[method-assign, assignment]
    await eventually(lambda: simulator.faults.active == ["mute"])
    assert "failed" in [record.event for record in simulator.ledger.faults]
    assert "turns_failed" not in simulator.ledger.counts


async def test_clearing_ends_faults_and_forgets_planned_ones(simulator: Gateway) -> None:
    await simulator.fault("mute", 30)
    await simulator.fault("refuse", 30, after=30)
    assert await simulator.fault("clear") == "2 faults ended"
    assert simulator.faults.active == []


async def test_the_ledger_is_one_story_by_time() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        await streaming(client)
        await gateway.fault("silent", 0.05)
        await answered(client)
        told = list(entries(gateway.ledger))
        assert [entry["at_ns"] for entry in told] == sorted(entry["at_ns"] for entry in told)
        assert {entry["kind"] for entry in told} >= {"fault", "session", "request", "message"}
        line = list(entries(gateway.ledger, Wanted(line=7)))
        assert {entry["kind"] for entry in line} >= {"request", "message", "tick"}
        assert all(entry["req_id"] == 7 for entry in line)
        with pytest.raises(ValueError, match="no entries are called"):
            entries(gateway.ledger, Wanted(("dreams",)))
