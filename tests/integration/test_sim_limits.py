"""IB's limits as clients meet them: messages, lines, client ids, versions, farms, nights."""

from __future__ import annotations

import asyncio
import struct
from datetime import timedelta

import pytest
from ib_async import IB, Contract

from ibcore.config import GatewaySettings
from ibcore.domain import SessionState
from ibcore.errors import GatewayTooOld
from ibcore.sim.hours import NEW_YORK
from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.gateways import Notebook, running, session_at
from tests.integration.hand_clock import HandClock, passes
from tests.integration.sim_client import eventually, ib_client, raw_client

pytestmark = pytest.mark.anyio

AAPL = 265598
TOO_MANY = ["4", "2", "-1", "100", "Max rate of messages per second has been exceeded.", ""]


def frames_of(data: bytes) -> list[list[str]]:
    """Split what a connection said into frames."""
    frames = []
    while data:
        (length,) = struct.unpack(">I", data[:4])
        frames.append(data[4 : 4 + length].decode().split("\0")[:-1])
        data = data[4 + length :]
    return frames


async def test_too_many_messages_are_answered_100_several_times_and_then_cut_off(
    simulator: Gateway,
) -> None:
    async with raw_client(simulator, 1) as hasty, raw_client(simulator, 2) as other:
        for _ in range(200):
            hasty.send(49, 1)
        # Most of the 200 are never read; that must not cost the client the words that say why.
        frames = frames_of(await hasty.closed())
        assert 45 <= sum(frame[0] == "49" for frame in frames) <= 60
        assert [frame for frame in frames if frame[0] == "4"] == [TOO_MANY] * 5
        [closed] = [r for r in simulator.ledger.sessions if r.event == "closed"]
        assert closed.detail == "too many messages a second"
        other.send(49, 1)
        assert (await other.receive())[0] == "49"


async def test_a_slip_is_forgiven() -> None:
    clock = HandClock()
    async with Gateway(SimConfig(clock=clock)) as gateway, raw_client(gateway) as client:
        for _ in range(52):
            client.send(49, 1)
        codes = [(await client.receive())[0] for _ in range(52)]
        assert 1 <= codes.count("4") <= 3
        await passes(gateway, clock, 0.1)  # five messages' worth of the allowance
        client.send(17, 1)
        assert (await client.receive())[0] == "15"


async def test_ib_async_s_own_pace_never_meets_the_limit(simulator: Gateway) -> None:
    async with ib_client(simulator) as ib:
        for _ in range(120):
            ib.client.reqCurrentTime()
        asked = simulator.ledger.counts
        await eventually(lambda: asked["requests"] >= 120, 10.0)
        assert "notice_100" not in asked


async def test_the_sidecar_paces_itself_below_the_limit() -> None:
    assert GatewaySettings().messages_per_s < (SimConfig().messages_per_second or 0)


async def test_lines_are_counted_over_all_sessions_of_the_user() -> None:
    async with (
        Gateway(SimConfig(lines=3, farm_wake_s=0)) as gateway,
        raw_client(gateway, 1) as one,
        raw_client(gateway, 2) as two,
    ):
        for req_id in (1, 2):
            one.send(*asking.market_data(req_id, con_id=AAPL))
        await eventually(lambda: gateway.subscriptions.count == 2)
        two.send(*asking.market_data(1, con_id=AAPL))
        two.send(*asking.market_data(2, con_id=AAPL))
        frames = await two.until(4)
        assert frames[-1][2:5] == ["2", "101", "Max number of tickers has been reached."]
        one.send(2, 2, 1)
        await eventually(lambda: gateway.subscriptions.count == 2)
        two.send(*asking.market_data(3, con_id=AAPL))
        await eventually(lambda: gateway.subscriptions.count == 3)


async def test_a_client_id_in_use_is_told_326_and_closed(simulator: Gateway) -> None:
    async with raw_client(simulator, 7) as first:
        async with raw_client(simulator, None) as second:
            await second.greet()
            await second.receive()
            second.send(71, 2, 7, "")
            assert (await second.receive())[2:4] == ["-1", "326"]
            assert await second.closed() == b""
        first.send(49, 1)
        assert (await first.receive())[0] == "49"


@pytest.mark.parametrize("version", [157, 163, 176])
async def test_an_older_gateway_can_be_claimed_and_ib_async_speaks_with_it(version: int) -> None:
    config = SimConfig(server_version=version, cadence_scale=0.1)
    async with Gateway(config) as gateway, ib_client(gateway) as ib:
        assert ib.client.serverVersion() == version
        [details] = await ib.reqContractDetailsAsync(Contract(conId=AAPL))
        assert details.longName == "APPLE INC"


async def test_a_gateway_that_is_too_old_is_refused_by_ib_async() -> None:
    async with Gateway(SimConfig(server_version=150)) as gateway:
        ib = IB()
        with pytest.raises((ConnectionError, asyncio.TimeoutError, TimeoutError)):
            await ib.connectAsync("127.0.0.1", gateway.port, clientId=1, timeout=0.3)


async def test_our_own_session_says_that_a_gateway_is_too_old() -> None:
    async with Gateway(SimConfig(server_version=176)) as gateway:
        session = session_at(gateway.port, Notebook())
        with pytest.raises(GatewayTooOld, match="version 176"):
            await session.run()


async def test_a_farm_that_wakes_disturbs_no_session_of_ours(simulator: Gateway) -> None:
    session = session_at(simulator.port, notebook := Notebook())
    async with running(session):
        ib = await session.ready()
        ticker = ib.reqMktData(Contract(conId=AAPL, exchange="SMART"))
        await eventually(lambda: simulator.ledger.counts["notice_2104"] == 2)
        await eventually(lambda: ticker.bid > 0)
        assert simulator.ledger.counts["notice_2119"] == 1
        assert session.state is SessionState.ready
        assert ib.isConnected()
    assert [entry.step.new_state for entry in notebook.entries].count(SessionState.ready) == 1


async def test_the_nightly_reset_comes_at_its_hour() -> None:
    clock = HandClock()
    noon = clock.utcnow().astimezone(NEW_YORK)
    config = SimConfig(clock=clock, nightly=f"{noon + timedelta(minutes=1):%H:%M}")
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        await passes(gateway, clock, 59.0)
        assert gateway.faults.active == []
        await passes(gateway, clock, 2.0)
        assert gateway.faults.active == ["nightly"]
        assert (await client.receive())[3] == "2103"
        await passes(gateway, clock, 31.0)
        assert gateway.faults.active == []
        assert (await client.until(4))[-1][3] == "2104"
