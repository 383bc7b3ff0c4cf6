"""Rows of `line_state` and `line_cure`: what is known of the lines, whenever the database is there.

Health is written when a cause changes and every few seconds; news that could not be written yet
is replaced by later news. Cures are written as they begin and as they end.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

import orjson

from ibcore import db
from ibcore.domain import Provider
from ibcore.liveness.health import LineHealth
from ibcore.liveness.patient import CureNote
from sidecar.outbox import Outbox

EVERY_S: Final = 5.0


class _Health(Enum):
    newest = "newest"


class LineJournal(Outbox["CureNote | _Health"]):
    """Writes how lines are, and what was done about them."""

    def __init__(
        self, url: str, *, sidecar: str, epoch: int, provider: Provider = Provider.ib
    ) -> None:
        super().__init__(url, self._store, name="lines")
        self._owner = {"sidecar": sidecar, "provider": provider.value}
        self._epoch = epoch
        self._health: Sequence[LineHealth] = ()
        self._causes: tuple[object, ...] = ()
        self._noted_at = float("-inf")
        self._waits = False

    def note_cure(self, note: CureNote) -> None:
        """Queue a cure that was begun or has ended; never waits."""
        self.put(note)

    def note_health(self, health: Sequence[LineHealth], now: float) -> None:
        """Take how every line is; written if it is news."""
        causes = tuple((one.instrument_id, one.cause) for one in health)
        if causes == self._causes and now - self._noted_at < EVERY_S:
            return
        self._health, self._causes, self._noted_at = health, causes, now
        if not self._waits:
            self._waits = True
            self.put(_Health.newest)

    async def _store(self, connection: db.Connection, entry: CureNote | _Health) -> None:
        if isinstance(entry, CureNote):
            row = entry._asdict() | self._owner | {"epoch": self._epoch}
            await connection.execute(db.QUERIES["note_line_cure"], row)
            return
        self._waits = False
        rows = orjson.dumps([_row(one) for one in self._health]).decode()
        await connection.execute(db.QUERIES["note_line_states"], self._owner | {"rows": rows})


def _row(health: LineHealth) -> dict[str, object]:
    return {
        "instrument_id": health.instrument_id,
        "cause": str(health.cause),
        "since": health.since,
        "last_event_at": health.last_event_at,
        "rate_per_min": health.rate_per_min,
        "expected_s": health.expected_s,
    }
