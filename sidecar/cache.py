"""Keeps `quote_latest` whole: a crash of PostgreSQL empties it (UNLOGGED), and nobody says so.

What this process knows is put back: with the next batch where rows flow, at once where the
market is quiet. What only an earlier life of the sidecar knew is read from the history, for the
lines of the watch list and as far back as `HISTORY_DAYS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import anyio
import psycopg
from anyio import to_thread

from ibcore.domain import Trade
from ibcore.errors import IbkeeperError
from ibcore.log import get_logger
from sidecar.latest import Latest
from sidecar.writer import Writer

log = get_logger(__name__)

HISTORY_DAYS: Final = 5
DEADLINE_S: Final = 30.0


class CacheKeeper:
    """Compares `quote_latest` with what is known, and puts back what is missing."""

    def __init__(
        self, url: str, latest: Latest, *, sidecar: str, quiet: Callable[[], bool]
    ) -> None:
        """`quiet`: nothing waits to be committed, so that what is known is history too."""
        self._url = url
        self._latest = latest
        self._sidecar = sidecar
        self._quiet = quiet
        self._writer: Writer | None = None
        self._greeted = False

    async def greet(self, writer: Writer, prints: Mapping[int, Trade]) -> None:
        """Learn what the database has, before the first commit of a connection."""
        rows = await to_thread.run_sync(writer.read_latest, abandon_on_cancel=True)
        present = {row["instrument_id"] for row in rows}
        if not self._greeted:
            who = (self._sidecar, HISTORY_DAYS)
            rows += await to_thread.run_sync(writer.read_history, *who, abandon_on_cancel=True)
            # What this process has sealed already is on its way there.
            present |= set(self._latest.instruments)
        self._greeted = True
        self._latest.seed(rows, prints)
        self._restore(present)

    async def refresh(self) -> None:
        """Look whether the cache is whole; leave it for the next time if that cannot be told."""
        if not self._quiet() or not self._latest.instruments:
            return
        try:
            with anyio.fail_after(DEADLINE_S):
                await self._look(await self._connected())
        except (IbkeeperError, TimeoutError, OSError) as away:
            log.warning("cache_waits", reason=str(away))
            self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _look(self, writer: Writer) -> None:
        mine = sorted(self._latest.instruments)
        self._restore(await to_thread.run_sync(writer.cached, mine, abandon_on_cancel=True))
        if not self._quiet() or not self._latest.owes:
            return
        change = self._latest.seal(())
        try:
            await to_thread.run_sync(writer.put_latest, change, abandon_on_cancel=True)
        except (psycopg.DataError, psycopg.IntegrityError) as refused:
            log.error("cache_change_refused", reason=str(refused))
            self._latest.disown(change)
            return
        except BaseException:
            self._latest.set_back(change)
            raise
        if not self._quiet():
            # A newer row of one group may have come first, and had the older rest turned away.
            self._latest.set_back(change)

    def _restore(self, present: set[int]) -> None:
        if lost := self._latest.restore(present):
            log.warning("cache_restored", instruments=lost)

    async def _connected(self) -> Writer:
        if self._writer is None:
            name = f"cache {self._sidecar}"
            self._writer = await to_thread.run_sync(Writer.connect, self._url, name)
        return self._writer
