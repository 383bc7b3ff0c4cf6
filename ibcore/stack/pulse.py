"""Keeps one connection to the database and reads the state of the system again and again.

A database that goes away is a state to be shown, not an end: the pulse reconnects.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import anyio
import psycopg

from ibcore import db
from ibcore.errors import IbkeeperError
from ibcore.stack.reading import Rates, Reading, rates, take

_EVERY_S: Final = 0.5
_RECONNECT_S: Final = 1.0
_SMOOTHED_HEARTBEATS: Final = 4


class Pulse:
    """Owner of the newest reading and of the rates behind it."""

    def __init__(self, sidecar: str) -> None:
        self.reading: Reading | None = None
        self.problem = ""
        self._sidecar = sidecar
        self._heartbeats: deque[Reading] = deque(maxlen=_SMOOTHED_HEARTBEATS)

    @property
    def rates(self) -> Rates | None:
        """Return the rates over the last few heartbeats."""
        if not self._heartbeats:
            return None
        return rates(self._heartbeats[0], self._heartbeats[-1])

    async def run(self, url: str) -> None:
        """Read for ever."""
        while True:
            await self._connect_and_follow(url)
            await anyio.sleep(_RECONNECT_S)

    async def _connect_and_follow(self, url: str) -> None:
        try:
            async with await db.connect(url, application="up") as conn:
                await self._follow(conn)
        except (IbkeeperError, psycopg.Error, OSError) as away:
            self.problem = str(away)

    async def _follow(self, conn: db.Connection) -> None:
        while True:
            self._note(await take(conn, self._sidecar))
            self.problem = ""
            await anyio.sleep(_EVERY_S)

    def _note(self, reading: Reading) -> None:
        self.reading = reading
        last = self._heartbeats[-1].sidecar if self._heartbeats else None
        now = reading.sidecar
        if now is None:
            return
        if last is not None and last.epoch != now.epoch:
            self._heartbeats.clear()
        if last is None or last.heartbeat_at != now.heartbeat_at:
            self._heartbeats.append(reading)
