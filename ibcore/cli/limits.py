"""`ibkeeper limits`: what an order must keep, and who changed it when."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ibcore import authority
from ibcore.authority import Word
from ibcore.cli.database import whoever, with_database
from ibcore.risk.limits import EVERY_ACCOUNT, LIMITS

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="See: ibkeeper limits names.")]
Account = Annotated[str, typer.Option("--account", help="Of this account only; *: of every one.")]
By = Annotated[str | None, typer.Option("--by", help="Who says so; left out: the login.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stays in the table.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON list.")]


@app.command("set")
def set_(
    name: Name,
    value: Annotated[str, typer.Argument(help="A number, or names with commas.")],
    *,
    account: Account = EVERY_ACCOUNT,
    by: By = None,
    reason: Reason = "",
) -> None:
    """Set a limit from now on."""
    _change(name, value, account, word=Word(whoever(by), reason))


@app.command("unset")
def unset(
    name: Name, *, account: Account = EVERY_ACCOUNT, by: By = None, reason: Reason = ""
) -> None:
    """Set a limit no longer; the trail stays."""
    _change(name, None, account, word=Word(whoever(by), reason))


@app.command("ls")
def ls(*, as_json: AsJson = False) -> None:
    """List what is set now."""
    _print(with_database("limits", authority.limits), as_json, "No limit is set: paper only.")


@app.command("history")
def history(
    *, limit: Annotated[int, typer.Option(help="How many.")] = 50, as_json: AsJson = False
) -> None:
    """List who changed what, the newest first."""
    rows = with_database("limits", lambda conn: authority.limits_history(conn, limit=limit))
    _print(rows, as_json, "No limit was ever set.")


@app.command("names")
def names() -> None:
    """List every limit: unit, meaning, and which ones live trading needs."""
    for name, kind in LIMITS.items():
        live = "live needs it" if kind.required_live else ""
        typer.echo(f"{name:<22} {kind.unit:<20} {live:<14} {kind.what}")


def _change(name: str, value: str | None, account: str, *, word: Word) -> None:
    before = with_database(
        "limits",
        lambda conn: authority.set_limit(conn, name, value, word=word, account=account),
    )
    typer.echo(f"{name} of {account}: {before or 'not set'} -> {value or 'not set'}.")


def _print(rows: list[dict[str, Any]], as_json: bool, nothing: str) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=str))
        return
    if not rows:
        typer.echo(nothing)
    for row in rows:
        change = f"{row['before'] or 'not set'} -> " if "before" in row else ""
        typer.echo(
            f"{row['at']:%Y-%m-%d %H:%M:%S}  {row['account']:<10} {row['name']:<22} "
            f"{change}{row['value'] or 'not set'}  {row['set_by']} {row['reason']}".rstrip()
        )
