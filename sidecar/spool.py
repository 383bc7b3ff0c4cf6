"""What stands between the tick path and the database: every batch is on the disk within moments.

    put ─► pending ─► one transaction of all that waits, in a thread ─► on the disk
    owe ─► the stretches of batches that nobody has in memory any more, for the replay
    done ─► dropped from the file, in groups, only after the commit
`put`, `owe`, `done` and `note_gap` never wait and never fail. While the disk takes nothing (full,
failing) batches stay in memory and are tried again every second; those that the database has
meanwhile are forgotten. A file that SQLite cannot read is set aside, and a new one begun.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from typing_extensions import TypeVarTuple, Unpack

from ibcore.clock import monotonic
from ibcore.domain import Trade
from ibcore.log import get_logger
from sidecar.batch import Batch, Origin
from sidecar.pending import Depth, Owed, Pending
from sidecar.spool_file import Left, Name, SpoolFile, Stretch, Work, is_damage, set_aside
from sidecar.spool_row import Damaged

log = get_logger(__name__)
_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

RETRY_S: Final = 1.0
LAZY_S: Final = 0.5
DROP_GROUP: Final = 64


class Spool:
    """The owner of one file and of what has not reached it yet."""

    def __init__(self, path: Path, origin: Origin) -> None:
        self._path = path
        self._mine = str(origin.spool)
        self._file: SpoolFile | None = None
        self._opening = anyio.Lock()
        # SQLite wants one thread at a time: the limiter makes it so.
        self._thread = CapacityLimiter(1)
        self._pending = Pending(self._mine)
        self._owed = Owed()
        self._owed_rows = 0
        self._newest_written = 0
        self._dropped_at = 0.0
        self._failing = False
        self._looked = anyio.Event()
        self._wake = anyio.Event()
        self._owing = anyio.Event()
        self._moved = anyio.Event()
        self.depth = Depth()
        self._unknown_gaps: dict[str, str] = {}
        self._prints: Mapping[int, Trade] = {}
        self.on_damage: Callable[[Path, int | None], None] = lambda _aside, _rows: None

    # what never waits

    def put(self, batch: Batch) -> None:
        """Take a batch of this life; it is on the disk once `is_written` says so."""
        self._pending.batches[batch.number] = batch
        self._wake.set()

    def is_written(self, batch: Batch) -> bool:
        """Say whether a batch of this life survives the end of the process."""
        return batch.number <= self._newest_written

    def owe(self, batch: Batch) -> None:
        """Leave a written batch of this life to the replay."""
        self._owed_rows = self.owed_rows + batch.rows
        self._owed.add(Stretch(self._mine, batch.number, batch.number))
        self._owing.set()

    def done(self, batches: Iterable[Batch]) -> None:
        """Drop what is committed."""
        for batch in batches:
            self._pending.drop(_name(batch))
        self._moved.set()
        if len(self._pending.drops) >= DROP_GROUP:
            self._wake.set()

    def note_gap(self, key: str, body: str | None) -> None:
        """Keep a gap until feed_gap has it; None: it has."""
        self._pending.gaps[key] = body
        self._wake.set()

    def take_gaps(self) -> dict[str, str]:
        """Return, once, the gaps that earlier lives left in the file."""
        found, self._unknown_gaps = self._unknown_gaps, {}
        return found

    @property
    def unwritten(self) -> int:
        """Return how many batches only the memory has."""
        return len(self._pending.batches)

    @property
    def owed_rows(self) -> int:
        """Return how many rows wait for the replay."""
        return self._owed_rows if self._owed else 0

    # what waits

    async def run(self) -> NoReturn:
        """Write what is put, for ever; raise InstanceConflict when another process has the file."""
        try:
            while True:
                with anyio.move_on_after(LAZY_S):
                    await self._wake.wait()
                self._wake = anyio.Event()
                await self._write()
        finally:
            with anyio.CancelScope(shield=True):
                await self._close()

    async def flush(self) -> None:
        """Wait until what is owed is known and what was put is on the disk, or in the database."""
        await self.prints()
        while self._pending.batches:
            self._moved = anyio.Event()
            self._wake.set()
            await self._moved.wait()

    async def prints(self) -> Mapping[int, Trade]:
        """Wait for the file; return the newest prints that earlier lives left in it."""
        self._wake.set()
        await self._looked.wait()
        return self._prints

    async def next_page(self, limit_rows: int) -> Sequence[Batch | Damaged]:
        """Wait for something owed; return the first of it, which stays owed until `paid`."""
        while True:
            while not self._owed:
                self._owing = anyio.Event()
                await self._owing.wait()
            page = await self._read(self._owed.first, limit_rows)
            if page:
                for batch in page:
                    if isinstance(batch, Batch):
                        self.depth.read(_name(batch), batch.rows, batch.bytes)
                return page

    def paid(self, page: Sequence[Batch | Damaged]) -> None:
        """Take what `next_page` gave off what is owed."""
        name = _name(page[-1])
        self._owed.paid(name.spool, name.number)
        self._owed_rows = max(0, self._owed_rows - sum(b.span.rows for b in page))

    async def quarantine(self, batch: Batch | Damaged, reason: str) -> None:
        """Put a batch aside; a disk that cannot take it is told in the log."""
        whole = batch if isinstance(batch, Batch) else None
        name = _name(batch)
        log.error("batch_quarantined", spool=name.spool, batch=name.number, reason=reason)
        self._pending.batches.pop(batch.number if name.spool == self._mine else 0, None)
        try:
            # A stop in this moment must not lose what is neither pending nor in the file now.
            with anyio.CancelScope(shield=True):
                await self._in_thread((await self._opened()).quarantine, name, reason, whole)
        except (sqlite3.Error, OSError) as failed:
            log.error("quarantine_failed", batch=name.number, reason=str(failed))
        self.depth.went([name])
        self._moved.set()

    async def _write(self) -> None:
        try:
            file = await self._opened()
            while self._has_work():
                await self._transact(file)
        except (sqlite3.Error, OSError) as failed:
            log.error("spool_failed", reason=str(failed), unwritten=self.unwritten)
            if not await self._leave(failed):
                await anyio.sleep(RETRY_S)
            self._wake.set()
        finally:
            self._looked.set()

    def _has_work(self) -> bool:
        pending = self._pending
        return bool(pending.batches or pending.gaps or (pending.drops and not self._lazy))

    @property
    def _lazy(self) -> bool:
        soon = monotonic() - self._dropped_at < LAZY_S
        return soon and len(self._pending.drops) < DROP_GROUP

    async def _transact(self, file: SpoolFile) -> None:
        # A full disk may still have room for what makes room.
        drops_first = self._failing and self._pending.drops
        work = self._pending.take_drops() if drops_first else self._pending.take(lazy=self._lazy)
        if work.drops:
            self._dropped_at = monotonic()
        try:
            await self._in_thread(file.write, work)
        except BaseException:
            # Cancelled before the thread began, too: `_close` will write it.
            self._pending.put_back(work)
            self._failing = True
            raise
        self._failing = bool(drops_first)
        self._count(work)

    def _count(self, work: Work) -> None:
        for batch in work.batches:
            self.depth.came(_name(batch), batch.rows, batch.bytes)
            self._newest_written = batch.number
        self.depth.went(work.drops)
        self._moved.set()

    # the file

    async def _read(self, stretch: Stretch, limit_rows: int) -> Sequence[Batch | Damaged]:
        try:
            page = await self._in_thread((await self._opened()).page, stretch, limit_rows)
        except (sqlite3.Error, OSError) as failed:
            log.error("spool_unreadable", reason=str(failed))
            if not await self._leave(failed):
                await anyio.sleep(RETRY_S)
            return []
        if not page and self._owed and self._owed.first == stretch:
            # An earlier life committed and dropped the end of its stretch.
            self._owed.paid(stretch.spool, stretch.last)
        return page

    async def _opened(self) -> SpoolFile:
        async with self._opening:
            if self._file is None:
                file = await self._open()
                self._file = file
                self._unknown_gaps.update(file.gaps)
                self._prints = file.prints
                self._take_over(file.left)
            return self._file

    async def _open(self) -> SpoolFile:
        try:
            return await self._in_thread(SpoolFile.open, self._path)
        except sqlite3.Error as failed:
            if not is_damage(failed):
                raise
            self._tell_damage(await self._in_thread(set_aside, self._path), failed, None)
            return await self._in_thread(SpoolFile.open, self._path)

    def _take_over(self, left: Sequence[Left]) -> None:
        for part in left:
            self._owed_rows += part.rows
            self._owed.add(part.stretch)
            self.depth.found(part.rows, part.bytes, part.batches)
        if left:
            log.warning("spool_has_rows_of_earlier_lives", rows=self.depth.rows)
            self._owing.set()

    async def _leave(self, failed: BaseException) -> bool:
        if self._file is None or not is_damage(failed):
            return False
        file, self._file = self._file, None
        await self._in_thread(file.close)
        aside = await self._in_thread(set_aside, self._path)
        self._tell_damage(aside, failed, self.depth.rows)
        return True

    def _tell_damage(self, aside: Path, failed: BaseException, rows: int | None) -> None:
        self.depth = Depth()
        self._newest_written = 0
        self._owed.clear()
        self._owed_rows = 0
        log.error("spool_set_aside", file=str(aside), reason=str(failed), rows=rows)
        self.on_damage(aside, rows)

    async def _close(self) -> None:
        if self._file is not None:
            with suppress(sqlite3.Error, OSError):
                await self._in_thread(self._file.write, self._pending.take(lazy=False))
            await self._in_thread(self._file.close)
            self._file = None

    async def _in_thread(self, call: Callable[[Unpack[_Ts]], _T], *values: Unpack[_Ts]) -> _T:
        return await to_thread.run_sync(call, *values, limiter=self._thread)


def _name(batch: Batch | Damaged) -> Name:
    spool = str(batch.origin.spool) if isinstance(batch, Batch) else batch.spool
    return Name(spool, batch.number)
