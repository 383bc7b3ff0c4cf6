"""`ibkeeper kill-switch`: stop every order now; lift it by name and with a reason.

Three switches, any of which stops: a row (this command), the file IBKEEPER_HOME/KILL (this command
when the database cannot be reached, or `touch`), and SIGUSR1 or SIGUSR2 to the sidecar.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ibcore import authority, config, db, kill_file
from ibcore.authority import Word
from ibcore.cli.database import Reason, whoever, with_database
from ibcore.errors import ConfigRefused, DatabaseUnavailable

app = typer.Typer(no_args_is_help=True)

By = Annotated[str | None, typer.Option("--by", help="Who says so; left out: the login.")]


@app.command("on")
def on(
    reason: Reason,
    *,
    by: By = None,
    file: Annotated[bool, typer.Option("--file", help="Write the file as well.")] = False,
) -> None:
    """Stop all sending and cancel every working order, within a second."""
    word = Word(whoever(by), reason)
    if file:
        typer.echo(f"On: {_write_file(word)} is written.")
    try:
        with_database("kill-switch", lambda conn: authority.set_kill_switch(conn, True, word))
    except (DatabaseUnavailable, ConfigRefused) as away:
        where = _write_file(word)
        typer.echo(f"{away}")
        typer.echo(f"On by file instead: {where}. It stops the sidecar of this home only.")
        return
    typer.echo("On: nothing is sent, everything that works is being cancelled.")


@app.command("off")
def off(
    by: Annotated[str, typer.Option("--by", help="Who lifts it: a person's name.")],
    reason: Reason,
) -> None:
    """Let orders go again; the file of this home is removed as well."""
    word = Word(by, reason)

    async def lift(conn: db.Connection) -> None:
        # The file first: a sidecar that still sees it would engage the row again.
        kill_file.lift(config.load().home)
        await authority.set_kill_switch(conn, False, word)

    with_database("kill-switch", lift)
    typer.echo("Off. A file on another machine is lifted there: ibkeeper kill-switch show.")


@app.command("show")
def show(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """Say whether it is on, since when, by whom and why."""
    file = kill_file.read(config.load().home)
    try:
        rows = with_database("kill-switch", lambda c: authority.kill_switch_history(c, limit=10))
        unreadable = None
    except (DatabaseUnavailable, ConfigRefused) as away:
        rows, unreadable = [], str(away)
    engaged = bool(file or unreadable or (rows and rows[0]["engaged"]))
    said = {"engaged": engaged, "file": file, "unreadable": unreadable, "rows": rows}
    if as_json:
        typer.echo(json.dumps(said, indent=2, default=str))
        return
    for text in lines(said):
        typer.echo(text)


def lines(said: dict[str, Any]) -> list[str]:
    """Return the state as a person reads it."""
    text = ["on" if said["engaged"] else "off"]
    if said["file"]:
        text.append(f"file       {said['file']}")
    if said["unreadable"]:
        text.append(f"row        cannot be read, so nothing is sent: {said['unreadable']}")
    for row in said["rows"]:
        state = "on " if row["engaged"] else "off"
        where = f" of {row['sidecar']}" if row["sidecar"] else ""
        text.append(
            f"{row['at']:%Y-%m-%d %H:%M:%S}  {state}  {row['source']}{where}  {row['set_by']}: "
            f"{row['reason']}"
        )
    return text


def _write_file(word: Word) -> str:
    return str(kill_file.engage(config.load().home, word.set_by, word.reason))
