"""Fuzzed input on real sockets: no crash, no unanswered hang, and nobody else is touched."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ib_async import Client, Contract, LimitOrder, Wrapper

from ibcore.clock import monotonic
from ibcore.sim.requests import PARSERS
from ibcore.sim.server import Gateway, SimConfig
from ibcore.sim.threaded import ThreadedGateway
from tests.integration import sim_client as asking
from tests.integration.sim_client import RawClient, eventually, raw_client

AAPL = 265598
LONG_S = 60.0
SHORT = int(os.environ.get("IBKEEPER_FUZZ_EXAMPLES", "150"))
# Unpaced: a limit that closes the socket would hide what comes after it.
CONFIG = SimConfig(messages_per_second=None, cadence_scale=0.1, farm_wake_s=0)

HOSTILE = (
    *("", "0", "-1", "1", "2147483647", "2147483648", "-2147483648", "1.7976931348623157E308"),
    *("nan", "NaN", "Infinity", "1e999", "-0.0", "AAPL", "STK", "OPT", "SMART", "LMT", "BUY"),
    *("AA\0PL", "'; DROP", "?", "9" * 400),
)
texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(HOSTILE)
ids = st.sampled_from([str(msg_id) for msg_id in PARSERS])
fields = st.lists(texts, max_size=40)


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def request(msg_id: str, listed: list[str]) -> bytes:
    return framed("".join(f"{field}\0" for field in (msg_id, *listed)).encode(errors="replace"))


anything = st.binary(min_size=1, max_size=200)
bodies = anything.map(framed)
wrong_length = st.tuples(st.integers(0, 2**32 - 1), anything).map(
    lambda pair: struct.pack(">I", pair[0]) + pair[1]
)
requests_ = st.builds(request, ids | texts, fields)
apple = asking.contract({"con_id": AAPL, "exchange": "SMART"})


def limit_order() -> list[str]:
    """Return placeOrder as ib_async writes it."""
    client, written = Client(Wrapper(None)), list[str]()  # type: ignore[arg-type]
    client.connState, client._serverVersion = client.CONNECTED, 178
    client.sendMsg = written.append  # type: ignore[method-assign]
    client.placeOrder(9, Contract(conId=AAPL, exchange="SMART"), LimitOrder("BUY", 1, 1.0))
    return written[0].split("\0")[:-1]


LIMIT_ORDER = limit_order()
GOOD: tuple[Sequence[object], ...] = (
    asking.market_data(9, con_id=AAPL),
    asking.contract_details(9, symbol="AAPL", sec_type="STK"),
    [78, 9, "AAPL", "", "STK", AAPL],
    [71, 2, 9, ""],
    [97, 9, *apple, "BidAsk", 0, 0],
    [20, 9, *apple, 0, "", "1 min", "1 D", 1, "TRADES", 1, 0, ""],
    [10, 5, 9, *apple, 5, 1, ""],
    [7, 3, 9, 0, "", "", "", "", "", ""],
    [62, 1, 9, "All", "NetLiquidation"],
    [92, 9, "", ""],
    LIMIT_ORDER,
)
mutated = st.tuples(
    st.sampled_from(GOOD),
    st.integers(0, len(LIMIT_ORDER)),
    texts,
).map(
    lambda one: request(
        str(one[0][0]),
        [one[2] if place == one[1] else str(field) for place, field in enumerate(one[0][1:])],
    )
)
streams = st.lists(anything | bodies | wrong_length | requests_ | mutated, max_size=12).map(
    b"".join
)


Reached = Gateway | ThreadedGateway


@asynccontextmanager
async def witnessed(gateway: Reached) -> AsyncIterator[RawClient]:
    """A client that streams while others misbehave; it must not notice anything."""
    async with raw_client(gateway, 1) as witness:
        witness.send(*asking.market_data(1, con_id=AAPL))
        await witness.until(81)
        yield witness
        witness.send(49, 1)
        await asyncio.wait_for(witness.until(49), 5.0)


async def misbehave(gateway: Reached, data: bytes, *, after_handshake: bool) -> None:
    """Send bytes, then end the sentence: the gateway must answer everything and hang up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        if after_handshake:
            client = RawClient(reader, writer)
            await client.greet()
            client.send(71, 2, 99, "")
        writer.write(data)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5.0)
    except ConnectionError:
        pass  # cut off for what it sent
    finally:
        writer.transport.abort()


def judge(gateway: Reached) -> None:
    counts = gateway.ledger.counts
    assert not {"sessions_failed", "answers_failed", "turns_failed"} & counts.keys()


@pytest.fixture(scope="module")
def standing() -> Iterator[ThreadedGateway]:
    """One gateway that meets every bad client in turn: whatever one leaves, the next one finds."""
    with ThreadedGateway(CONFIG) as gateway:
        yield gateway


async def survive(gateway: ThreadedGateway, stories: list[tuple[bytes, bool]]) -> None:
    async with witnessed(gateway):
        for data, after_handshake in stories:
            await misbehave(gateway, data, after_handshake=after_handshake)
    await eventually(lambda: not gateway.ask(lambda inner: inner.connections))
    judge(gateway)


stories = st.lists(st.tuples(streams, st.booleans()), min_size=1, max_size=4)


@settings(
    deadline=None,
    max_examples=SHORT,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    print_blob=True,
)
@given(told=stories)
def test_whatever_bytes_come_the_gateway_answers_and_nobody_else_notices(
    standing: ThreadedGateway, told: list[tuple[bytes, bool]]
) -> None:
    asyncio.run(survive(standing, told))


@pytest.mark.anyio
async def test_every_field_of_a_good_request_may_be_hostile() -> None:
    async with Gateway(CONFIG) as gateway, witnessed(gateway), raw_client(gateway, 2) as client:
        for good in GOOD:
            written = [str(field) for field in good]
            for place in range(1, len(written)):
                for value in HOSTILE:
                    client.writer.write(
                        request(written[0], [*written[1:place], value, *written[place + 1 :]])
                    )
            client.send(49, 1)
            await asyncio.wait_for(client.until(49), 10.0)
        judge(gateway)
        assert gateway.ledger.counts["requests_refused"] > 1_000


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_minute_of_fuzzed_bytes_leaves_one_gateway_standing(
    record_property: Callable[[str, object], None],
) -> None:
    record_property("connections", asyncio.run(_a_minute()))


async def _a_minute() -> int:
    """Fuzz for a minute; return how many connections that were."""
    told: list[tuple[bytes, bool]] = []

    @settings(
        deadline=None, max_examples=400, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.tuples(streams, st.booleans()))
    def gather(one: tuple[bytes, bool]) -> None:
        told.append(one)

    async with Gateway(CONFIG) as gateway, witnessed(gateway):
        began = monotonic()
        while monotonic() - began < LONG_S:
            told.clear()
            await asyncio.to_thread(gather)
            for data, after_handshake in told:
                await misbehave(gateway, data, after_handshake=after_handshake)
        await eventually(lambda: len(gateway.connections) == 1)
        judge(gateway)
        return gateway.ledger.counts["sessions_opened"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("data", "left"),
    [
        (framed(b"1\x0011\x007\x000\x00AA\x00PL\x00STK\x00"), "320"),  # NUL inside a symbol
        (struct.pack(">I", 10) + b"49\x00", None),  # cut short: nothing to answer
        (struct.pack(">I", 65_537) + b"x" * 70_000, None),  # above the cap
        (struct.pack(">I", 2**32 - 1), None),
        (framed(b"9" * 60_000), None),  # no terminator
        (framed(b"9" * 60_000 + b"\0"), "320"),
    ],
    ids=["nul", "truncated", "oversized", "4 GiB", "no end", "long id"],
)
async def test_bad_frames_are_answered_or_end_the_connection(data: bytes, left: str | None) -> None:
    async with Gateway(CONFIG) as gateway, raw_client(gateway, 2) as bad, witnessed(gateway):
        bad.writer.write(data)
        if left is None:
            bad.writer.write_eof()
            assert await bad.closed() == b""
        else:
            assert (await bad.until(4))[-1][3] == left
    judge(gateway)
