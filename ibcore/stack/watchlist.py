"""The watch list: what to stream. Rows are the request, their state is the sidecar's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from ibcore import db
from ibcore.domain import ContractSpec


@dataclass(frozen=True, slots=True)
class Removal:
    """Which rows to remove: one by id, one by its contract, or all of a symbol."""

    spec: ContractSpec
    id: int | None = None
    all: bool = False


async def add(
    conn: AsyncConnection[Any],
    sidecar: str,
    spec: ContractSpec,
    *,
    generic_ticks: str | None = None,
    priority: int = 100,
) -> int | None:
    """Add a line; return its id, None if it is there already."""
    values = {**spec._asdict(), "sidecar": sidecar, "priority": priority}
    cursor = await conn.execute(
        db.QUERIES["watchlist_add"], {**values, "generic_ticks": generic_ticks}
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else None


async def seed(conn: AsyncConnection[Any], sidecar: str, specs: Sequence[ContractSpec]) -> int:
    """Fill an empty watch list; leave one that a person has touched alone."""
    cursor = await conn.execute(db.QUERIES["watchlist_is_empty"], {"sidecar": sidecar})
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return 0
    async with conn.transaction():
        for priority, spec in enumerate(specs, start=100):
            await add(conn, sidecar, spec, priority=priority)
    return len(specs)


async def remove(conn: AsyncConnection[Any], sidecar: str, removal: Removal) -> list[int]:
    """Remove lines; return their ids."""
    values = {**removal.spec._asdict(), "sidecar": sidecar, "id": removal.id, "all": removal.all}
    cursor = await conn.execute(db.QUERIES["watchlist_remove"], values)
    return [int(row[0]) for row in await cursor.fetchall()]


async def entries(conn: AsyncConnection[Any], sidecar: str) -> list[dict[str, Any]]:
    """Return the lines with their states, most important first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(db.QUERIES["watchlist_entries"], {"sidecar": sidecar})
        return await cursor.fetchall()
