"""What the rows say of the connection's promises, and what a look writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from psycopg.rows import dict_row

from ibcore import db
from ibcore.incidents import key_of
from ibcore.sla.check import STALE_AFTER_S, Facts, Finding, to_close, to_open


async def facts(conn: db.Connection) -> list[Facts]:
    """Return what is known of every sidecar that was there in the last week."""
    return [Facts(**row) for row in await rows(conn, "sla_facts", {"stale_s": STALE_AFTER_S})]


async def tell(conn: db.Connection, known: Iterable[Facts]) -> None:
    """Open the incidents that the facts call for and close those that are over."""
    for each in known:
        for incident in to_open(each):
            await rows(conn, "open_incident", incident.row())
        for kind, about, because in to_close(each):
            await rows(conn, "close_incident", {"key": key_of(kind, about), "reason": because})


async def note_check(conn: db.Connection, found: Sequence[Finding], *, now: datetime) -> None:
    """Write what a look found: the row that proves to the sidecar that Prefect lives."""
    breaches = [each for each in found if not each.kept]
    figures = {f"{each.sidecar}: {each.name}": each.value for each in found}
    await note(conn, "check", (now, now), breaches=len(breaches), figures=figures)


async def note(
    conn: db.Connection,
    kind: str,
    span: tuple[datetime, datetime],
    *,
    breaches: int,
    figures: Mapping[str, Any],
) -> None:
    """Write a row of `sla_report`."""
    text = orjson.dumps(dict(figures), default=str).decode()
    row = {"kind": kind, "from_ts": span[0], "to_ts": span[1], "breaches": breaches}
    await rows(conn, "sla_report_insert", row | {"figures": text})


async def rows(conn: db.Connection, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a named query."""
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES[query], values)
            return await cursor.fetchall()


async def ready(
    conn: db.Connection, sidecar: str, span: tuple[datetime, datetime]
) -> list[tuple[datetime, datetime]]:
    """Return when the stream session was ready between two moments."""
    about = {"sidecar": sidecar, "begin": span[0], "end": span[1]}
    found = await rows(conn, "sla_ready", about)
    return [(row["from_ts"], row["to_ts"]) for row in found if row["from_ts"] < row["to_ts"]]
