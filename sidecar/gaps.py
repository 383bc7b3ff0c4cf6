"""Losses that the recorder knows of: rows of `feed_gap`, told once and never forgotten.

A loss is kept in the spool's file until the database has it, under an id that is given once: it
may be written twice, and it may grow. Losses of one cause within `QUIET_S` are one gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from uuid import uuid4

import orjson
import psycopg

from ibcore import clock, db
from ibcore.domain import GapCause
from ibcore.errors import IbkeeperError
from ibcore.incidents import Incident, IncidentKind, key_of
from ibcore.log import get_logger
from sidecar.batch import Origin, Span

log = get_logger(__name__)

QUIET_S: Final = 10.0
OVER_AFTER_S: Final = 60.0
_DETAIL: Final = {
    GapCause.spool_full: "the spool is full: only trades and the newest quotes were kept",
    GapCause.memory_full: "neither the spool nor the database took anything",
    GapCause.batch_damaged: "in the quarantine of the spool: not what was written",
    GapCause.batch_refused: "in the quarantine of the spool: the database refused it",
}
Keep = Callable[[str, "str | None"], None]


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap; times in microseconds since 2000, seq numbers None where nobody knows them."""

    id: str
    cause: str
    spool: str
    sidecar: str
    epoch: int
    from_us: int
    to_us: int
    first_seq: int | None
    last_seq: int | None
    rows: int | None
    detail: str

    def row(self) -> dict[str, Any]:
        """Return the parameters of `note_feed_gap`."""
        # A wall clock that was set back must not make a gap that ends before it begins.
        first, last = sorted((self.from_us, self.to_us))
        times = {"from_ts": clock.datetime_from_us(first), "to_ts": clock.datetime_from_us(last)}
        return asdict(self) | times


class GapBook:
    """The gaps that `feed_gap` does not know yet, or not in their newest form."""

    def __init__(self, origin: Origin, keep: Keep) -> None:
        self._origin = origin
        self._keep = keep
        self._newest: dict[GapCause, tuple[float, Gap]] = {}
        self._unwritten: dict[str, Gap] = {}
        self.rows = 0

    def lost(self, now: float, cause: GapCause, span: Span, *, times_us: tuple[int, int]) -> None:
        """Note that `span.rows` rows between two moments are lost."""
        self.rows += span.rows
        since, gap = self._newest.get(cause, (0.0, None))
        if gap is None or now - since > QUIET_S:
            gap = self._new(cause, span, times_us, _DETAIL[cause])
        else:
            gap = _grown(gap, span, times_us)
        self._newest[cause] = (now, gap)
        self._note(gap)

    def lost_file(self, rows: int | None, *, at_us: int, detail: str) -> None:
        """Note that a file cannot be read, and with it `rows` rows (None: nobody knows)."""
        self.rows += rows or 0
        if rows != 0:
            span = Span(0, 0, rows or 0)
            gap = self._new(GapCause.spool_damaged, span, (at_us, at_us), detail)
            self._note(replace(gap, first_seq=None, last_seq=None, rows=rows))

    def take_over(self, kept: Mapping[str, str]) -> None:
        """Take what earlier lives could not tell."""
        for key, body in kept.items():
            try:
                self._unwritten[key] = Gap(**orjson.loads(body))
            except (ValueError, TypeError):
                log.exception("gap_unreadable", body=body)
                self._keep(key, None)

    def unwritten(self) -> Sequence[Gap]:
        """Return what the database is to be told."""
        return list(self._unwritten.values())

    def written(self, gaps: Sequence[Gap]) -> None:
        """Forget `gaps`, unless they have grown since."""
        for gap in gaps:
            if self._unwritten.get(gap.id) is gap:
                del self._unwritten[gap.id]
                self._keep(gap.id, None)

    def _new(self, cause: GapCause, span: Span, times_us: tuple[int, int], detail: str) -> Gap:
        log.error("rows_lost", cause=cause.value, rows=span.rows, detail=detail)
        spool, sidecar, epoch = self._origin
        known = (str(uuid4()), cause.value, str(spool), sidecar, epoch)
        return Gap(*known, *times_us, *span, detail)

    def _note(self, gap: Gap) -> None:
        self._unwritten[gap.id] = gap
        self._keep(gap.id, orjson.dumps(asdict(gap)).decode())


def _grown(gap: Gap, span: Span, times_us: tuple[int, int]) -> Gap:
    rows = (gap.rows or 0) + span.rows
    return replace(gap, to_us=times_us[1], last_seq=span.last_seq, rows=rows)


class GapKeeper:
    """The one that writes a GapBook to the database, and tells people."""

    def __init__(self, url: str, book: GapBook, *, sidecar: str) -> None:
        self._url = url
        self._book = book
        self._sidecar = sidecar
        # When each was written last. An earlier start may have left any of them open.
        now = clock.monotonic()
        self._told = {cause.value: now for cause in GapCause}

    async def refresh(self) -> None:
        """Write what is new; leave it for the next time when the database is away."""
        gaps, over = self._book.unwritten(), self._over(clock.monotonic())
        if not gaps and not over:
            return
        try:
            await self._write(gaps, over)
        except IbkeeperError as away:
            log.warning("feed_gap_waits", gaps=len(gaps), reason=str(away))
        except psycopg.Error:
            # Said in the log, and not again every few seconds for ever.
            log.exception("feed_gap_refused", gaps=[asdict(gap) for gap in gaps])
            self._book.written(gaps)
        else:
            self._book.written(gaps)
            self._told |= dict.fromkeys((gap.cause for gap in gaps), clock.monotonic())
            for cause in over:
                del self._told[cause]

    async def _write(self, gaps: Sequence[Gap], over: Sequence[str]) -> None:
        async with db.opened(self._url, application="gaps") as connection:
            with db.translated():
                async with connection.transaction():
                    for gap in gaps:
                        await connection.execute(db.QUERIES["note_feed_gap"], gap.row())
                        await connection.execute(db.QUERIES["open_incident"], _told(gap))
                    for cause in over:
                        end = {"key": _key(self._sidecar, cause), "reason": "no rows lost since"}
                        await connection.execute(db.QUERIES["close_incident"], end)

    def _over(self, now: float) -> Sequence[str]:
        losing = {gap.cause for gap in self._book.unwritten()}
        return [
            cause
            for cause, at in self._told.items()
            if now - at > OVER_AFTER_S and cause not in losing
        ]


def _key(sidecar: str, cause: str) -> str:
    return key_of(IncidentKind.rows_lost, f"{sidecar}:{cause}")


def _told(gap: Gap) -> dict[str, Any]:
    many = "an unknown number of" if gap.rows is None else f"{gap.rows:,}"
    return Incident(
        IncidentKind.rows_lost,
        f"{gap.sidecar}:{gap.cause}",
        f"The sidecar {gap.sidecar} lost {many} rows ({gap.cause}): {gap.detail}. "
        "All others are safe.",
        f"sidecar {gap.sidecar}",
        {"feed_gap": gap.id, "rows": gap.rows, "cause": gap.cause},
    ).row()
