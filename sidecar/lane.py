"""One way into the database: a connection that is made anew whenever it is lost.

`commit` returns once its batches are in the database, each exactly once, or names those that the
database refuses for what is in them. A commit whose answer got lost is unknown, never "failed":
before anything is sent again the ledger is asked what is there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import anyio
import psycopg
from anyio import to_thread

from ibcore.errors import DatabaseUnavailable, IbkeeperError
from ibcore.log import get_logger
from sidecar.batch import Batch
from sidecar.change import Change
from sidecar.writer import AlreadyCommitted, Writer

log = get_logger(__name__)

RETRY_S: Final = 1.0
COMMIT_DEADLINE_S: Final = 30.0
Greet = Callable[[Writer], Awaitable[None]]


class Refused(NamedTuple):
    """A batch that the database does not take, and why."""

    batch: Batch
    reason: str


async def _no_greeting(_: Writer) -> None:
    return


class Lane:
    """Commits groups of batches, one at a time."""

    def __init__(self, url: str, name: str, *, greet: Greet = _no_greeting) -> None:
        self._url = url
        self._name = name
        self._greet = greet
        self._writer: Writer | None = None
        self._up = anyio.Event()
        self._failures = 0

    async def commit(self, group: Sequence[Batch], *, ask: bool = False) -> list[Refused]:
        """Commit `group`; return what was refused. `ask`: some of it may be there already."""
        try:
            await self._insist(group, ask=ask)
        except (psycopg.DataError, psycopg.IntegrityError) as refused:
            if len(group) == 1:
                return await self._rows_alone(group[0], str(refused))
            # One of them is bad: find it by committing them one at a time.
            return [bad for batch in group for bad in await self.commit([batch])]
        return []

    async def _rows_alone(self, batch: Batch, reason: str) -> list[Refused]:
        # What an older, refused batch said may still be in the change of this one.
        if batch.change.is_empty:
            return [Refused(batch, reason)]
        refused = await self.commit([replace(batch, change=Change())])
        if not refused:
            log.error("cache_change_refused", batch=batch.number, reason=reason)
        return [Refused(batch, item.reason) for item in refused]

    async def connect(self) -> Writer:
        """Return the connection, once there is one."""
        while self._writer is None:
            if not await self._connected():
                await anyio.sleep(RETRY_S)
        return self._writer

    async def up(self) -> None:
        """Wait until there is a connection, without making one."""
        while self._writer is None:
            await self._up.wait()

    def disconnect(self) -> None:
        """Close the connection, if there is one; what is stuck in it fails at once."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._up = anyio.Event()

    async def _insist(self, group: Sequence[Batch], *, ask: bool) -> None:
        while True:
            writer = await self.connect()
            try:
                await self._try(writer, group, ask=ask)
            except AlreadyCommitted:
                log.info("batches_were_committed", first=group[0].number, lane=self._name)
            except (psycopg.DataError, psycopg.IntegrityError):
                raise
            except (IbkeeperError, psycopg.Error, TimeoutError, OSError) as failed:
                self._tell("commit_failed", failed)
                self.disconnect()
                await anyio.sleep(RETRY_S if self._failures > 1 else 0)
            else:
                self._failures = 0
                return
            ask = True

    def _tell(self, event: str, failed: BaseException) -> None:
        # An outage may be long: the 1st, 2nd, 4th, 8th … failure in a row is enough to read.
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            log.warning(event, lane=self._name, failures=self._failures, reason=str(failed))

    async def _try(self, writer: Writer, group: Sequence[Batch], *, ask: bool) -> None:
        # A frozen server answers nothing, and its kernel still acknowledges: only a deadline
        # of ours ends the wait (reliability facts 0.8).
        with anyio.fail_after(COMMIT_DEADLINE_S):
            if ask:
                group = await to_thread.run_sync(writer.missing, group, abandon_on_cancel=True)
            if group:
                await to_thread.run_sync(writer.commit, group, abandon_on_cancel=True)

    async def _connected(self) -> bool:
        try:
            with anyio.fail_after(COMMIT_DEADLINE_S):
                self._writer = await to_thread.run_sync(Writer.connect, self._url, self._name)
                await self._greet(self._writer)
        except (DatabaseUnavailable, TimeoutError) as away:
            self._tell("recorder_waits_for_database", away)
            self.disconnect()
            return False
        self._up.set()
        return True
