"""The watch list: what to stream. Rows are the request, their state is the sidecar's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from ibcore.domain import ContractSpec

_INSERT: Final = """
INSERT INTO ibkeeper.watch (sidecar, symbol, sec_type, exchange, currency, primary_exchange,
       expiry, strike, "right", multiplier, trading_class, con_id, generic_ticks, priority)
VALUES (%(sidecar)s, %(symbol)s, %(sec_type)s, %(exchange)s, %(currency)s, %(primary_exchange)s,
       %(expiry)s, %(strike)s, %(right)s, %(multiplier)s, %(trading_class)s, %(con_id)s,
       %(generic_ticks)s, %(priority)s)
ON CONFLICT DO NOTHING RETURNING id
"""

_DELETE: Final = """
DELETE FROM ibkeeper.watch
 WHERE sidecar = %(sidecar)s
   AND (id = %(id)s OR (upper(symbol) = upper(%(symbol)s) AND
        (%(all)s OR (sec_type = %(sec_type)s AND expiry = %(expiry)s AND strike = %(strike)s
                     AND "right" = %(right)s))))
RETURNING id, symbol
"""

_LIST: Final = """
SELECT w.id, w.sidecar, w.symbol, w.sec_type, w.exchange, w.currency, w.expiry,
       w.strike::float8 AS strike, w."right", w.generic_ticks, w.priority, w.state, w.reason,
       w.changed_at, i.con_id, i.local_symbol
  FROM ibkeeper.watch w LEFT JOIN ibkeeper.instrument i ON i.id = w.instrument_id
 WHERE w.sidecar = %(sidecar)s ORDER BY w.priority, w.id
"""

_EMPTY: Final = "SELECT NOT EXISTS (SELECT FROM ibkeeper.watch WHERE sidecar = %(sidecar)s)"


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
    cursor = await conn.execute(_INSERT, {**values, "generic_ticks": generic_ticks})
    row = await cursor.fetchone()
    return int(row[0]) if row else None


async def seed(conn: AsyncConnection[Any], sidecar: str, specs: Sequence[ContractSpec]) -> int:
    """Fill an empty watch list; leave one that a person has touched alone."""
    cursor = await conn.execute(_EMPTY, {"sidecar": sidecar})
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
    cursor = await conn.execute(_DELETE, values)
    return [int(row[0]) for row in await cursor.fetchall()]


async def entries(conn: AsyncConnection[Any], sidecar: str) -> list[dict[str, Any]]:
    """Return the lines with their states, most important first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_LIST, {"sidecar": sidecar})
        return await cursor.fetchall()
