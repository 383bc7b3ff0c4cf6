"""`ibkeeper sim`: run the simulated gateway, read its ledger, make it misbehave.

`run` is a process of its own; `ledger` and `fault` talk to one over its loopback control port.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated

import typer

from ibcore import log as logs
from ibcore.config import LogSettings
from ibcore.errors import ConfigRefused
from ibcore.sim.server import Gateway, SimConfig

app = typer.Typer(help="The simulated gateway: run it, read its ledger, make it misbehave.")

_LEDGER_LIMIT = 1_000_000  # ticks; about 140 MB when full

Port = Annotated[int, typer.Option(min=0, max=65535)]


@app.command()
def run(
    port: Port = 4002,
    control_port: Port = 4003,
    host: str = "127.0.0.1",
    seed: int = 7,
    tape: Annotated[Path | None, typer.Option(help="Recorded ticks (JSON) or a folder.")] = None,
    speed: Annotated[float, typer.Option(help="Times real time, for tapes.")] = 1.0,
    rate: Annotated[float | None, typer.Option(help="Messages a second in all; benches.")] = None,
    cadence: Annotated[float, typer.Option(help="0.1: ten times IB's cadence.")] = 1.0,
    ledger_limit: Annotated[int, typer.Option(help="Ticks kept in memory.")] = _LEDGER_LIMIT,
) -> None:
    """Run a simulated gateway until it is stopped."""
    logs.configure(LogSettings())
    try:
        config = SimConfig(
            host=host,
            port=port,
            control_port=control_port,
            seed=seed,
            tape=tape,
            speed=speed,
            rate=rate,
            cadence_scale=cadence,
            ledger_limit=ledger_limit,
        )
    except ValueError as error:
        raise ConfigRefused(str(error), remedy="Nothing was started.") from None
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(config))


async def _serve(config: SimConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Gateway(config) as gateway:
        logs.get_logger(__name__).info(
            "sim_listening", host=config.host, port=gateway.port, seed=config.seed
        )
        await stop.wait()
