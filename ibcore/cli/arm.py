"""`ibkeeper arm`: let a live account trade, for a while that ends by itself."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from ibcore import authority
from ibcore.authority import AuthorityRefused, Word
from ibcore.cli.database import whoever, with_database

_DURATION = re.compile(r"(\d+)([hm])")


def arm(
    account: Annotated[str | None, typer.Argument(help="The live account; left out: list.")] = None,
    *,
    lasting: Annotated[str, typer.Option("--for", help="8h, 30m, …; at most 24h.")] = "8h",
    by: Annotated[str | None, typer.Option("--by", help="Who; left out: the login.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    disarm: Annotated[bool, typer.Option("--off", help="End it now.")] = False,
) -> None:
    """Arm a live account until the time is over, or list what is armed."""
    if account is None:
        _list()
        return
    for_s = 0.0 if disarm else seconds(lasting)
    word, name = Word(whoever(by), reason), account
    until = with_database("arm", lambda conn: authority.arm(conn, name, for_s=for_s, word=word))
    if disarm:
        typer.echo(f"{account} is disarmed.")
    else:
        typer.echo(f"{account} is armed until {until:%Y-%m-%d %H:%M:%S %Z}.")


def seconds(text: str) -> float:
    """Return how long 8h or 30m is, in seconds."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise AuthorityRefused(
            f"--for {text} is no duration.", remedy="Nothing was changed. Write 8h or 30m."
        )
    return int(found[1]) * (3600.0 if found[2] == "h" else 60.0)


def _list() -> None:
    found = with_database("arm", authority.armings)
    if not found:
        typer.echo("No account was ever armed: paper accounts only.")
    for row in found:
        state = "armed until" if row["armed"] else "not armed; it ended"
        typer.echo(
            f"{row['account']:<12} {state} {row['armed_until']:%Y-%m-%d %H:%M:%S %Z}  "
            f"{row['set_by']}: {row['reason']}".rstrip(" :")
        )
