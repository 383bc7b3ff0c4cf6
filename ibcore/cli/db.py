"""`ibkeeper db`: where the database is, its schema, a shell in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import anyio
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ibcore import config, db, roles, upkeep
from ibcore.config import MaintenanceSettings
from ibcore.errors import ConfigRefused

app = typer.Typer(no_args_is_help=True)


@app.command()
def url(
    role: Annotated[
        str | None, typer.Option(help="With the login ibkeeper_ROLE (reader, …), no password.")
    ] = None,
) -> None:
    """Print the database URL, password included: for scripts."""
    found = db.resolve_url(config.load())
    if role is not None and role not in get_args(roles.Role):
        raise typer.BadParameter(f"{role} is none of {', '.join(get_args(roles.Role))}")
    typer.echo(found if role is None else roles.login_url(found, cast(roles.Role, role)))


@app.command()
def migrate() -> None:
    """Bring the schema to the version of this program; nothing happens when it is there."""
    db.migrate(db.resolve_url(config.load()))
    typer.echo(f"The schema is at {db.head_revision()}.")


@app.command()
def maintain() -> None:
    """Do what the flow `maintenance` does to the database: for those who run no Prefect."""
    settings = config.load()
    done = anyio.run(_maintain, db.resolve_url(settings), settings.maintenance)
    for each in done:
        typer.echo(f"{each.step}: {each.subject}: {each.outcome}")


async def _maintain(url: str, settings: MaintenanceSettings) -> list[upkeep.Done]:
    async with db.opened(url, application="maintain") as conn:
        return await upkeep.run(conn, settings)


@app.command(context_settings={"ignore_unknown_options": True})
def shell(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to psql.")] = None,
) -> None:
    """Open psql in the database, with the schema on the search path. E.g. -- -c '\\dt'."""
    given: dict[str, Any] = conninfo_to_dict(
        db.conninfo(db.resolve_url(config.load()), application="shell")
    )
    # The password goes through the environment: arguments are visible to every user (ps).
    password = given.pop("password", None)
    options = " ".join(
        filter(None, ["-c search_path=ibkeeper,public", os.environ.get("PGOPTIONS")])
    )
    environment = {**os.environ, "PGOPTIONS": options}
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    program = _psql()
    os.execve(program, ["psql", make_conninfo(**given), *(arguments or [])], environment)


def _psql() -> Path:
    from ibcore.embedded import BIN  # the wheel has psql, whatever the server is

    found = BIN / "psql" if (BIN / "psql").exists() else shutil.which("psql")
    if found is None:
        raise ConfigRefused(
            "There is no psql.", remedy="Nothing was started. Install the postgresql client."
        )
    return Path(found)
