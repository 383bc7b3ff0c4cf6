"""`ibkeeper sim` as a person uses it: a process of its own, read and disturbed from outside."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

COMMAND = [sys.executable, "-m", "ibcore.cli", "sim"]


@asynccontextmanager
async def running() -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """Run `sim run` on free ports; yield the process and what it says of itself."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "run", "--port", "0", "--control-port", "0", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        yield process, json.loads(await process.stderr.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def sim(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_control_port_of_the_settings_is_the_one_that_is_asked(monkeypatch) -> None:
    async with running() as (_process, said):
        monkeypatch.setenv("IBKEEPER_SIM__CONTROL_PORT", str(said["control_port"]))
        code, out, _ = await sim("ledger")
        assert code == 0
        assert str(said["port"]) in out


async def test_a_running_simulator_is_read_disturbed_and_stopped() -> None:
    async with running() as (process, said):
        assert said["event"] == "sim_listening"
        control = ("--control-port", str(said["control_port"]))
        code, out, _ = await sim("ledger", *control)
        assert code == 0
        assert str(said["port"]) in out
        assert (await sim("ledger", "--json", *control))[:2] == (0, "")
        assert "connections cut" in (await sim("fault", "drop", *control))[1]
        code, _, err = await sim("fault", "flood", *control)
        assert (code, err.count("\n")) == (1, 1)
        arguments = ("slow", "latency_ms=40", "--for", "0.1", "--client", "3", "--seed", "5")
        code, out, _ = await sim("fault", *arguments, *control)
        assert (code, out.splitlines()[0]) == (0, "0 connections under slow")
        repeat = "repeat: ibkeeper sim fault slow --for 0.1 --client 3 --seed 5 latency_ms=40"
        assert out.splitlines()[1].startswith(repeat)
        code, out, _ = await sim("ledger", "--json", "--kind", "fault", *control)
        told = [json.loads(line) for line in out.splitlines()]
        assert [entry["name"] for entry in told][:2] == ["drop", "slow"]
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 5.0) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("run", "--speed", "0"), 3, "speed must be above 0"),
        (("run", "--tape", "/no/such/tape"), 3, "not a tape"),
        (("ledger", "--control-port", "1"), 1, "ibkeeper sim run"),
        (("run", "--port", "70000"), 2, "port"),
        (("run", "--server-version", "200"), 3, "100 to 178"),
        (("run", "--nightly", "late"), 3, "New York time"),
        (("fault", "slow", "latency_ms"), 3, "name=value"),
    ],
)
async def test_a_mistake_is_one_clear_message(
    arguments: tuple[str, ...], code: int, hint: str
) -> None:
    returned, _, err = await sim(*arguments)
    assert returned == code
    assert hint in err
    assert "Traceback" not in err


async def test_the_catalogue_of_faults_needs_no_gateway() -> None:
    code, out, _ = await sim("fault", "--list")
    assert code == 0
    for words in ("refuse     --for 20", "latency_ms=200  added to every write", "lost-ack"):
        assert words in out
