"""How a command reaches the database: one connection, for as long as its work takes."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import anyio
import typer

from ibcore import config, db

_T = TypeVar("_T")

Reason = Annotated[str, typer.Option("--reason", help="Why; it stays in the table.")]


def whoever(by: str | None) -> str:
    """Return the name that was given, or that of the login."""
    return by if by is not None else getpass.getuser()


def with_database(application: str, work: Callable[[db.Connection], Awaitable[_T]]) -> _T:
    """Run `work` on a connection to the configured database."""
    settings = config.load()

    async def run() -> _T:
        async with await db.connect(db.resolve_url(settings), application=application) as conn:
            await db.check_schema(conn)
            with db.translated():
                return await work(conn)

    return anyio.run(run)
