"""The simulator under load, as a process of its own: many clients, many ticks, flat memory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil
import pytest

from ibcore.clock import monotonic
from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.sim_client import RawClient, eventually, raw_client

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

CLIENTS = 32
RATE = 20_000.0
AAPL = 265598


@dataclass
class Simulator:
    """A running `ibkeeper sim run` and how to ask it."""

    process: psutil.Process
    port: int
    control_port: int

    async def ask(self, **command: object) -> dict[str, Any]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.control_port)
        try:
            writer.write(json.dumps(command).encode() + b"\n")
            answer: dict[str, Any] = json.loads(await reader.readline())
            return answer
        finally:
            writer.transport.abort()

    def resident(self) -> int:
        return int(self.process.memory_info().rss)


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[Simulator]:
    command = [sys.executable, "-m", "ibcore.cli", "sim", "run", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, "--control-port", "0", *arguments, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        said = json.loads(await process.stderr.readline())
        yield Simulator(psutil.Process(process.pid), said["port"], said["control_port"])
    finally:
        process.kill()
        await process.communicate()


class Reader(asyncio.Protocol):
    """Counts bytes as they come, and keeps none: a client that costs the test next to nothing."""

    def __init__(self) -> None:
        self.bytes = 0

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)


async def subscribe(simulator: Simulator, client_id: int, lines: Sequence[int]) -> Reader:
    """Connect and open a line for each of these contracts."""
    loop = asyncio.get_running_loop()
    reader = Reader()
    transport, _ = await loop.create_connection(lambda: reader, "127.0.0.1", simulator.port)
    client = RawClient(None, transport)  # type: ignore[arg-type]
    await client.greet()
    client.send(71, 2, client_id, "")
    for req_id, con_id in enumerate(lines, 1):
        client.send(*asking.market_data(req_id, con_id=con_id, generic="106"))
    return reader


async def all_subscribed(simulator: Simulator, count: int) -> list[Reader]:
    """Open 32 clients with so many lines in all; return once the gateway has them all."""
    watch = (await simulator.ask(do="universe"))["watch"]
    contracts = [contract["con_id"] for contract in watch]
    lines = [contracts[number % len(contracts)] for number in range(count)]
    readers = [
        await subscribe(simulator, number, lines[number::CLIENTS]) for number in range(CLIENTS)
    ]
    await until(simulator, "lines", count)
    # What a stall of the last subscription left to be made up for is not the pace.
    await until(simulator, "ticks", (await simulator.ask(do="stats"))["ticks"] + int(RATE / 2))
    return readers


async def until(simulator: Simulator, counter: str, wanted: int) -> None:
    """Wait until a counter of the gateway has grown to this."""
    ends_at = monotonic() + 30
    while (await simulator.ask(do="stats"))[counter] < wanted:
        assert monotonic() < ends_at
        await asyncio.sleep(0.05)  # another process: there is nothing else to wait on


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        pytest.param(100, 1.0, id="the user's 100 lines"),
        pytest.param(3_200, 10.0, id="100 lines each", marks=pytest.mark.slow),
    ],
)
async def test_32_clients_get_20_000_ticks_a_second_from_one_core(
    record_property: Callable[[str, object], None], lines: int, seconds: float
) -> None:
    limits = ("--lines", str(lines), "--messages", "0")
    async with running("--rate", str(RATE), "--ledger-limit", "200000", *limits) as simulator:
        readers = await all_subscribed(simulator, lines)
        received = [reader.bytes for reader in readers]
        before, began = await simulator.ask(do="stats"), monotonic()
        cpu = sum(simulator.process.cpu_times()[:2])
        await asyncio.sleep(seconds)  # the span that is measured
        after, took = await simulator.ask(do="stats"), monotonic() - began
        cores = (sum(simulator.process.cpu_times()[:2]) - cpu) / (monotonic() - began)
        rate = (after["ticks"] - before["ticks"]) / took
        record_property("ticks_per_s", round(rate))
        record_property("cores", round(cores, 2))
        assert 0.97 * RATE < rate < 1.1 * RATE
        assert cores <= 1.0
        assert after.get("conflated", 0) == before.get("conflated", 0)
        assert all(reader.bytes > was for reader, was in zip(readers, received, strict=True))


async def test_the_allowance_is_the_user_s_and_holds_over_32_clients() -> None:
    config = SimConfig(lines=64, farm_wake_s=0)
    async with Gateway(config) as gateway, AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(raw_client(gateway, number))
            for number in range(CLIENTS)
        ]
        for client in clients:
            for req_id in range(3):
                client.send(*asking.market_data(req_id, con_id=AAPL))
        await eventually(lambda: gateway.ledger.counts["notice_101"] == CLIENTS)
        assert gateway.subscriptions.count == 64


def write_tape(folder: Path, *, a_second: int) -> Path:
    """Write a minute of recorded ticks of one stock, so many a second.

    Not more: what reading a long tape frees would hide a leak of many megabytes.
    """
    opening = datetime(2026, 11, 23, 15, tzinfo=timezone.utc)
    ticks = [
        {
            "time": (opening + timedelta(seconds=number / a_second)).isoformat(),
            "price": round(200 + number % 97 / 100, 2),
            "size": 100 + number // a_second % 50 * 100,
            "tickType": (1, 2, 4)[number % 3],
        }
        for number in range(60 * a_second)
    ]
    path = folder / "tape.json"
    path.write_text(json.dumps(ticks))
    return path


async def replayed(tape: Path, *, seconds: float, speed: float) -> tuple[float, list[int], int]:
    """Replay in a loop at speed; return the hours of tape, the memory over time, and the ticks."""
    options = ("--speed", str(speed), "--loop", "--ledger-limit", "5000")
    async with running("--tape", str(tape), *options) as simulator:
        reader = Reader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: reader, "127.0.0.1", simulator.port)
        client = RawClient(None, transport)  # type: ignore[arg-type]
        await client.greet()
        client.send(71, 2, 1, "")
        client.send(*asking.market_data(1, symbol="TAPE", sec_type="STK", exchange="SMART"))
        resident: list[int] = []
        for _ in range(20):
            await asyncio.sleep(seconds / 20)  # the span that is measured
            resident.append(simulator.resident())
        stats = await simulator.ask(do="stats")
        transport.abort()
        return seconds * speed / 3600, resident, stats["ticks"]


@pytest.mark.parametrize(
    ("a_second", "seconds"),
    [
        pytest.param(10, 2.0, id="36,000 ticks in two seconds"),
        pytest.param(
            100,
            60.0,
            id="360,000 ticks in a minute",
            marks=(pytest.mark.slow, pytest.mark.timeout(300)),
        ),
    ],
)
async def test_memory_stays_flat_over_an_hour_of_tape_at_speed(
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    a_second: int,
    seconds: float,
) -> None:
    tape = write_tape(tmp_path, a_second=a_second)
    hours, resident, ticks = await replayed(tape, seconds=seconds, speed=3_600 / seconds)
    record_property("resident_kib", [size >> 10 for size in resident])
    record_property("ticks", ticks)
    assert hours == pytest.approx(1.0)
    assert ticks > 0.9 * 3_600 * a_second
    settled, later = resident[len(resident) // 2], resident[-1]  # the ledger's ring had filled
    assert later - settled < 1 << 19, f"{settled >> 10} KiB, then {later >> 10} KiB"
