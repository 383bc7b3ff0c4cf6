"""One session against gateways that serve, refuse, keep silent, hang up, freeze and come back."""

from __future__ import annotations

import asyncio
import socket

import pytest

from ibcore.clock import monotonic
from ibcore.config import GatewaySettings
from ibcore.domain import SessionState
from ibcore.errors import GatewayTooOld
from ibcore.policy import backoff_s
from ibcore.sim.server import Gateway, SimConfig
from sidecar.session import Wake
from tests.integration.gateways import (
    Notebook,
    deaf,
    eventually,
    frame,
    listening,
    refusing,
    rude,
    running,
    scripted,
    session_at,
)
from tests.integration.lateness import lateness

pytestmark = [pytest.mark.anyio, pytest.mark.paired]

START_API, CURRENT_TIME = 71, 49
WAITING, CONNECTING, READY = SessionState.waiting, SessionState.connecting, SessionState.ready
PATIENT = {"connect_timeout_s": 5.0}


class Impatience:
    """A waiter that notes the waits and ends each at once, `limit` times."""

    def __init__(self, limit: int) -> None:
        self.seconds: list[float] = []
        self.wakes: list[Wake] = []
        self.enough = asyncio.Event()
        self._limit = limit

    async def __call__(self, seconds: float, wake: Wake) -> bool:
        self.seconds.append(seconds)
        self.wakes.append(wake)
        if len(self.seconds) == self._limit:
            self.enough.set()
            await asyncio.Event().wait()
        return False


async def test_a_session_connects_and_asks_for_nothing_but_the_time():
    async with Gateway(SimConfig()) as gateway:
        session = session_at(gateway.port, notebook := Notebook())
        async with running(session):
            ib = await session.ready()
            assert ib.client.serverVersion() == 178
            ready = await notebook.until(READY)
            asked = {received.msg_id for received in gateway.ledger.requests}
            assert asked == {START_API, CURRENT_TIME}
    assert ready.attempt is not None
    assert 0 < ready.attempt.connect_ms < 500
    assert ready.attempt.server_version == 178
    steps = [(e.step.old_state, e.step.new_state) for e in notebook.entries]
    assert steps == [(WAITING, CONNECTING), (CONNECTING, READY), (READY, SessionState.stopped)]
    assert notebook.entries[-1].attempt.closed_at is not None


async def test_the_deadline_for_connecting_is_five_seconds_unless_configured():
    assert GatewaySettings().connect_timeout_s == 5.0


async def test_a_refused_connection_is_named_at_once():
    async with refusing() as port:
        began = monotonic()
        async with running(session_at(port, notebook := Notebook(), gateway=PATIENT)):
            failed = await notebook.until(WAITING)
    assert monotonic() - began < 1.0
    assert f"Nobody answers at 127.0.0.1:{port} (connection refused)" in failed.step.reason
    assert (failed.step.attempt, failed.step.backoff_s) == (1, 1.0)


@pytest.mark.parametrize("handler", [deaf, scripted(times=0)], ids=["deaf", "no answer"])
async def test_a_silent_gateway_is_given_up_at_the_one_deadline(handler):
    async with listening(handler) as port, lateness() as late_s:
        began = monotonic()
        async with running(session_at(port, notebook := Notebook())):
            failed = await notebook.until(WAITING)
        took_s = monotonic() - began
    # A busy machine is late for each of the few steps on the way.
    assert 0.5 <= took_s < 0.8 + 3 * max(late_s)
    assert "did not finish the handshake in 0.5 s" in failed.step.reason


async def test_a_gateway_that_hangs_up_is_not_waited_for():
    async with listening(rude) as port:
        began = monotonic()
        async with running(session_at(port, notebook := Notebook(), gateway=PATIENT)):
            failed = await notebook.until(WAITING)
    assert monotonic() - began < 1.0
    assert "hung up during the handshake" in failed.step.reason


async def test_a_stream_that_cannot_be_cut_ends_the_connection_at_once_and_by_name():
    async with listening(scripted(after=b"\x7f\xff\xff\xffrubbish")) as port:
        began = monotonic()
        async with running(session_at(port, notebook := Notebook(), gateway=PATIENT)):
            lost = await notebook.until(WAITING)
    assert monotonic() - began < 1.0
    assert "announced a message of 2147483647 bytes" in lost.step.reason
    assert lost.step.backoff_s == 1.0


async def test_a_client_id_in_use_fails_at_once_with_its_code_and_is_never_changed():
    async with Gateway(SimConfig()) as gateway:
        first = session_at(gateway.port, Notebook())
        async with running(first):
            await first.ready()
            began = monotonic()
            second = session_at(gateway.port, notebook := Notebook(), gateway=PATIENT)
            async with running(second):
                failed = await notebook.until(WAITING)
            assert monotonic() - began < 1.0
            assert failed.step.code == 326
            assert "Client id 10 is connected already" in failed.step.reason
            assert second.endpoint.client_id == 10


async def test_waits_are_exactly_1_2_4_8_16_32_60_60_seconds():
    async with refusing() as port:
        waiter = Impatience(9)
        async with running(session_at(port, notebook := Notebook(), waiter=waiter)):
            await waiter.enough.wait()
    assert waiter.seconds == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert notebook.backoffs == waiter.seconds
    failures = [e.step for e in notebook.entries if e.step.new_state is WAITING]
    assert [step.attempt for step in failures] == list(range(1, 10))


async def test_a_ready_session_forgets_earlier_failures():
    async with Gateway(SimConfig()) as gateway:
        session = session_at(gateway.port, notebook := Notebook(), waiter=Impatience(9))
        session.failures = 5
        async with running(session):
            await session.ready()
            gateway.drop_all()
            lost = await notebook.until(WAITING)
            assert (lost.step.attempt, lost.step.backoff_s) == (1, backoff_s(1))
            assert "closed the connection" in lost.step.reason


async def test_each_attempt_has_a_client_of_its_own():
    async with Gateway(SimConfig()) as gateway:
        session = session_at(gateway.port, notebook := Notebook(), waiter=Impatience(9))
        async with running(session):
            first = await session.ready()
            gateway.drop_all()
            await notebook.until(READY, 2)
            assert await session.ready() is not first
            assert first.client.conn.transport is None


async def test_a_wait_after_a_refusal_ends_when_somebody_listens_again():
    async with refusing() as port:
        session = session_at(port, notebook := Notebook(), gateway={"knock_s": 0.05})
        session.failures = 4
        async with running(session):
            refused = await notebook.until(WAITING)
            assert refused.step.backoff_s == 16
            began = monotonic()
            async with Gateway(SimConfig(port=port)):
                await notebook.until(READY)
                assert monotonic() - began < 2.0
                again = await notebook.until(CONNECTING, 2)
                assert again.step.reason == (
                    "Somebody listens again: the wait of 16 s was cut short."
                )


async def test_a_wait_for_the_old_session_of_our_client_id_is_kept_in_full():
    async with Gateway(SimConfig()) as gateway:
        first = session_at(gateway.port, Notebook())
        waiter = Impatience(1)
        second = session_at(gateway.port, Notebook(), waiter=waiter, gateway={"knock_s": 0.02})
        async with running(first):
            await first.ready()
            async with running(second):
                await waiter.enough.wait()
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(waiter.wakes[0](), 0.2)


async def test_a_gateway_that_stops_answering_is_found_by_the_heartbeat():
    async with listening(scripted(times=1)) as port, lateness() as late_s:
        session = session_at(port, notebook := Notebook())
        async with running(session):
            ib = await session.ready()
            began = monotonic()
            lost = await notebook.until(WAITING)
            assert 0.25 - max(late_s) <= monotonic() - began < 0.8 + 3 * max(late_s)
            assert "did not answer a heartbeat in 0.2 s" in lost.step.reason
            assert ib.client.conn.transport is None, "aborted, not left half open"


async def test_a_heartbeat_is_not_held_up_by_a_full_queue():
    async with Gateway(SimConfig()) as gateway:
        session = session_at(gateway.port, notebook := Notebook())
        async with running(session):
            ib = await session.ready()
            for _ in range(100):
                ib.client.reqMarketDataType(1)
            began = monotonic()

            def heartbeats() -> int:
                return sum(r.msg_id == CURRENT_TIME for r in gateway.ledger.requests)

            await eventually(lambda: heartbeats() >= 5)
            assert monotonic() - began < 1.5
            assert [e.step.new_state for e in notebook.entries] == [CONNECTING, READY]


async def test_the_kernel_watches_the_socket_too():
    async with Gateway(SimConfig()) as gateway:
        session = session_at(gateway.port, Notebook())
        async with running(session):
            ib = await session.ready()
            sock = ib.client.conn.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            for option, value in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3)):
                number = getattr(socket, option, None)
                if number is not None:
                    assert sock.getsockopt(socket.IPPROTO_TCP, number) == value
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                timeout = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert timeout == 5_000


async def test_requests_that_wait_when_the_session_is_lost_fail():
    async with listening(scripted()) as port:
        session = session_at(port, notebook := Notebook(), waiter=Impatience(1))
        async with running(session):
            ib = await session.ready()
            unanswered = ib.wrapper.startReq(77)
            ib.client.conn.transport.abort()
            await notebook.until(WAITING)
            with pytest.raises(ConnectionError):
                await unanswered


async def test_an_old_gateway_is_fatal_and_says_what_to_update():
    async with listening(scripted(version=170)) as port:
        notebook = Notebook()
        session = session_at(port, notebook)
        with pytest.raises(GatewayTooOld, match=r"version 170.*needs 177.*build 1023"):
            await session.run()
    assert notebook.entries[-1].step.new_state is SessionState.stopped


async def test_trouble_of_farms_and_links_is_passed_on_and_keeps_the_session():
    heard: list[tuple[int, int]] = []
    trouble = frame(4, 2, -1, 2103, "farm broken", "") + frame(4, 2, -1, 1100, "link lost", "")
    async with listening(scripted(after=trouble)) as port:
        session = session_at(
            port,
            notebook := Notebook(),
            on_notice=lambda req_id, notice, text: heard.append((req_id, notice.code)),
        )
        async with running(session):
            await session.ready()
            await eventually(lambda: len(heard) == 2)
            assert session.state is READY
    assert heard == [(-1, 2103), (-1, 1100)]
    assert notebook.backoffs == []


async def test_a_notice_that_ends_the_session_is_journalled_with_its_code():
    fatal = frame(4, 2, -1, 1300, "the port has been changed to 4007", "")
    async with listening(scripted(after=fatal)) as port:
        session = session_at(port, notebook := Notebook())
        async with running(session):
            lost = await notebook.until(WAITING)
    assert lost.step.code == 1300
    assert "changed to 4007" in lost.step.reason


async def test_who_waits_for_the_session_is_told_when_it_is_ready_and_when_it_is_lost():
    told: list[str] = []
    async with Gateway(SimConfig()) as gateway:
        session = session_at(
            gateway.port,
            notebook := Notebook(),
            waiter=Impatience(9),
            on_ready=lambda ib: told.append("ready"),
            on_lost=told.append,
        )
        async with running(session):
            await session.ready()
            gateway.drop_all()
            await notebook.until(READY, 2)
    assert told[0] == "ready"
    assert "closed the connection" in told[1]
    assert told[2:] == ["ready", "the sidecar stops"]
    assert session.ib is None


def test_a_second_event_loop_in_one_process_connects_as_well():
    async def once() -> int:
        async with Gateway(SimConfig()) as gateway:
            session = session_at(gateway.port, Notebook())
            async with running(session):
                return (await session.ready()).client.serverVersion()

    assert [asyncio.run(once()), asyncio.run(once())] == [178, 178]
