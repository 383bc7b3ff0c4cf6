"""Every interleaving of write, crash, commit, lost answer and replay, on real SQLite files.

The parts are the sidecar's own; what joins them here is a list of steps that hypothesis chooses.
The database is a second SQLite file with the ledger's primary key and one on the rows' numbers.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sidecar.backlog import Backlog
from sidecar.batch import Batch, Origin
from sidecar.pending import Owed, Pending
from sidecar.spool_file import Name, SpoolFile, Stretch
from tests.spooled import batch

STEPS: Final = (
    *("put", "put", "write", "write", "commit", "lost answer", "not committed", "spill"),
    *("replay", "replay lost", "drop", "crash", "torn crash"),
)


class Database:
    """The ledger: a batch and its rows together, or neither."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("CREATE TABLE ledger (spool, batch, PRIMARY KEY (spool, batch))")
        self._connection.execute("CREATE TABLE row (spool, seq, PRIMARY KEY (spool, seq))")

    def missing(self, batches: Sequence[Batch]) -> list[Batch]:
        there = set(self._connection.execute("SELECT spool, batch FROM ledger"))
        return [b for b in batches if (str(b.origin.spool), b.number) not in there]

    def commit(self, batches: Sequence[Batch]) -> None:
        with self._connection as transaction:
            transaction.execute("BEGIN")
            for b in batches:
                spool = str(b.origin.spool)
                transaction.execute("INSERT INTO ledger VALUES (?, ?)", (spool, b.number))
                for seq in range(b.span.first_seq, b.span.last_seq + 1):
                    transaction.execute("INSERT INTO row VALUES (?, ?)", (spool, seq))

    def seqs(self, origin: Origin) -> list[int]:
        query = "SELECT seq FROM row WHERE spool = ? ORDER BY seq"
        return [seq for (seq,) in self._connection.execute(query, (str(origin.spool),))]

    def close(self) -> None:
        self._connection.close()


class System:
    """A sidecar that is crashed again and again: one folder a life."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(folder / "database")
        self.promised: dict[Origin, int] = {}
        self.life = 0
        self.begin()

    def begin(self) -> None:
        self.origin = Origin(UUID(int=self.life + 1), "main", self.life + 1)
        self.spool = str(self.origin.spool)
        self.promised[self.origin] = 0
        self.number = self.newest_written = 0
        self.backlog = Backlog(live_rows=0, limit_rows=1_000_000)
        self.pending, self.owed = Pending(self.spool), Owed()
        self.unsure = False
        self.file = SpoolFile.open(self.folder / str(self.life) / "main.db")
        for left in self.file.left:
            self.owed.add(left.stretch)

    def put(self) -> None:
        self.number += 1
        made = batch(self.number, rows=3, origin=self.origin)
        self.pending.batches[made.number] = made
        self.backlog.offer(0.0, made)

    def write(self) -> None:
        work = self.pending.take(lazy=True)
        self.file.write(work)
        for written in work.batches:
            self.newest_written = written.number
            self.promised[self.origin] = written.span.last_seq

    def drop(self) -> None:
        self.file.write(self.pending.take(lazy=False))
        self.newest_written = self.number
        self.promised[self.origin] = max(self.promised[self.origin], self.number * 3)

    def commit(self, *, reaches: bool = True, answers: bool = True) -> None:
        group = self.backlog.group(limit_rows=6)
        if not group:
            return
        if reaches:
            self.database.commit(self.database.missing(group) if self.unsure else group)
        self.unsure = not (reaches and answers)
        if not self.unsure:
            self.promised[self.origin] = max(self.promised[self.origin], group[-1].span.last_seq)
            self.backlog.done()
            self.done(group)

    def spill(self) -> None:
        for old in self.backlog.spill(lambda b: b.number <= self.newest_written):
            self.owed.add(Stretch(self.spool, old.number, old.number))

    def replay(self, *, answers: bool = True) -> None:
        if not self.owed:
            return
        page = [b for b in self.file.page(self.owed.first, 6) if isinstance(b, Batch)]
        if not page:
            self.owed.paid(self.owed.first.spool, self.owed.first.last)
            return
        self.database.commit(self.database.missing(page))
        if answers:
            self.owed.paid(str(page[-1].origin.spool), page[-1].number)
            self.done(page)

    def done(self, batches: Sequence[Batch]) -> None:
        for b in batches:
            self.pending.drop(Name(str(b.origin.spool), b.number))

    def crash(self, *, torn: bool = False) -> None:
        if torn:
            leave_half_written(self.file, self.spool)
        self.life += 1
        shutil.copytree(self.folder / str(self.life - 1), self.folder / str(self.life))
        self.file.close()
        self.begin()

    def take(self, step: str) -> None:
        match step:
            case "lost answer":
                self.commit(answers=False)
            case "not committed":
                self.commit(reaches=False)
            case "replay lost":
                self.replay(answers=False)
            case "crash":
                self.crash()
            case "torn crash":
                self.crash(torn=True)
            case _:
                getattr(self, step)()

    def close(self) -> None:
        self.file.close()
        self.database.close()


def leave_half_written(file: SpoolFile, spool: str) -> None:
    """Leave a transaction open, with more in it than SQLite keeps in memory."""
    file.connection.execute("PRAGMA cache_size = 1")
    file.connection.execute("BEGIN")
    insert = "INSERT INTO batch VALUES (?, ?, 'main', 1, 1, 1, 1, 0, 0, zeroblob(60000))"
    file.connection.executemany(insert, [(spool, number) for number in range(900, 910)])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_what_is_promised_is_committed_once_and_only_the_end_of_a_life_is_lost(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    system = System(tmp_path_factory.mktemp("crashes"))
    try:
        for step in steps:
            system.take(step)
        system.crash()
        while system.owed:
            system.replay()
        for origin, promised in system.promised.items():
            seqs = system.database.seqs(origin)
            assert seqs == list(range(1, len(seqs) + 1)), "a hole in the middle"
            assert len(seqs) >= promised
        event(f"lives: {system.life}")
    finally:
        system.close()
