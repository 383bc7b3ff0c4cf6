"""The simulator under load, as a process of its own: many clients, many ticks, flat memory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from ibcore.clock import monotonic
from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.sim_client import RawClient, eventually, raw_client

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

CLIENTS, LINES_EACH = 32, 100
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


async def subscribe(simulator: Simulator, client_id: int, contracts: list[int]) -> Reader:
    loop = asyncio.get_running_loop()
    reader = Reader()
    transport, _ = await loop.create_connection(lambda: reader, "127.0.0.1", simulator.port)
    client = RawClient(None, transport)  # type: ignore[arg-type]
    await client.greet()
    client.send(71, 2, client_id, "")
    for req_id in range(1, LINES_EACH + 1):
        con_id = contracts[(req_id + client_id) % len(contracts)]
        client.send(*asking.market_data(req_id, con_id=con_id, generic="106"))
    return reader


async def all_subscribed(simulator: Simulator) -> list[Reader]:
    """Open 32 clients with 100 lines each; return once the gateway has them all."""
    watch = (await simulator.ask(do="universe"))["watch"]
    contracts = [contract["con_id"] for contract in watch]
    readers = [await subscribe(simulator, number, contracts) for number in range(CLIENTS)]
    wanted = CLIENTS * LINES_EACH
    began = monotonic()
    while (await simulator.ask(do="stats"))["lines"] < wanted:
        assert monotonic() - began < 30
        await asyncio.sleep(0.1)  # another process: there is nothing else to wait on
    return readers


async def test_32_clients_with_100_lines_each_get_20_000_ticks_a_second_from_one_core(
    record_property: Callable[[str, object], None],
) -> None:
    limits = ("--lines", str(CLIENTS * LINES_EACH), "--messages", "0")
    async with running("--rate", str(RATE), "--ledger-limit", "200000", *limits) as simulator:
        readers = await all_subscribed(simulator)
        received = [reader.bytes for reader in readers]
        before, began = await simulator.ask(do="stats"), monotonic()
        cpu = sum(simulator.process.cpu_times()[:2])
        await asyncio.sleep(3.0)  # the span that is measured
        after, seconds = await simulator.ask(do="stats"), monotonic() - began
        cores = (sum(simulator.process.cpu_times()[:2]) - cpu) / seconds
        rate = (after["ticks"] - before["ticks"]) / seconds
        record_property("ticks_per_s", round(rate))
        record_property("cores", round(cores, 2))
        assert rate > 0.97 * RATE
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


def write_tape(folder: Path) -> Path:
    """Write ten minutes of recorded ticks of one stock, ten a second."""
    ticks = [
        {
            "time": f"2026-11-23T15:{second // 60:02}:{second % 60:02}.{tenth}00+00:00",
            "price": round(200 + (second * 10 + tenth) % 97 / 100, 2),
            "size": 100 + second % 50 * 100,
            "tickType": (1, 2, 4)[tenth % 3],
        }
        for second in range(600)
        for tenth in range(10)
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


def assert_flat(resident: list[int]) -> None:
    """Compare the second half with what stood when the ledger's ring had filled."""
    settled, later = resident[len(resident) // 2], resident[-1]
    assert later - settled < 2 << 20, f"{settled >> 10} KiB, then {later >> 10} KiB"


async def test_memory_stays_flat_over_an_hour_of_tape_in_a_few_seconds(tmp_path: Path) -> None:
    hours, resident, ticks = await replayed(write_tape(tmp_path), seconds=6.0, speed=600.0)
    assert hours == pytest.approx(1.0)
    assert ticks > 0.9 * 36_000
    assert_flat(resident)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_memory_stays_flat_over_an_hour_of_tape_at_speed_60(tmp_path: Path) -> None:
    hours, resident, ticks = await replayed(write_tape(tmp_path), seconds=60.0, speed=60.0)
    assert hours == pytest.approx(1.0)
    assert ticks > 0.9 * 36_000
    assert_flat(resident)
