"""From rows to committed rows: the tick path puts, tasks of their own spool and commit.

    record() ─► open batch ─► sealed every flush_ms or batch_rows ─┬─► spool ─► disk
                                                                   └─► live lane ─► COPY, ledger
                              what the live lane cannot keep up with ─► replay lane ─┘
`record` never waits: not for the database, not for the disk, not for a lock. A sealed batch goes
to the disk and to the database at the same time and is safe when either has it. While the
database is away, the oldest batches beyond `LIVE_ROWS` are left to the disk; when it is back,
new rows are committed at once and the replay follows beside them, page by page. Each batch is
committed under its own number in the ledger: none twice, whenever the connection, or the process,
was lost. `seq` is unbroken over all four market tables; what was given up is a row of `feed_gap`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

import anyio

from ibcore import clock
from ibcore.config import RecorderSettings
from ibcore.domain import GapCause, MarketRow, Provider
from ibcore.log import get_logger
from sidecar import minutes
from sidecar.backlog import Backlog
from sidecar.batch import Batch, OpenBatch, Origin, Span
from sidecar.cache import CacheKeeper
from sidecar.fold import Print
from sidecar.gaps import GapBook, GapKeeper
from sidecar.lane import Lane, Refused
from sidecar.latency import LatencyWindow
from sidecar.latest import Latest
from sidecar.minutes import MinuteBook, MinuteKeeper
from sidecar.pending import Depth
from sidecar.replay import Replay
from sidecar.room import CONFLATE_S, Gauge, Room, kept
from sidecar.spool import Spool
from sidecar.spool_row import Damaged
from sidecar.writer import Writer

log = get_logger(__name__)

LIVE_ROWS: Final = 10_000
GROUP_ROWS: Final = 20_000


class RecorderStats(NamedTuple):
    """What the sidecar's heartbeat says of its recorder."""

    ticks_total: int
    rows_total: int
    backlog_rows: int
    dropped_rows: int
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    latency_max_ms: float | None


class Recorder:
    """The one owner of rows between the feed and the database."""

    def __init__(
        self,
        db_url: str,
        *,
        settings: RecorderSettings,
        spool: Path,
        sidecar: str,
        epoch: int,
        provider: Provider = Provider.ib,
    ) -> None:
        """Make a recorder; `spool` is its file."""
        self.origin = Origin(uuid4(), sidecar, epoch)
        self._settings = settings
        self.seq = 0
        self._batch = 0
        self._open = OpenBatch()
        self._latest = Latest()
        self._cache = CacheKeeper(db_url, self._latest, sidecar=sidecar, quiet=self._is_quiet)
        limit = settings.backlog_rows
        self._backlog = Backlog(live_rows=min(LIVE_ROWS, limit // 2), limit_rows=limit)
        self._spool = Spool(spool, self.origin)
        self._spool.on_damage = self._spool_damaged
        self.gauge = Gauge(settings.spool_mib * 2**20)
        self._live = Lane(db_url, f"recorder {sidecar}", greet=self._greet)
        late, busy = Lane(db_url, f"replay {sidecar}"), self.oldest_s
        self._replay = Replay(self._spool, late, live=self._live, settle=self._settle, busy=busy)
        self._latency = LatencyWindow()
        self._book = MinuteBook(provider)
        self._gaps = GapBook(self.origin, self._spool.note_gap)
        self._gap_keeper = GapKeeper(db_url, self._gaps, sidecar=sidecar)
        self._minute_keeper = MinuteKeeper(db_url, self._book, sidecar=sidecar)
        self._ticks = 0
        self._ticks_noted = 0
        self._committed_rows = 0
        self._dirty = anyio.Event()
        self._sealed = anyio.Event()
        self._progress = anyio.Event()
        self._greeted = anyio.Event()

    # the tick path: nothing here waits

    def next_seq(self) -> int:
        """Return the number of the next row."""
        self.seq += 1
        return self.seq

    def record(self, row: MarketRow) -> None:
        """Take a row whose seq is the last `next_seq`."""
        (rows := self._open.rows).append(row)
        if len(rows) == 1:
            self._dirty.set()
        elif len(rows) >= self._settings.batch_rows:
            self._seal()

    def forget(self, instrument_id: int, field: str) -> None:
        """Make a statistic NULL in `quote_latest`."""
        self._latest.forget(instrument_id, field, after_seq=self.seq)

    def last_print(self, instrument_id: int) -> Print | None:
        """Return the last print that the database knew when this process began, or since."""
        return self._latest.last_print(instrument_id)

    def heard(self, messages: int = 1) -> None:
        """Count tick messages of the primary provider."""
        self._ticks += messages

    def heard_of(self, provider: str) -> None:
        """Count a message of another provider, which became a row."""
        self._ticks += 1
        self._book.heard_of(provider)

    def stats(self) -> RecorderStats:
        """Return the figures of the heartbeat row."""
        quantiles = self._latency.quantiles(clock.monotonic())
        return RecorderStats(
            self._ticks, self._committed_rows, self._waiting_rows, self._gaps.rows, *quantiles
        )

    @property
    def unsafe_rows(self) -> int:
        """Return how many rows only the memory has."""
        written = self._spool.is_written
        in_memory = sum(batch.rows for batch in self._backlog if not written(batch))
        return in_memory + len(self._open.rows)

    @property
    def depth(self) -> Depth:
        """Return what the spool's file holds."""
        return self._spool.depth

    @property
    def _waiting_rows(self) -> int:
        return self._backlog.rows + self._spool.owed_rows + len(self._open.rows)

    def _seal(self) -> None:
        if not self._open.rows:
            return
        full, self._open = self._open, OpenBatch()
        self._spill()
        keep = kept(full.rows, self.gauge.look(self._spool.depth.bytes))
        cause = GapCause.spool_full
        if self._backlog.rows + len(keep) > self._settings.backlog_rows:
            keep, cause = (), GapCause.memory_full
        if len(keep) < len(full.rows):
            lost = full.span._replace(rows=len(full.rows) - len(keep))
            times = (full.rows[0].recv_ts, full.rows[-1].recv_ts)
            self._lost(cause, lost, times_us=times)
        if keep:
            self._hand_over(full, keep)

    def _hand_over(self, full: OpenBatch, keep: Sequence[MarketRow]) -> None:
        self._batch += 1
        batch = full.seal(
            self._batch, self._latest, origin=self.origin, now_us=clock.now_us(), keep=keep
        )
        self._spool.put(batch)
        self._backlog.offer(clock.monotonic(), batch)
        self._sealed.set()

    def _spill(self) -> None:
        for old in self._backlog.spill(self._spool.is_written):
            self._latest.set_back(old.change)
            self._spool.owe(old)

    def _lost(self, cause: GapCause, span: Span, *, times_us: tuple[int, int]) -> None:
        self._gaps.lost(clock.monotonic(), cause, span, times_us=times_us)

    # the tasks

    async def run(self) -> None:
        """Seal, spool, commit and keep the minutes until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._spool.run, name="recorder spool")
            tasks.start_soon(self._seal_for_ever, name="recorder seal")
            tasks.start_soon(self._commit_for_ever, name="recorder commit")
            tasks.start_soon(self._replay.run, name="recorder replay")
            tasks.start_soon(self._count_for_ever, name="recorder minutes")

    async def drain(self, deadline_s: float) -> int:
        """Commit what is there; return how many rows are left after `deadline_s`.

        What is left is safe in the spool, but for `unsafe_rows`.
        """
        self._seal()
        with anyio.move_on_after(deadline_s):
            await self._spool.flush()
            while self._waiting_rows:
                self._seal()
                self._progress = anyio.Event()
                await self._progress.wait()
        return self._waiting_rows

    async def _seal_for_ever(self) -> None:
        while True:
            await self._dirty.wait()
            full = self.gauge.room >= Room.full
            await anyio.sleep(CONFLATE_S if full else self._settings.flush_ms / 1_000)
            self._dirty = anyio.Event()
            self._seal()

    async def _count_for_ever(self) -> None:
        try:
            while True:
                self._gaps.take_over(self._spool.take_gaps())
                await self._gap_keeper.refresh()
                await self._minute_keeper.refresh()
                await self._cache.refresh()
                # A new connection may have found the cache empty: it is filled at once.
                with anyio.move_on_after(minutes.REFRESH_S):
                    await self._greeted.wait()
                self._greeted = anyio.Event()
                self._book.looked(clock.utcnow(), self._ticks - self._ticks_noted)
                self._ticks_noted = self._ticks
        finally:
            self._cache.close()
            with anyio.CancelScope(shield=True):
                await self._minute_keeper.close()

    async def _commit_for_ever(self) -> None:
        try:
            await self._live.connect()
            while True:
                await self._sealed.wait()
                self._sealed = anyio.Event()
                while group := self._backlog.group(limit_rows=GROUP_ROWS):
                    refused = await self._live.commit(group)
                    self._backlog.done()
                    for batch in await self._settle(group, refused):
                        for received in batch.received.values():
                            self._latency.add(clock.monotonic(), clock.now_us(), received)
        finally:
            self._live.disconnect()

    async def _greet(self, writer: Writer) -> None:
        await self._cache.greet(writer, await self._spool.prints())
        self._greeted.set()

    def _is_quiet(self) -> bool:
        return not self._waiting_rows

    def oldest_s(self) -> float:
        """Return how long the oldest batch has waited for the live lane."""
        return self._backlog.age_s(clock.monotonic())

    async def _settle(
        self, group: Sequence[Batch | Damaged], refused: Sequence[Refused]
    ) -> list[Batch]:
        """Tell everybody what became of a group; return what of it is committed."""
        bad = {item.batch.number: item.reason for item in refused}
        good = [b for b in group if isinstance(b, Batch) and b.number not in bad]
        commit_us, now = clock.now_us(), clock.utcnow()
        for batch in good:
            self._book.committed(now, commit_us, batch.received)
            self._committed_rows += batch.rows
        self._spool.done(good)
        for item in group:
            if isinstance(item, Damaged):
                await self._put_aside(item, GapCause.batch_damaged, item.reason)
            elif item.number in bad:
                self._latest.disown(item.change)
                await self._put_aside(item, GapCause.batch_refused, bad[item.number])
        self._progress.set()
        return good

    async def _put_aside(self, batch: Batch | Damaged, cause: GapCause, reason: str) -> None:
        self._lost(cause, batch.span, times_us=(batch.sealed_us, batch.sealed_us))
        await self._spool.quarantine(batch, reason)

    def _spool_damaged(self, aside: Path, rows: int | None) -> None:
        # What the memory still has is not lost: it goes to the new file.
        in_memory = 0
        for batch in self._backlog:
            in_memory += batch.rows
            self._spool.put(batch)
        lost = None if rows is None else max(0, rows - in_memory)
        self._gaps.lost_file(lost, at_us=clock.now_us(), detail=f"set aside as {aside.name}")
