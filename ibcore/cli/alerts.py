"""`ibkeeper alerts`: try every target, so that nobody finds out in an emergency."""

from __future__ import annotations

import getpass
import socket

import typer

from ibcore import config, log
from ibcore.alerts import message
from ibcore.alerts.office import targets_of
from ibcore.errors import AlertNotTaken, ConfigRefused

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Who is told of incidents."""


@app.command("test")
def test() -> None:
    """Send a message to every target and say which took it; needs no database."""
    settings = config.load()
    log.configure(settings.log)
    first, second = targets_of(settings.alerts)
    if not first and not second:
        raise ConfigRefused(
            "No alert target is set: nobody is told of anything.",
            remedy="Set IBKEEPER_ALERTS__TARGETS, for example to mailto://… or slack://….",
        )
    trial = message.trial(f"{getpass.getuser()} on {socket.gethostname()}", _runbook(settings))
    failed = []
    for target in (*first, *second):
        answer = target.send(trial)
        typer.echo(f"{target.name}: {'taken' if answer.taken else answer.error}")
        failed += [] if answer.taken else [target.name]
    if failed:
        raise AlertNotTaken(
            f"{', '.join(failed)} did not take it.",
            remedy="Check the URL, the password and the network; then try again.",
        )


def _runbook(settings: config.Settings) -> str:
    return settings.alerts.runbook_url
