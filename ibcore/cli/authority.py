"""`ibkeeper authority`: is the trail of limits, kill switch and arming as it was written?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ibcore import audit
from ibcore.audit import Chain
from ibcore.cli.database import with_database

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `verify` a sub-command although it is the only one."""


@app.command("verify")
def verify(
    *,
    noted: Annotated[
        list[str] | None,
        typer.Option("--noted", help="A head that was printed before and kept elsewhere."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Follow every chain; exit with 1 where one breaks, or lacks a head that was noted."""
    chains = with_database("audit", audit.look)
    lost = audit.without(chains, noted or [])
    whole = not lost and not any(chain.broken for chain in chains)
    if as_json:
        typer.echo(json.dumps({"whole": whole, "chains": list(map(_row, chains)), "lost": lost}))
    else:
        for chain in chains:
            typer.echo(f"{chain}{f'  head {chain.head}' if chain.head else ''}")
        for head in lost:
            typer.echo(f"{head}: no row has this hash any more: rows were cut off or written anew.")
        if not whole:
            typer.echo(
                "Compare with a backup. Until it is settled, trust no limit: kill-switch on."
            )
    raise typer.Exit(0 if whole else 1)


def _row(chain: Chain) -> dict[str, object]:
    return {
        "trail": chain.trail,
        "rows": len(chain.hashes),
        "head": chain.head,
        "broken": chain.broken or None,
    }
