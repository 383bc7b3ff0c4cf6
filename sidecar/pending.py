"""What has not reached the spool's file yet, and what in it waits to be sent again. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from sidecar.batch import Batch
from sidecar.spool_file import Name, Stretch, Work


@dataclass(slots=True)
class Pending:
    """What the next transaction will do."""

    spool: str
    batches: dict[int, Batch] = field(default_factory=dict)
    drops: list[Name] = field(default_factory=list)
    gaps: dict[str, str | None] = field(default_factory=dict)

    def drop(self, name: Name) -> None:
        """Drop a batch from the file; one that has not reached it never will."""
        if name.spool != self.spool or self.batches.pop(name.number, None) is None:
            self.drops.append(name)

    def take(self, *, lazy: bool) -> Work:
        """Return what there is to do, and forget it; `lazy` leaves the drops for later."""
        # Always in order: what a kill takes away is the end, and never a hole.
        batches = [self.batches[number] for number in sorted(self.batches)]
        work = Work(batches, [] if lazy else self.drops, self.gaps)
        self.batches, self.gaps = {}, {}
        self.drops = self.drops if lazy else []
        return work

    def take_drops(self) -> Work:
        """Return only what makes room, and forget it."""
        work = Work(drops=self.drops)
        self.drops = []
        return work

    def put_back(self, work: Work) -> None:
        """Take back what could not be done; what was dropped meanwhile needs no writing."""
        gone = {name.number for name in self.drops if name.spool == self.spool}
        again = {batch.number: batch for batch in work.batches if batch.number not in gone}
        self.batches = again | self.batches
        self.drops = [*work.drops, *self.drops]
        self.gaps = {**work.gaps, **self.gaps}


class Depth:
    """What the file holds that is not dropped yet."""

    def __init__(self) -> None:
        self._sizes: dict[Name, tuple[int, int]] = {}
        self.rows = 0
        self.bytes = 0
        self.batches = 0

    def came(self, name: Name, rows: int, size: int) -> None:
        """Count a batch that was written."""
        self._sizes[name] = (rows, size)
        self.found(rows, size, 1)

    def found(self, rows: int, size: int, batches: int) -> None:
        """Count what an earlier life left: only the sums are known until it is read."""
        self.rows += rows
        self.bytes += size
        self.batches += batches

    def read(self, name: Name, rows: int, size: int) -> None:
        """Note the size of a batch that is counted in a sum."""
        self._sizes.setdefault(name, (rows, size))

    def went(self, names: Iterable[Name]) -> None:
        """Count what was dropped."""
        for name in names:
            if (size := self._sizes.pop(name, None)) is not None:
                self.found(-size[0], -size[1], -1)


class Owed:
    """Batches that only the file has, oldest first."""

    def __init__(self) -> None:
        self._stretches: deque[Stretch] = deque()

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self._stretches)

    @property
    def first(self) -> Stretch:
        """Return the oldest stretch."""
        return self._stretches[0]

    def add(self, stretch: Stretch) -> None:
        """Add a stretch; one that continues the newest makes it longer."""
        last = self._stretches[-1] if self._stretches else None
        if last is not None and (last.spool, last.last + 1) == stretch[:2]:
            self._stretches[-1] = last._replace(last=stretch.last)
        else:
            self._stretches.append(stretch)

    def paid(self, spool: str, upto: int) -> None:
        """Forget the oldest stretch up to number `upto` of `spool`, if that is where it is."""
        stretch = self._stretches[0] if self._stretches else None
        if stretch is None or stretch.spool != spool or upto < stretch.first:
            return
        if upto >= stretch.last:
            self._stretches.popleft()
        else:
            self._stretches[0] = stretch._replace(first=upto + 1)

    def clear(self) -> None:
        """Forget all: the file is gone."""
        self._stretches.clear()
