"""Ticks that were not believed: rows of `rejected_tick`, bounded whatever comes.

Within a minute what is alike (instrument, tick type, reason) is one row, with the raw text of the
first and a count of the rest. A minute has at most `ROWS_A_MINUTE` rows; the others are counted
in one more, `too_many`. At most `ROWS_HELD` wait in memory while the database is away, and the
table keeps the newest `ROWS_KEPT` of a sidecar. So a storm of poison fills neither the memory
nor the disk, and no count of it is lost but with the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple
from uuid import uuid4

import anyio

from ibcore import clock, db
from ibcore.domain import RejectReason
from ibcore.errors import IbkeeperError
from ibcore.log import get_logger

log = get_logger(__name__)

MINUTE_S: Final = 60.0
ROWS_A_MINUTE: Final = 60
ROWS_HELD: Final = 1_000
ROWS_KEPT: Final = 100_000
REFRESH_S: Final = 0.5
LAST_WORDS_S: Final = 0.5


class Rejected(NamedTuple):
    """One tick that was not believed. `instrument_id` None: of no line that is open."""

    recv_us: int
    instrument_id: int | None
    tick_type: int
    reason: RejectReason
    raw: str


@dataclass(slots=True)
class Reject:
    """One row: the first of its kind in a minute, and how many were like it."""

    id: str
    instrument_id: int | None
    tick_type: int | None
    reason: str
    raw: str | None
    recv_us: int
    last_us: int
    alike: int = 0

    def row(self) -> dict[str, Any]:
        """Return the parameters of `note_rejected_tick`."""
        # A wall clock that was set back must not make a row that ends before it begins.
        first, last = sorted((self.recv_us, self.last_us))
        times = {
            "recv_ts": clock.datetime_from_us(first),
            "last_ts": clock.datetime_from_us(last),
        }
        return asdict(self) | times


_Kind = tuple["int | None", "int | None", RejectReason]


class RejectBook:
    """What the table does not know yet, or not in its newest form."""

    def __init__(self) -> None:
        self.total = 0
        self._began = -MINUTE_S
        self._minute: dict[_Kind, Reject] = {}
        self._unwritten: dict[str, Reject] = {}

    def refuse(self, now: float, tick: Rejected) -> None:
        """Note a tick; `now` is monotonic seconds."""
        self.total += 1
        if now - self._began >= MINUTE_S:
            self._began, self._minute = now, {}
        kind: _Kind = (tick.instrument_id, tick.tick_type, tick.reason)
        row = self._minute.get(kind)
        if row is None and self._has_no_room():
            kind = (None, None, RejectReason.too_many)
            row = self._minute.get(kind)
        if row is None:
            raw = None if kind[2] is RejectReason.too_many else tick.raw.replace("\0", "")
            row = Reject(str(uuid4()), *kind, raw, tick.recv_us, tick.recv_us)
            self._minute[kind] = row
        else:
            row.alike += 1
            row.last_us = tick.recv_us
        self._unwritten[row.id] = row

    def unwritten(self) -> Sequence[dict[str, Any]]:
        """Return the rows that the database is to be told."""
        return [row.row() for row in self._unwritten.values()]

    def written(self, rows: Sequence[dict[str, Any]]) -> None:
        """Forget `rows`, unless they have grown since."""
        for row in rows:
            held = self._unwritten.get(row["id"])
            if held is not None and held.alike == row["alike"]:
                del self._unwritten[held.id]

    def _has_no_room(self) -> bool:
        return len(self._minute) >= ROWS_A_MINUTE or len(self._unwritten) >= ROWS_HELD


class RejectKeeper:
    """The one that writes a RejectBook to the database."""

    def __init__(self, url: str, book: RejectBook, *, sidecar: str, epoch: int) -> None:
        self._url = url
        self.book = book
        self._origin = {"sidecar": sidecar, "epoch": epoch}
        self._said = 0

    async def run(self) -> None:
        """Write what is new until cancelled, and what is left then."""
        try:
            while True:
                await anyio.sleep(REFRESH_S)
                await self.refresh()
        finally:
            with anyio.move_on_after(LAST_WORDS_S, shield=True):
                await self.refresh()

    async def refresh(self) -> None:
        """Write what is new; leave it for the next time when the database is away."""
        rows = self.book.unwritten()
        if not rows:
            return
        try:
            async with db.opened(self._url, application="rejects") as connection:
                with db.translated():
                    await self._write(connection, rows)
        except IbkeeperError as away:
            log.debug("rejected_ticks_wait", rows=len(rows), reason=str(away))
            return
        self.book.written(rows)
        log.warning("ticks_rejected", ticks=self.book.total - self._said)
        self._said = self.book.total

    async def _write(self, connection: db.Connection, rows: Sequence[dict[str, Any]]) -> None:
        async with connection.transaction():
            for row in rows:
                await connection.execute(db.QUERIES["note_rejected_tick"], row | self._origin)
            keep = {"sidecar": self._origin["sidecar"], "rows": ROWS_KEPT}
            await connection.execute(db.QUERIES["prune_rejected_ticks"], keep)
