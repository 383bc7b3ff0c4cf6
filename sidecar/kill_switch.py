"""The kill switch as the sidecar sees it: a row, a file, a signal; any one of them stops.

    row     newest of `kill_switch`: NOTIFY is the hint, a look every 0.5 s the guarantee
    file    IBKEEPER_HOME/KILL: looked for every 0.2 s
    signal  SIGUSR1 or SIGUSR2: at once; it leaves the file, so a restart remembers

`why` is asked before every frame: memory only, no wait. What was not read yet, or not for 3 s, is
no permission (fail closed): nothing is sent, but nothing is cancelled either, since nobody asked
for that. While it is on, every working order is cancelled, and again every 2 s, from memory: the
database may be down. A trip by file or signal becomes a row as soon as the database takes it, and
again after somebody lifted the row alone: what still stops must be seen everywhere.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import anyio

from ibcore import authority, db, kill_file
from ibcore.authority import KILL_CHANNEL, Word
from ibcore.clock import monotonic
from ibcore.errors import DatabaseUnavailable, IbkeeperError
from ibcore.log import get_logger

log = get_logger(__name__)

ROW_S: Final = 0.5
FILE_S: Final = 0.2
UNREAD_AFTER_S: Final = 3.0
AGAIN_S: Final = 2.0

CancelAll = Callable[[str], Awaitable[int]]


class KillSwitch:
    """Joins the three switches into one answer, and cancels while it is on."""

    def __init__(self, db_url: str, *, home: Path, sidecar: str, cancel_all: CancelAll) -> None:
        self._url = db_url
        self._home = home
        self._sidecar = sidecar
        self._cancel_all = cancel_all
        self._row: str | None = None
        self._row_read_at: float | None = None
        self._file: str | None = None
        self._file_read = False
        self._signal: str | None = None
        self._tripped = anyio.Event()

    @property
    def engaged(self) -> str | None:
        """Return what stops, or None; not being readable is not counted."""
        for source, says in (("signal", self._signal), ("file", self._file), ("row", self._row)):
            if says is not None:
                return f"{source}: {says}"
        return None

    def why(self) -> str | None:
        """Return why nothing may be sent now, or None when it may."""
        if (engaged := self.engaged) is not None:
            return engaged
        if not self._file_read:
            return "the file was not looked for yet"
        if self._row_read_at is None or monotonic() - self._row_read_at > UNREAD_AFTER_S:
            return "its row cannot be read"
        return None

    async def run(self) -> None:
        """Watch all three and cancel while one is on, until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch_signals, name="kill switch: signals")
            group.start_soon(self._watch_file, name="kill switch: file")
            group.start_soon(self._watch_row, name="kill switch: row")
            group.start_soon(self._cancel, name="kill switch: cancel")

    async def _watch_signals(self) -> None:
        with anyio.open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as signals:
            async for number in signals:
                self._signal = f"{number.name} to the sidecar {self._sidecar}"
                self._trip()
                self._leave_file(number.name)

    def _leave_file(self, name: str) -> None:
        try:
            kill_file.engage(self._home, name, f"a signal to the sidecar {self._sidecar}")
        except IbkeeperError as refused:
            # Still on, in memory and soon in the row; only a restart before that would forget.
            log.error("kill_switch_file_not_written", reason=str(refused))
            return
        self._look_at_file()
        self._signal = None  # from here on the file says so, and whoever lifts it

    async def _watch_file(self) -> None:
        while True:
            self._look_at_file()
            await anyio.sleep(FILE_S)

    def _look_at_file(self) -> None:
        found = kill_file.read(self._home)
        self._file, self._file_read = found, True
        if found is not None:
            self._trip()

    async def _watch_row(self) -> None:
        while True:
            try:
                async with (
                    db.opened(self._url, application="kill switch") as conn,
                    db.opened(self._url, application="kill switch listen") as listener,
                ):
                    async for _ in db.listen_or_poll(listener, KILL_CHANNEL, poll_s=ROW_S):
                        await self._read_row(conn)
            except DatabaseUnavailable as away:
                self._row_read_at = None
                log.warning("kill_switch_unreadable", reason=str(away))
                await anyio.sleep(ROW_S)

    async def _read_row(self, conn: db.Connection) -> None:
        rows = await authority.kill_switch_history(conn)
        newest = rows[0] if rows else None
        if newest is not None and newest["engaged"]:
            self._row = f"{newest['reason']} ({newest['set_by']})"
            self._trip()
        else:
            self._row = None
        self._row_read_at = monotonic()
        if self._row is None:
            await self._record(conn)

    async def _record(self, conn: db.Connection) -> None:
        """Make a row of what stops here, unless it was lifted in this moment."""
        self._look_at_file()
        source = "signal" if self._signal is not None else "file"
        says = self._signal or self._file
        if says is not None:
            word = Word(f"sidecar {self._sidecar}", says)
            await authority.set_kill_switch(conn, True, word, source=source, sidecar=self._sidecar)

    async def _cancel(self) -> None:
        while True:
            await self._tripped.wait()
            while (why := self.engaged) is not None:
                count = await self._cancel_all(why)
                if count:
                    log.error("kill_switch_cancels", orders=count, why=why)
                await anyio.sleep(AGAIN_S)
            self._tripped = anyio.Event()
            log.warning("kill_switch_lifted")

    def _trip(self) -> None:
        if not self._tripped.is_set():
            log.error("kill_switch_on", why=self.engaged)
            self._tripped.set()
