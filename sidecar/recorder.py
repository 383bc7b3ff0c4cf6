"""From rows to committed rows: the tick path puts, a task of its own commits.

    record() ─► open batch ─► sealed every flush_ms or batch_rows ─► backlog ─► Writer.commit
`record` never waits: not for the database, not for a lock. While the database is away batches
gather in memory up to `backlog_rows`; beyond that the newest batch is given up, counted and
logged (issue 4 replaces this by a spool on disk, with the same batches). When it is back they
are committed in order, several to a transaction, each under its own number in the ledger: none
twice, whatever the moment at which the connection was lost. The rows carry `seq`, unbroken over
all four market tables; a batch that was given up shows as the hole it left.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID, uuid4

import anyio
import psycopg

from ibcore import clock
from ibcore.config import RecorderSettings
from ibcore.domain import MarketRow, Provider
from ibcore.errors import DatabaseUnavailable, IbkeeperError
from ibcore.log import get_logger
from ibcore.policy import backoff_s
from sidecar import minutes
from sidecar.backlog import Backlog
from sidecar.batch import Batch, OpenBatch
from sidecar.fold import Print
from sidecar.latency import LatencyWindow
from sidecar.latest import Latest
from sidecar.minutes import MinuteBook, MinuteKeeper
from sidecar.writer import AlreadyCommitted, Writer

log = get_logger(__name__)

RETRY_MAX_S: Final = 5.0
COMMIT_DEADLINE_S: Final = 30.0
GROUP_ROWS: Final = 20_000
LOG_EVERY_S: Final = 1.0


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
        sidecar: str,
        epoch: int,
        provider: Provider = Provider.ib,
    ) -> None:
        self._url = db_url
        self._settings = settings
        self._sidecar = sidecar
        self._epoch = epoch
        self.spool: UUID = uuid4()
        self._seq = 0
        self._batch = 0
        self._open = OpenBatch()
        self._latest = Latest()
        self._backlog = Backlog(limit_rows=settings.backlog_rows)
        self._writer: Writer | None = None
        self._group_rows = GROUP_ROWS
        self._latency = LatencyWindow()
        self._book = MinuteBook()
        self._provider = provider.value
        self._ticks = 0
        self._ticks_noted = 0
        self._committed_rows = 0
        self._dropped_rows = 0
        self._logged_drop = 0.0
        self._dirty = anyio.Event()
        self._sealed = anyio.Event()
        self._progress = anyio.Event()

    # the tick path: nothing here waits

    def next_seq(self) -> int:
        """Return the number of the next row."""
        self._seq += 1
        return self._seq

    def record(self, row: MarketRow) -> None:
        """Take a row whose seq is the last `next_seq`."""
        rows = self._open.rows
        rows.append(row)
        if len(rows) == 1:
            self._dirty.set()
        elif len(rows) >= self._settings.batch_rows:
            self._seal()

    def forget(self, instrument_id: int, field: str) -> None:
        """Make a statistic NULL in `quote_latest`."""
        self._latest.forget(instrument_id, field, after_seq=self._seq)

    def last_print(self, instrument_id: int) -> Print | None:
        """Return the last print that the database knew when this process began, or since."""
        return self._latest.last_print(instrument_id)

    def heard(self, messages: int = 1) -> None:
        """Count tick messages."""
        self._ticks += messages

    def stats(self) -> RecorderStats:
        """Return the figures of the heartbeat row."""
        quantiles = self._latency.quantiles(clock.monotonic())
        return RecorderStats(
            self._ticks,
            self._committed_rows,
            self._waiting_rows,
            self._dropped_rows,
            *quantiles,
        )

    @property
    def _waiting_rows(self) -> int:
        return self._backlog.rows + len(self._open.rows)

    def _seal(self) -> None:
        if not self._open.rows:
            return
        full, self._open = self._open, OpenBatch()
        self._batch += 1
        rows = len(full.rows)
        if self._backlog.rows + rows > self._settings.backlog_rows:
            self._give_up(rows)
            return
        self._backlog.offer(full.seal(self._batch, self._latest, now_us=clock.now_us()))
        self._sealed.set()

    def _give_up(self, rows: int) -> None:
        self._dropped_rows += rows
        now = clock.monotonic()
        if now - self._logged_drop >= LOG_EVERY_S:
            self._logged_drop = now
            log.error("rows_dropped", total=self._dropped_rows, backlog=self._backlog.rows)

    # the tasks

    async def run(self) -> None:
        """Seal, commit and keep the minutes until cancelled."""
        keeper = MinuteKeeper(self._url, self._book, sidecar=self._sidecar, provider=self._provider)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._seal_for_ever, name="recorder seal")
            tasks.start_soon(self._write_for_ever, name="recorder write")
            tasks.start_soon(self._count_for_ever, keeper, name="recorder minutes")

    async def drain(self, deadline_s: float) -> int:
        """Commit what is there; return how many rows are left after `deadline_s`."""
        self._seal()
        with anyio.move_on_after(deadline_s):
            while self._waiting_rows:
                self._seal()
                self._progress = anyio.Event()
                await self._progress.wait()
        return self._waiting_rows

    async def _seal_for_ever(self) -> None:
        pause_s = self._settings.flush_ms / 1_000
        while True:
            await self._dirty.wait()
            await anyio.sleep(pause_s)
            self._dirty = anyio.Event()
            self._seal()

    async def _count_for_ever(self, keeper: MinuteKeeper) -> None:
        try:
            while True:
                await keeper.refresh()
                await anyio.sleep(minutes.REFRESH_S)
                self._book.looked(clock.utcnow(), self._ticks - self._ticks_noted)
                self._ticks_noted = self._ticks
        finally:
            with anyio.CancelScope(shield=True):
                await keeper.close()

    async def _write_for_ever(self) -> None:
        try:
            await self._connected()
            while True:
                await self._sealed.wait()
                self._sealed = anyio.Event()
                while group := self._backlog.group(limit_rows=self._group_rows):
                    await self._write(group)
        finally:
            self._disconnect()

    async def _write(self, group: tuple[Batch, ...]) -> None:
        attempt = 0
        while True:
            try:
                await self._commit(group)
            except AlreadyCommitted:
                log.info("batches_were_committed", first=group[0].number, batches=len(group))
                self._done(group)
            except (psycopg.DataError, psycopg.IntegrityError) as refused:
                self._refuse(group, refused)
            except (IbkeeperError, psycopg.Error, TimeoutError, OSError) as failed:
                attempt += 1
                log.warning("commit_failed", attempt=attempt, reason=str(failed))
                self._disconnect()
                await anyio.sleep(min(backoff_s(attempt), RETRY_MAX_S))
                continue
            else:
                self._done(group)
            return

    async def _commit(self, group: tuple[Batch, ...]) -> None:
        writer = await self._connected()
        # A frozen server answers nothing, and its kernel still acknowledges: only a deadline
        # of ours ends the wait (reliability facts 0.8).
        with anyio.fail_after(COMMIT_DEADLINE_S):
            await anyio.to_thread.run_sync(writer.commit, group, abandon_on_cancel=True)

    def _done(self, group: tuple[Batch, ...]) -> None:
        commit_us, now, monotonic = clock.now_us(), clock.utcnow(), clock.monotonic()
        for batch in group:
            self._latency.add(monotonic, commit_us, batch.received)
            self._book.committed(now, commit_us, batch.received)
            self._committed_rows += batch.rows
        self._group_rows = GROUP_ROWS
        self._backlog.done()
        self._progress.set()

    def _refuse(self, group: tuple[Batch, ...], refused: psycopg.Error) -> None:
        if len(group) > 1:
            # One of them is bad: find it by committing them one at a time.
            self._group_rows = 0
            self._backlog.split()
            return
        log.error("batch_refused", batch=group[0].number, rows=group[0].rows, reason=str(refused))
        self._dropped_rows += group[0].rows
        self._backlog.done()
        self._progress.set()

    async def _connected(self) -> Writer:
        attempt = 0
        while self._writer is None:
            if not await self._connect():
                attempt += 1
                await anyio.sleep(min(backoff_s(attempt), RETRY_MAX_S))
        return self._writer

    async def _connect(self) -> bool:
        try:
            with anyio.fail_after(COMMIT_DEADLINE_S):
                self._writer = await anyio.to_thread.run_sync(self._open_writer)
                read = self._writer.read_latest
                rows = await anyio.to_thread.run_sync(read, abandon_on_cancel=True)
                self._latest.seed(rows)
        except (DatabaseUnavailable, TimeoutError) as away:
            log.warning("recorder_waits_for_database", reason=str(away))
            self._disconnect()
            return False
        return True

    def _open_writer(self) -> Writer:
        return Writer.connect(self._url, spool=self.spool, sidecar=self._sidecar, epoch=self._epoch)

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
