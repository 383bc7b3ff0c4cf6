"""Upkeep of the database: days made ahead, strays settled, bars kept, old ticks dropped.

Run by the flow `maintenance` every day and by `ibkeeper db maintain` at any time. Every step may
be cut off and run again; what a step could not do (a lock that somebody holds) it says, and the
next run does it. The sidecar makes the days ahead too: upkeep that never runs costs no tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from psycopg.rows import dict_row

from ibcore import db
from ibcore.config import MaintenanceSettings
from ibcore.errors import InstanceConflict

# A tick may come this late (a spool that was sent late, a backfill) and still change its bars.
LATE_DAYS: Final = 3


class Done(NamedTuple):
    """One thing that upkeep looked at. `outcome` is for a person: created, dropped, busy, …"""

    step: str
    subject: str
    outcome: str


async def run(conn: db.Connection, settings: MaintenanceSettings) -> list[Done]:
    """Do everything that is due; return what was looked at. `conn` must be autocommit.

    Raises InstanceConflict when another upkeep is at work, DatabaseUnavailable as `ibcore.db`.
    """
    if not (await _rows(conn, "try_upkeep_lock"))[0]["held"]:
        raise InstanceConflict(
            "Another upkeep of this database is at work.",
            remedy="Nothing was done. It does the same; run again when it has finished.",
        )
    return [
        *await _make_days(conn, settings.days_ahead),
        *await _settle_strays(conn),
        *await _close_days(conn),
        *await _drop_days(conn, settings.keep_ticks_days),
        *await _prune_backfill(conn, settings.keep_ticks_days),
        *await _apply_policies(conn, settings),
        *await _prune_ledger(conn, settings.keep_ledger_days),
    ]


async def _make_days(conn: db.Connection, days_ahead: int) -> list[Done]:
    rows = await _rows(conn, "ensure_partitions", {"days_ahead": days_ahead})
    return [Done("days ahead", row["partition"], row["outcome"]) for row in rows]


async def _settle_strays(conn: db.Connection) -> list[Done]:
    done = []
    for stray in await _rows(conn, "stray_days"):
        (row,) = await _rows(conn, "settle_strays", stray)
        done.append(Done("strays", _day_of(stray), row["outcome"]))
    return done


async def _close_days(conn: db.Connection) -> list[Done]:
    done = []
    for over in await _rows(conn, "days_to_close", {"late_days": LATE_DAYS}):
        (row,) = await _rows(conn, "close_day", over)
        done.append(Done("bars", f"{over['day']}", row["outcome"]))
    return done


async def _drop_days(conn: db.Connection, keep_days: int | None) -> list[Done]:
    if keep_days is None:
        return []
    done = []
    for old in await _rows(conn, "days_to_drop", {"keep_days": keep_days}):
        (row,) = await _rows(conn, "drop_day", {**old, "keep_days": keep_days})
        done.append(Done("retention", _day_of(old), row["outcome"]))
    return done


async def _prune_backfill(conn: db.Connection, keep_days: int | None) -> list[Done]:
    if keep_days is None:
        return []
    (row,) = await _rows(conn, "prune_backfill", {"keep_days": keep_days})
    return [Done("retention", "backfilled ticks", f"{row['ticks']} deleted")]


async def _apply_policies(conn: db.Connection, settings: MaintenanceSettings) -> list[Done]:
    wanted = {"compress_days": settings.compress_days, "keep_days": settings.keep_ticks_days}
    rows = await _rows(conn, "apply_policies", wanted)
    return [Done("policies", row["market_table"], row["outcome"]) for row in rows]


async def _prune_ledger(conn: db.Connection, keep_days: int) -> list[Done]:
    (row,) = await _rows(conn, "prune_ledger", {"keep_days": keep_days})
    return [Done("ledger", "ingest_batch", f"{row['entries']} entries deleted")]


def _day_of(row: Mapping[str, Any]) -> str:
    return f"{row['market_table']} of {row['day']}"


async def _rows(
    conn: db.Connection, query: str, values: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES[query], values)
            return await cursor.fetchall()
