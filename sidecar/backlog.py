"""Sealed batches that wait in memory for the live lane: bounded, in order.

The bound is kept by leaving the oldest to the spool, once they are on the disk. What is not on
the disk stays, up to a second bound; beyond it the newest is refused, so that the hole is at the
end and not somewhere in the middle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sidecar.batch import Batch


class _Waiting(NamedTuple):
    since: float
    batch: Batch


class Backlog:
    """A queue of batches, and the group that is being committed."""

    def __init__(self, *, live_rows: int, limit_rows: int) -> None:
        self._live_rows = live_rows
        self._limit_rows = limit_rows
        self._waiting: deque[_Waiting] = deque()
        self._group: tuple[_Waiting, ...] = ()
        self.rows = 0

    def __iter__(self) -> Iterator[Batch]:
        """Yield every batch, oldest first."""
        yield from (item.batch for item in (*self._group, *self._waiting))

    def offer(self, now: float, batch: Batch) -> bool:
        """Take `batch`, or return False when there is no room for it."""
        if self.rows + batch.rows > self._limit_rows:
            return False
        self._waiting.append(_Waiting(now, batch))
        self.rows += batch.rows
        return True

    def spill(self, is_written: Callable[[Batch], bool]) -> Iterator[Batch]:
        """Yield, and forget, the oldest above the live bound that are on the disk."""
        # The group may be committed already, for all we know: it is never given to another lane.
        while self._waiting and self.rows > self._live_rows and is_written(self._waiting[0].batch):
            batch = self._waiting.popleft().batch
            self.rows -= batch.rows
            yield batch

    def group(self, *, limit_rows: int) -> tuple[Batch, ...]:
        """Return what to commit next: the same group until it is `done`."""
        if not self._group and self._waiting:
            group = [self._waiting.popleft()]
            rows = group[0].batch.rows
            while self._waiting and rows + self._waiting[0].batch.rows <= limit_rows:
                rows += self._waiting[0].batch.rows
                group.append(self._waiting.popleft())
            self._group = tuple(group)
        return tuple(item.batch for item in self._group)

    def done(self) -> None:
        """Forget the current group: it is committed, or given up."""
        self.rows -= sum(item.batch.rows for item in self._group)
        self._group = ()

    def age_s(self, now: float) -> float:
        """Return how long the oldest has been here, in seconds."""
        oldest = self._group or self._waiting
        return now - oldest[0].since if oldest else 0.0
