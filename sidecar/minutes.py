"""What each minute delivered, by provider: rows of `feed_minute`, refreshed every few seconds.

Runs beside the writer on a connection of its own, so that neither waits for the other. It also
makes the day partitions of tomorrow, at the start and whenever the UTC day changes; without
them rows would land in the stray partition, late but not lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import itemgetter
from typing import Any, Final

from ibcore import clock, db
from ibcore.errors import IbkeeperError
from ibcore.log import get_logger
from sidecar.latency import Histogram

log = get_logger(__name__)

REFRESH_S: Final = 5.0
DAYS_AHEAD: Final = 2


@dataclass(slots=True)
class _Minute:
    ticks: int = 0
    rows: int = 0
    batches: int = 0
    latency: Histogram = field(default_factory=Histogram)
    silence_us: int = 0


class MinuteBook:
    """Counts by minute and provider; `unwritten` gives what is new since the last `written`."""

    def __init__(self, primary: str) -> None:
        self._backup_ticks = Counter[str]()  # since the last `looked`
        self._primary = primary
        self._minutes: dict[tuple[datetime, str], _Minute] = {}
        self._newest_us: int | None = None

    def heard_of(self, provider: str) -> None:
        """Count a tick message that is not the primary's."""
        self._backup_ticks[provider] += 1

    def committed(
        self, now: datetime, commit_us: int, received: Mapping[str | None, Mapping[int, int]]
    ) -> None:
        """Count a committed batch: `received` is provider -> arrival time -> rows."""
        for provider, arrivals in received.items():
            minute = self._minute(now, provider or self._primary)
            minute.rows += sum(arrivals.values())
            minute.batches += 1
            for recv_us, rows in arrivals.items():
                minute.latency.add(max(0, commit_us - recv_us), rows)
        self._came(now, [recv_us for arrivals in received.values() for recv_us in arrivals])

    def _came(self, now: datetime, received_us: Sequence[int]) -> None:
        if self._newest_us is not None:
            self._silent(now, min(received_us) - self._newest_us)
        # What comes late, out of the spool, is no news.
        self._newest_us = max(self._newest_us or 0, *received_us)

    def _silent(self, now: datetime, silence_us: int) -> None:
        minute = self._minute(now, self._primary)
        minute.silence_us = max(minute.silence_us, silence_us)

    def looked(self, now: datetime, ticks: int) -> None:
        """Count tick messages of all providers, and how long nothing has come."""
        for provider, heard in self._backup_ticks.items():
            self._minute(now, provider).ticks += heard
        self._minute(now, self._primary).ticks += ticks - self._backup_ticks.total()
        self._backup_ticks.clear()
        if self._newest_us is not None:
            self._silent(now, clock.us_from_datetime(now) - self._newest_us)

    def unwritten(self) -> list[dict[str, Any]]:
        """Return one row a minute, in the parameters of `note_feed_minute`."""
        counted = sorted(self._minutes.items(), key=itemgetter(0))
        return [_row(start, provider, minute) for (start, provider), minute in counted]

    def written(self, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
        """Take off what `rows` of `unwritten` said, and forget the minutes that are over."""
        for row in rows:
            key = (row["minute"], row["provider"])
            minute = self._minutes[key]
            minute.ticks -= row["ticks"]
            minute.rows -= row["rows"]
            minute.batches -= row["batches"]
            if row["minute"] < _start(now) and not minute.rows:
                del self._minutes[key]

    def _minute(self, now: datetime, provider: str) -> _Minute:
        return self._minutes.setdefault((_start(now), provider), _Minute())


def _start(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


def _row(start: datetime, provider: str, minute: _Minute) -> dict[str, Any]:
    return {
        "minute": start,
        "provider": provider,
        "ticks": minute.ticks,
        "rows": minute.rows,
        "batches": minute.batches,
        **minute.latency.quantiles()._asdict(),
        "staleness_s": minute.silence_us / 1_000_000,
    }


class MinuteKeeper:
    """The one that writes a MinuteBook."""

    def __init__(self, url: str, book: MinuteBook, *, sidecar: str) -> None:
        self._url = url
        self._book = book
        self._sidecar = sidecar
        self._connection: db.Connection | None = None
        self._partitioned: date | None = None

    async def refresh(self) -> None:
        """Write what is new; leave it for the next time when the database is away."""
        try:
            connection = await self._connected()
            with db.translated():
                await self._write(connection)
        except IbkeeperError as away:
            log.warning("feed_minute_waits", reason=str(away))
            await self.close()

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _write(self, connection: db.Connection) -> None:
        now = clock.utcnow()
        if self._partitioned != now.date():
            query = db.QUERIES["ensure_partitions"]
            await connection.execute(query, {"days_ahead": DAYS_AHEAD})
            self._partitioned = now.date()
        rows = self._book.unwritten()
        async with connection.transaction():
            for row in rows:
                await connection.execute(
                    db.QUERIES["note_feed_minute"], {**row, "sidecar": self._sidecar}
                )
        self._book.written(rows, now)

    async def _connected(self) -> db.Connection:
        if self._connection is None or self._connection.closed:
            application = f"minutes {self._sidecar}"
            self._connection = await db.connect(self._url, application=application)
        return self._connection
