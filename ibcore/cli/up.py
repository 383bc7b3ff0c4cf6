"""`ibkeeper up`: the whole system in one command."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console

from ibcore import config, log
from ibcore.config import Settings
from ibcore.errors import ConfigRefused
from ibcore.stack import home as homes
from ibcore.stack.plan import Options, Plan, make_plan
from ibcore.stack.show import Show
from ibcore.stack.stack import Stack

Tape = Annotated[
    str | None,
    typer.Option(
        help="What the simulated gateway plays: a file, a folder, or postgresql://…?day=YYYY-MM-DD."
    ),
]
Speed = Annotated[float, typer.Option(help="How many times faster than recorded the tape plays.")]
Gateway = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="A real IB Gateway or TWS, not the simulated one."),
]
Prefect = Annotated[bool, typer.Option(help="With the Prefect server, pool, worker and flows.")]
Plain = Annotated[bool, typer.Option("--plain", help="Lines instead of the live view.")]


def up(
    tape: Tape = None,
    speed: Speed = 1.0,
    gateway: Gateway = None,
    *,
    prefect: Prefect = True,
    plain: Plain = False,
) -> None:
    """Run everything until Ctrl-C."""
    settings = config.load()
    if speed <= 0:
        raise ConfigRefused(f"--speed {speed:g} is not above 0.", remedy="Nothing was started.")
    home = homes.prepare(settings.home)
    options = Options(_tape(tape), speed, gateway, prefect, plain)
    plan = make_plan(settings, options, home=home, project=project_folder(Path.cwd()))
    console = Console()
    plain = plain or not console.is_terminal
    _log_to(settings, None if plain else plan.log("up"))
    anyio.run(_run, plan, Show(plan, console, plain=plain))


def _tape(text: str | None) -> Path | str | None:
    if text is None or text.startswith(("postgresql:", "postgres:")):
        return text
    return Path(text)


async def _run(plan: Plan, show: Show) -> None:
    stack = Stack(plan, environ=os.environ, announce=show.announce)
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(show.run, stack)
        try:
            await stack.run()
        except Exception as stopped:  # kept: the task group would wrap it in a group
            failure = stopped
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    show.farewell()


def project_folder(here: Path) -> Path:
    """Return the folder that holds prefect.yaml: this one, else where the packages are."""
    packages = Path(__file__).resolve().parents[2]
    return here if (here / "prefect.yaml").exists() else packages


def _log_to(settings: Settings, file: Path | None) -> None:
    log.configure(settings.log)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        if file is not None and isinstance(handler, logging.StreamHandler):
            # The live view owns the terminal.
            handler.setStream(file.open("w", encoding="utf-8"))
