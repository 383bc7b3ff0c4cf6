"""The `ibkeeper` command: finds the sub-command, turns errors into one line and an exit code.

Only the sub-command that was typed is imported, so `ibkeeper --help` takes a fraction of a
second. 0 done · 1 failed · 2 usage · 3 configuration refused · 4 another instance holds the lock.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final, NamedTuple, NoReturn

import typer

from ibcore.errors import IbkeeperError


class _Entry(NamedTuple):
    module: str
    help: str
    group: bool


_COMMANDS: Final = {
    "up": _Entry(
        "ibcore.cli.up", "Run everything: database, gateway, sidecar, Prefect, a live view.", False
    ),
    "status": _Entry(
        "ibcore.cli.status", "Say what works and what does not, with remedies.", False
    ),
    "doctor": _Entry("ibcore.cli.doctor", "Look at everything around it; say remedies.", False),
    "watch": _Entry("ibcore.cli.watch", "What to stream: add, rm, ls.", True),
    "orders": _Entry("ibcore.cli.orders", "Batches of orders: submit, show, cancel, …", True),
    "limits": _Entry("ibcore.cli.limits", "What orders must keep: set, unset, ls, history.", True),
    "kill-switch": _Entry(
        "ibcore.cli.kill_switch", "Stop every order now, and lift it: on, off, show.", True
    ),
    "arm": _Entry("ibcore.cli.arm", "Let a live account trade for a while.", False),
    "authority": _Entry(
        "ibcore.cli.authority", "Are limits, kill switch and arming as written? verify.", True
    ),
    "db": _Entry("ibcore.cli.db", "The database: url, migrate, shell.", True),
    "alerts": _Entry("ibcore.cli.alerts", "Who is told of incidents: test.", True),
    "sinks": _Entry("ibcore.cli.sinks", "Publish rows to Redis and NATS: run.", True),
    "sim": _Entry("ibcore.cli.sim", "The simulated gateway: run, ledger, fault.", True),
}


def build(argv: Sequence[str]) -> typer.Typer:
    """Return the application with the commands that `argv` names fully loaded."""
    app = typer.Typer(
        name="ibkeeper",
        help="Keeps an Interactive Brokers session alive and records every tick into PostgreSQL.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name, entry in _COMMANDS.items():
        _mount(app, name, entry, loaded=name in argv)
    return app


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    # Click would print "Aborted!" and exit 1. Raised here, `with` blocks are still left in order.
    signal.signal(signal.SIGINT, _interrupted)
    try:
        build(sys.argv[1:])()
    except IbkeeperError as refused:
        _say(str(refused))
        sys.exit(refused.exit_code)
    except Exception as bug:
        _say(_unexpected(bug))
        sys.exit(1)
    sys.exit(0)


def _mount(app: typer.Typer, name: str, entry: _Entry, *, loaded: bool) -> None:
    if not loaded:
        app.command(name, help=entry.help)(_placeholder)
        return
    module = importlib.import_module(entry.module)
    if entry.group:
        app.add_typer(module.app, name=name, help=entry.help)
    else:
        command: Callable[..., Any] = getattr(module, name)
        app.command(name, help=entry.help)(command)


def _placeholder() -> None:
    raise AssertionError("a command that was not typed cannot run")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ibkeeper {version('ibkeeper')}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
]


def _root(*, version: Version = False) -> None:
    """Do nothing: the sub-commands do the work."""


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(130)


def _say(text: str) -> None:
    from ibcore.log import mask

    typer.echo(f"ibkeeper: {mask(text)}", err=True)


def _unexpected(bug: Exception) -> str:
    """Keep the traceback in a file; on the screen only for who asked for debugging."""
    if os.environ.get("IBKEEPER_LOG__LEVEL", "").lower() == "debug":
        raise bug
    from ibcore.log import mask

    home = Path(os.environ.get("IBKEEPER_HOME", ".ibkeeper"))
    folder = home / "logs" if (home / "logs").is_dir() else Path(tempfile.gettempdir())
    file = folder / "ibkeeper-error.log"
    file.write_text(mask("".join(traceback.format_exception(bug))), "utf-8")
    return (
        f"This should not have happened: {type(bug).__name__}: {bug}. What was committed is safe. "
        f"The details are in {file}; IBKEEPER_LOG__LEVEL=debug shows them here."
    )


if __name__ == "__main__":
    main()
