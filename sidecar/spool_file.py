"""The spool's file: SQLite in WAL mode, synchronous=FULL. Blocking, for one thread at a time.

A transaction that has returned survives the end of the process and of the power. `write` is one
transaction: what it is given is on the disk as a whole or not at all. One process owns a file
(file lock); a file that SQLite cannot read any more is set aside, never deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, NamedTuple

from ibcore.clock import now_us
from ibcore.db import parse_queries
from ibcore.domain import Trade
from ibcore.ownership import own
from sidecar.batch import Batch
from sidecar.prints import read_prints
from sidecar.spool_row import Damaged, Row, pack, unpack

SQL: Final = {
    name: statement.decode()
    for name, statement in parse_queries(
        Path(__file__).with_name("spool.sql").read_text("utf-8")
    ).items()
}
_PRAGMAS: Final = (
    "PRAGMA page_size = 8192",
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -16384",
    f"PRAGMA journal_size_limit = {16 * 2**20}",
)
# Free pages are used again; only what an outage has left behind goes back to the disk.
_KEEP_PAGES: Final = 8_192
_GIVE_BACK_PAGES: Final = 128
# Some seconds of full load: what is older has been told to the cache, or is rare.
PRINTS_OF_ROWS: Final = 200_000


class Name(NamedTuple):
    """What the file calls a batch."""

    spool: str
    number: int


class Stretch(NamedTuple):
    """Batches of one spool, ends included."""

    spool: str
    first: int
    last: int


class Left(NamedTuple):
    """What an earlier life left in the file."""

    stretch: Stretch
    rows: int
    bytes: int
    batches: int


@dataclass(frozen=True, slots=True)
class Work:
    """One transaction."""

    batches: Sequence[Batch] = ()
    drops: Sequence[Name] = ()
    gaps: Mapping[str, str | None] = field(default_factory=dict)
    """id -> JSON; None: feed_gap has it, forget it."""


class SpoolFile:
    """An open file; `left`, `gaps` and `prints` are what was there when it was opened."""

    def __init__(self, connection: sqlite3.Connection, lock: IO[str]) -> None:
        self.connection = connection
        self._lock = lock
        self.left = self._left()
        self.gaps: dict[str, str] = dict(connection.execute(SQL["gaps"]).fetchall())
        self.prints = self._prints()

    @classmethod
    def open(cls, path: Path) -> SpoolFile:
        """Open or make the file; raise InstanceConflict when another process has it."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = own(
            path.with_suffix(".lock"),
            what=f"The spool {path}",
            remedy="It was left alone. Stop that sidecar, or choose another IBKEEPER_HOME.",
        )
        try:
            connection = _connect(path)
            try:
                return cls(connection, lock)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.close()
            raise

    def close(self) -> None:
        """Close the file and let go of it."""
        self.connection.close()
        self._lock.close()

    def write(self, work: Work) -> None:
        """Do the whole of `work`, durably, or raise sqlite3.Error and do nothing of it."""
        rows = [pack(batch) for batch in work.batches]
        with self.connection as transaction:
            transaction.execute("BEGIN IMMEDIATE")
            transaction.executemany(SQL["add_batch"], rows)
            transaction.executemany(SQL["drop_batch"], work.drops)
            for key, body in work.gaps.items():
                if body is None:
                    transaction.execute(SQL["drop_gap"], (key,))
                else:
                    transaction.execute(SQL["note_gap"], (key, body))
        if work.drops:
            self._give_back()

    def page(self, stretch: Stretch, limit_rows: int) -> list[Batch | Damaged]:
        """Return batches from the start of `stretch`: at least one, some `limit_rows` in all."""
        found: list[Batch | Damaged] = []
        rows = 0
        cursor = self.connection.execute(SQL["page"], stretch)
        while rows < limit_rows and (row := cursor.fetchone()) is not None:
            found.append(unpack(row))
            rows += found[-1].span.rows
        cursor.close()
        return found

    def quarantine(self, name: Name, reason: str, batch: Batch | None = None) -> None:
        """Move a batch out of the way, to a table that nothing reads but a person."""
        with self.connection as transaction:
            transaction.execute("BEGIN IMMEDIATE")
            if batch is None:
                transaction.execute(SQL["quarantine_batch"], (now_us(), reason, *name))
            else:
                row: Row = (now_us(), reason, *pack(batch))
                transaction.execute(SQL["add_quarantined"], row)
            transaction.execute(SQL["drop_batch"], name)

    def _left(self) -> list[Left]:
        return [
            Left(Stretch(spool, first, last), *counts)
            for spool, first, last, *counts in self.connection.execute(SQL["stretches"])
        ]

    def _prints(self) -> dict[int, Trade]:
        prints: dict[int, Trade] = {}
        rows = 0
        cursor = self.connection.execute(SQL["newest"])
        while rows < PRINTS_OF_ROWS and (row := cursor.fetchone()) is not None:
            batch = unpack(row)
            rows += max(1, batch.span.rows)
            if isinstance(batch, Batch):
                newest = {p.instrument_id: p for p in read_prints(batch.blobs.trade)}
                prints = newest | prints
        cursor.close()
        return prints

    def _give_back(self) -> None:
        ((free,),) = self.connection.execute("PRAGMA freelist_count").fetchall()
        if free > _KEEP_PAGES:
            # Not `execute`: that steps the statement once, and each step frees one page.
            self.connection.executescript(f"PRAGMA incremental_vacuum({_GIVE_BACK_PAGES})")


def set_aside(path: Path) -> Path:
    """Give a closed file another name, for a person to look at."""
    aside = path.with_name(f"{path.name}.damaged-{now_us()}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    return aside


def is_damage(failed: BaseException) -> bool:
    """Say whether SQLite found the file itself broken, not the disk full or away."""
    return type(failed) is sqlite3.DatabaseError


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit: BEGIN is ours. Used by one worker thread at a time, not always the same.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        for pragma in _PRAGMAS:
            connection.execute(pragma).fetchall()
        for name in ("create_batch", "create_quarantine", "create_gap"):
            connection.execute(SQL[name])
    except BaseException:
        connection.close()
        raise
    return connection
