"""Sealed batches that wait to be committed: bounded, in order, the newest is refused when full.

The oldest are kept because history is written in order: what is refused leaves one gap at the
end (its seq numbers are never used again), not one somewhere in the middle.
"""

from __future__ import annotations

from collections import deque

from sidecar.batch import Batch


class Backlog:
    """A queue of batches with a limit in rows."""

    def __init__(self, *, limit_rows: int) -> None:
        self._limit_rows = limit_rows
        self._waiting: deque[Batch] = deque()
        self._group: tuple[Batch, ...] = ()
        self.rows = 0

    def offer(self, batch: Batch) -> bool:
        """Take `batch`, or return False when there is no room for it."""
        if self.rows + batch.rows > self._limit_rows:
            return False
        self._waiting.append(batch)
        self.rows += batch.rows
        return True

    def group(self, *, limit_rows: int) -> tuple[Batch, ...]:
        """Return what to commit next: the same group until it is `done`."""
        # A group that may have been committed is never regrouped: its ledger rows stand or
        # fall together, so one unique violation speaks for all of it.
        if not self._group and self._waiting:
            group = [self._waiting.popleft()]
            rows = group[0].rows
            while self._waiting and rows + self._waiting[0].rows <= limit_rows:
                rows += self._waiting[0].rows
                group.append(self._waiting.popleft())
            self._group = tuple(group)
        return self._group

    def done(self) -> None:
        """Forget the current group: it is committed, or given up."""
        self.rows -= sum(batch.rows for batch in self._group)
        self._group = ()

    def split(self) -> None:
        """Put the current group back, to be taken one batch at a time by `limit_rows=0`."""
        self._waiting.extendleft(reversed(self._group))
        self._group = ()
