"""`ibkeeper sim`: run the simulated gateway, read its ledger, make it misbehave.

`run` is a process of its own; `ledger` and `fault` talk to one over its loopback control port.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import socket
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ibcore import log as logs
from ibcore.config import LogSettings
from ibcore.errors import ConfigRefused, NotReady, RequestFailed
from ibcore.sim import faults
from ibcore.sim.config import SimConfig

app = typer.Typer(
    help="The simulated gateway: run it, read its ledger, make it misbehave.", no_args_is_help=True
)

_LEDGER_LIMIT = 1_000_000  # ticks; about 140 MB when full
_CONTROL_S = 10.0

Port = Annotated[int, typer.Option(min=0, max=65535)]
ControlPort = Annotated[
    int,
    typer.Option(
        min=0, max=65535, envvar="IBKEEPER_SIM__CONTROL_PORT", help="For its ledger and faults."
    ),
]


@app.command()
def run(
    port: Port = 4002,
    control_port: ControlPort = 4003,
    host: str = "127.0.0.1",
    seed: int = 7,
    tape: Annotated[
        str | None,
        typer.Option(help="A file, a folder, or postgresql://…?day=", envvar="IBSIM_TAPE"),
    ] = None,
    speed: Annotated[float, typer.Option(help="Times real time, for tapes.")] = 1.0,
    time: Annotated[str, typer.Option(help="What clients are told it is: now, or tape.")] = "now",
    loop: Annotated[bool, typer.Option(help="Start the tape again at its end.")] = False,
    rate: Annotated[float | None, typer.Option(help="Messages a second in all; benches.")] = None,
    cadence: Annotated[float, typer.Option(help="0.1: ten times IB's cadence.")] = 1.0,
    ledger_limit: Annotated[int, typer.Option(help="Ticks kept in memory.")] = _LEDGER_LIMIT,
    lines: Annotated[int, typer.Option(help="The user's lines; 0: no limit.", min=0)] = 100,
    messages: Annotated[float, typer.Option(help="A second, by client; 0: no limit.", min=0)] = 50,
    server_version: Annotated[int, typer.Option(help="What it claims to be.")] = 178,
    nightly: Annotated[str | None, typer.Option(help="New York time of a reset, HH:MM.")] = None,
    master_client_id: Annotated[int | None, typer.Option(help="Hears of all orders.")] = None,
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
            tape_loop=loop,
            time=time,
            rate=rate,
            cadence_scale=cadence,
            ledger_limit=ledger_limit,
            lines=lines or None,
            messages_per_second=messages or None,
            server_version=server_version,
            nightly=nightly,
            master_client_id=master_client_id,
        )
    except ValueError as error:
        raise ConfigRefused(str(error), remedy="Nothing was started.") from None
    asyncio.run(_serve(config))


async def _serve(config: SimConfig) -> None:
    # Here, not above: SciPy takes a second that `ledger` and `fault` need not wait for.
    from ibcore.sim.server import Gateway

    gateway = Gateway(config)
    gc.collect()
    gc.freeze()  # a tape is a quarter of a million tuples that need no second look
    async with gateway:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, gateway.request_stop)
        logs.get_logger(__name__).info("sim_listening", **gateway.describe())
        await gateway.stopping.wait()


@app.command()
def ledger(
    control_port: ControlPort = 4003,
    since: Annotated[int, typer.Option(help="Skip the ticks before this number.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Every entry as a JSON line.")] = False,
    kind: Annotated[
        list[str] | None, typer.Option(help="tick, message, request, session, order, fault.")
    ] = None,
    session: Annotated[int | None, typer.Option(help="Of this session number.")] = None,
    client: Annotated[int | None, typer.Option(help="Of this client id.")] = None,
    line: Annotated[int | None, typer.Option(help="Of this request id.")] = None,
    order: Annotated[int | None, typer.Option(help="Of this order id.")] = None,
) -> None:
    """Show what was sent and accepted: counters, or with --json every entry by time."""
    if not as_json:
        for name, value in next(ask(control_port, {"do": "stats"})).items():
            typer.echo(f"{name:24} {value}")
        return
    numbers = {"session": session, "client": client, "line": line, "order": order}
    entries = ask(control_port, {"do": "entries", "kinds": kind, "since": since, **numbers})
    next(entries)  # that it will tell
    for entry in entries:
        typer.echo(json.dumps(entry))


@app.command()
def fault(
    name: Annotated[str, typer.Argument(help="Which; --list shows them all.")] = "",
    values: Annotated[list[str] | None, typer.Argument(help="Parameters, as name=value.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show the faults there are.")] = False,
    for_s: Annotated[float | None, typer.Option("--for", help="Seconds it lasts.")] = None,
    after: Annotated[float | None, typer.Option(help="Seconds until it begins.")] = None,
    client: Annotated[int | None, typer.Option(help="Only this client id.")] = None,
    line: Annotated[str | None, typer.Option(help="Only lines of this symbol or id.")] = None,
    order: Annotated[int | None, typer.Option(help="Only this order id.")] = None,
    seed: Annotated[int | None, typer.Option(help="Repeat what another run drew.")] = None,
    control_port: ControlPort = 4003,
) -> None:
    """Make the gateway misbehave; prints how to repeat exactly that."""
    if listed or not name:
        for text in _catalogue():
            typer.echo(text)
        return
    options = {"for": for_s, "after": after, "client": client, "line": line, "order": order}
    command = {"do": "fault", "name": name, "seed": seed, **options, "values": _pairs(values or [])}
    done = next(ask(control_port, command))
    typer.echo(done["done"])
    typer.echo(f"repeat: ibkeeper sim fault {done['repeat']}")


def _pairs(values: list[str]) -> dict[str, str]:
    pairs = dict(value.partition("=")[::2] for value in values)
    for value in values:
        if "=" not in value:
            raise ConfigRefused(
                f"{value!r} is not a parameter.", remedy="Write it as name=value; nothing was done."
            )
    return pairs


def _catalogue() -> Iterator[str]:
    for row in faults.CATALOGUE.values():
        instant = "at once, or --for" if row.name in faults.LASTING else "at once"
        lasts = instant if row.lasts is None else f"--for {row.lasts:g}"
        targets = "".join(f" --{target}" for target in row.targets)
        yield f"{row.name:10} {lasts}{targets}"
        yield f"    {row.help}"
        for parameter in row.parameters:
            choices = f" ({', '.join(parameter.choices)})" if parameter.choices else ""
            yield f"    {parameter.written()}  {parameter.help}{choices}"


def ask(port: int, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Send one command to a control port and yield the lines of its answer."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=_CONTROL_S)
    except OSError:
        raise NotReady(
            f"No simulated gateway answers on control port {port}.",
            remedy="Start one with `ibkeeper sim run`, or give --control-port.",
        ) from None
    with connection, connection.makefile("rwb") as stream:
        stream.write(json.dumps(command).encode() + b"\n")
        stream.flush()
        head = json.loads(stream.readline())
        if not head.pop("ok"):
            raise RequestFailed(f"The simulated gateway refused: {head['error']}.")
        yield head
        for _ in range(head.get("count", 0)):
            yield json.loads(stream.readline())
        while "until" in head and "end" not in (line := json.loads(stream.readline())):
            yield line
