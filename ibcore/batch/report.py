"""The report of a day: intents, executions, commissions and positions, held against each other.

`compare` is SQL (`order_report`): every row it returns is a break. What was held at the end of
one report is the beginning of the next one, so positions are proven from report to report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from psycopg.rows import dict_row

from ibcore import audit, db
from ibcore.audit import Chain
from ibcore.calendar import NEW_YORK
from ibcore.incidents import Incident, IncidentKind, key_of

WHO: Final = "order-report"


class Break(NamedTuple):
    """Something that does not agree."""

    kind: str
    subject: str
    detail: str


class Report(NamedTuple):
    """A day in numbers, and what does not agree."""

    day: date
    totals: Mapping[str, Any]
    breaks: tuple[Break, ...]
    trail: tuple[Chain, ...] = ()

    @property
    def heads(self) -> str:
        """Return the newest hash of each audit trail: to be held against the rows later."""
        return ", ".join(f"`{chain.trail}` `{chain.head or 'empty'}`" for chain in self.trail)

    @property
    def summary(self) -> str:
        """Return the report in one line."""
        said = self.totals
        found = f"{len(self.breaks)} breaks" if self.breaks else "everything agrees"
        return (
            f"{self.day}: {said['orders']} orders, {said['with_fills']} with fills, "
            f"{said['executions']} executions, {said['commission']:.2f} commission, "
            f"{said['rejected']} rejected, {said['refused']} refused: {found}"
        )


def bounds(day: date) -> tuple[datetime, datetime]:
    """Return when a day begins and ends in New York."""
    begins = datetime.combine(day, time(), NEW_YORK)
    return begins, datetime.combine(day + timedelta(days=1), time(), NEW_YORK)


async def report(conn: db.Connection, day: date) -> Report:
    """Compare a day, and tell people of a break in the same transaction."""
    begins, ends = bounds(day)
    values = {"begins": begins, "ends": ends}
    with db.translated():
        async with conn.transaction():
            breaks = [Break(**row) for row in await _rows(conn, "order_report", values)]
            (totals,) = await _rows(conn, "order_report_totals", values)
            await _rows(conn, "order_report_baseline", {})
            await _rows(conn, "order_incidents_over", {})
            trail = await audit.look(conn)
            breaks += [
                Break("audit trail", each.trail, each.broken) for each in trail if each.broken
            ]
            made = Report(day, totals, tuple(breaks), tuple(trail))
            await _tell(conn, made)
    return made


async def _tell(conn: db.Connection, made: Report) -> None:
    if not made.breaks:
        closed = {"key": key_of(IncidentKind.orders_break, "all"), "reason": made.summary}
        await _rows(conn, "close_incident", closed)
        return
    detail = {"breaks": [each._asdict() for each in made.breaks[:50]]}
    incident = Incident(IncidentKind.orders_break, "all", made.summary, WHO, detail)
    await _rows(conn, "open_incident", incident.row())


def table(breaks: Sequence[Break]) -> list[dict[str, Any]]:
    """Return the breaks as rows for people."""
    return [each._asdict() for each in breaks] or [
        {"kind": "none", "subject": "", "detail": "everything agrees"}
    ]


async def _rows(conn: db.Connection, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(db.QUERIES[query], values)
        return await cursor.fetchall() if cursor.description else []
