"""The rows of the outbox: written, taken, settled. Every call is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from psycopg.rows import dict_row

from ibcore import db
from ibcore.alerts.message import Line
from ibcore.alerts.pace import WINDOW_S, Pace, Sent, ready
from ibcore.incidents import Severity

# Longer than any target takes to answer or to fail.
SENDING_S: Final = 30.0


async def take(
    conn: db.Connection, target: str, *, pace: Pace, now: datetime, overdue_s: float = 0.0
) -> Sequence[Line]:
    """Take what the target is to be sent now; nobody else takes it for SENDING_S.

    `overdue_s`: only where something has waited this long already.
    """
    async with conn.transaction():
        await _rows(conn, "alert_target_lock", {"target": target})
        waiting = [_line(row) for row in await _rows(conn, "alert_waiting", {"target": target})]
        if not any(now - line.created_at >= timedelta(seconds=overdue_s) for line in waiting):
            return ()
        about = {"target": target, "now": now, "window_s": WINDOW_S}
        sent = [Sent(**row) for row in await _rows(conn, "alert_messages", about)]
        lines = ready(waiting, sent, pace=pace, now=now)
        if lines:
            taken = {"ids": _ids(lines), "message": uuid4()}
            taken["until"] = now + timedelta(seconds=SENDING_S)
            await conn.execute(db.QUERIES["alert_take"], taken)
    return lines


async def delivered(conn: db.Connection, lines: Sequence[Line], *, now: datetime) -> None:
    """Note that the target took them."""
    await conn.execute(db.QUERIES["alert_delivered"], {"ids": _ids(lines), "now": now})


async def failed(
    conn: db.Connection, lines: Sequence[Line], *, error: str | None, next_at: datetime
) -> None:
    """Note why the target did not take them, and when it is tried again."""
    row = {"ids": _ids(lines), "error": error, "next_at": next_at}
    await conn.execute(db.QUERIES["alert_failed"], row)


def _ids(lines: Sequence[Line]) -> list[int]:
    return [line.id for line in lines]


def _line(row: dict[str, Any]) -> Line:
    return Line(**row | {"severity": Severity(row["severity"])})


async def _rows(conn: db.Connection, query: str, values: Any) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(db.QUERIES[query], values)
        return await cursor.fetchall() if cursor.description else []
