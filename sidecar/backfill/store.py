"""Writes fills, inside the transaction that completes their request: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import tuple_row

from ibcore import db
from ibcore.backfill import FILLED_BY, FillState
from ibcore.db import Connection
from ibcore.incidents import Incident, IncidentKind, key_of
from sidecar.backfill.hole import Fill


@dataclass(frozen=True, slots=True)
class Haul:
    """What one run brought, and what it left; `why_left` None: nothing."""

    request_id: UUID
    sidecar: str
    fills: Sequence[Fill]
    left: int
    why_left: str | None

    async def write(self, conn: Connection) -> dict[str, Any]:
        """Store everything, tell or end the incident, and return the request's result."""
        written = [one for one in self.fills if await self._write(conn, one)]
        await self._tell(conn)
        states = [one.state for one in written]
        return {
            "request_id": str(self.request_id),
            **{str(state): states.count(state) for state in FillState},
            "rows": sum(one.rows for one in written),
            "left": self.left,
            "why_left": self.why_left,
        }

    async def _write(self, conn: Connection, one: Fill) -> bool:
        owner = {"sidecar": self.sidecar, "request_id": self.request_id}
        async with conn.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(db.QUERIES["gap_fill_insert"], one.row() | owner)
            inserted = await cursor.fetchone()
        if inserted is None:
            return False
        head = (inserted[0], one.hole.instrument_id)
        quotes = ((*head, q.ts, place, *q[1:]) for place, q in enumerate(one.quotes))
        trades = ((*head, t.ts, place, *t[1:]) for place, t in enumerate(one.trades))
        bars = ((*head, b.ts, str(b.kind), *b[2:]) for b in one.bars)
        await _copy(conn, "copy_backfill_quote", quotes)
        await _copy(conn, "copy_backfill_trade", trades)
        await _copy(conn, "copy_backfill_bar", bars)
        if one.hole.gap_id is not None and one.rows:
            row = {"gap_id": one.hole.gap_id, "filled_by": FILLED_BY}
            await conn.execute(db.QUERIES["feed_gap_filled"], row)
        return True

    async def _tell(self, conn: Connection) -> None:
        short = [one for one in self.fills if one.short]
        if not short and not self.left:
            reason = "a run of gap-backfill left nothing behind"
            row = {"key": key_of(IncidentKind.gap_unfilled, self.sidecar), "reason": reason}
            await conn.execute(db.QUERIES["close_incident"], row)
            return
        await conn.execute(db.QUERIES["open_incident"], self._incident(short).row())

    def _incident(self, short: Sequence[Fill]) -> Incident:
        return Incident(
            IncidentKind.gap_unfilled,
            self.sidecar,
            f"Of the gaps of the sidecar {self.sidecar}, {len(short)} could not be filled in full "
            f"and {self.left} wait for the next run. What was recorded live is untouched.",
            f"sidecar {self.sidecar}",
            {
                "left": self.left,
                "why_left": self.why_left,
                "unfilled": {
                    f"{one.hole.contract.symbol} {one.hole.contract.conId}": "; ".join(one.short)
                    for one in short[:20]
                },
            },
        )


async def _copy(conn: Connection, query: str, rows: Iterable[tuple[Any, ...]]) -> None:
    async with conn.cursor() as cursor, cursor.copy(db.QUERIES[query]) as copy:
        for row in rows:
            await copy.write_row(row)
