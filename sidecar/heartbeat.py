"""The sidecar's lock and its sign of life, on one connection: the beat proves that the lock holds.

The lock belongs to the connection, so a beat that fails means that it may be gone. It is taken
again as soon as the database is back; if another process has taken the name meanwhile, this one
ends with InstanceConflict. While the database is away the sidecar goes on: ticks are kept.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, NoReturn

import anyio

from ibcore import db
from ibcore.clock import monotonic
from ibcore.errors import DatabaseUnavailable, IbkeeperError, InstanceConflict
from ibcore.log import get_logger
from ibcore.policy import LineBudget
from sidecar.recorder import RecorderStats

log = get_logger(__name__)

DAYS_AHEAD: Final = 2
RETRY_S: Final = 1.0


class Heartbeat:
    """Holds the instance lock and keeps the row of `sidecar`."""

    def __init__(self, database_url: str, *, sidecar: str, every_s: float) -> None:
        self.epoch = 0
        self.state = "starting"
        self.beaten_at = monotonic()
        self.away: str | None = None
        self._url = database_url
        self._name = sidecar
        self._every_s = every_s
        self._conn: db.Connection | None = None

    async def claim(self, *, lines_limit: int) -> int:
        """Take the lock or raise InstanceConflict; return the epoch of this start."""
        self._conn = conn = await db.connect(self._url, application=f"sidecar {self._name}")
        await db.check_schema(conn)
        await db.hold_instance_lock(conn, self._name)
        with db.translated():
            await conn.execute(db.QUERIES["ensure_partitions"], {"days_ahead": DAYS_AHEAD})
            cursor = await conn.execute(db.QUERIES["next_epoch"])
            found = await cursor.fetchone()
            assert found is not None
            self.epoch = int(found[0])
            ours = {"sidecar": self._name, "epoch": self.epoch}
            await conn.execute(db.QUERIES["session_close_orphans"], ours)
            me = {
                "name": self._name,
                "epoch": self.epoch,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "version": own_version(),
                "lines_limit": lines_limit,
            }
            await conn.execute(db.QUERIES["sidecar_start"], me)
        return self.epoch

    async def run(self, stats: Callable[[], RecorderStats], budget: LineBudget) -> NoReturn:
        """Beat for ever; raise InstanceConflict when somebody else took the name."""
        while True:
            try:
                await self._beat(stats(), budget.used)
                await anyio.sleep(self._every_s)
            except DatabaseUnavailable as away:
                self.away = str(away)
                log.warning("heartbeat_paused", why=self.away)
                await self.close()
                await anyio.sleep(RETRY_S)

    async def say(self, state: str, stats: RecorderStats, lines_used: int) -> None:
        """Write a state now; a database that is away is not waited for."""
        self.state = state
        try:
            await self._beat(stats, lines_used)
        except IbkeeperError as away:
            log.warning("heartbeat_not_written", state=state, why=str(away))

    async def close(self) -> None:
        """Let go of the connection and so of the lock."""
        if self._conn is not None:
            conn, self._conn = self._conn, None
            await conn.close()

    async def _beat(self, stats: RecorderStats, lines_used: int) -> None:
        conn = self._conn or await self._take_again()
        row = stats._asdict() | {
            "name": self._name,
            "epoch": self.epoch,
            "state": self.state,
            "lines_used": lines_used,
        }
        with db.translated():
            cursor = await conn.execute(db.QUERIES["sidecar_beat"], row)
            found = await cursor.fetchone()
        if found is None:
            raise self._taken_over()
        self.beaten_at, self.away = monotonic(), None

    async def _take_again(self) -> db.Connection:
        conn = await db.connect(self._url, application=f"sidecar {self._name}")
        try:
            await self._lock_again(conn)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await conn.close()
            raise
        self._conn = conn
        return conn

    async def _lock_again(self, conn: db.Connection) -> None:
        try:
            await db.hold_instance_lock(conn, self._name)
        except InstanceConflict:
            # The server may not know yet that our old connection is dead, and hold its lock.
            if await self._epoch_in_row(conn) != self.epoch:
                raise
            raise DatabaseUnavailable("Our own old connection still holds the lock.") from None

    async def _epoch_in_row(self, conn: db.Connection) -> Any:
        with db.translated():
            cursor = await conn.execute(db.QUERIES["sidecar_epoch"], {"name": self._name})
            found = await cursor.fetchone()
        return None if found is None else found[0]

    def _taken_over(self) -> InstanceConflict:
        return InstanceConflict(
            f"Another sidecar took the name {self._name} over.",
            remedy="This one stops; its ticks are committed up to now.",
        )


def own_version() -> str:
    """Return the version of ibkeeper."""
    try:
        return version("ibkeeper")
    except PackageNotFoundError:
        return "unknown"
