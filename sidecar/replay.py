"""The second lane: commits what only the disk has, oldest first, beside the live rows.

It reads one page at a time, whatever the size of the file, and asks the ledger before it sends:
an earlier life may have committed a batch and died before it could drop it. It gives way: while
the live lane is behind, a page waits, for at most a second; and it rests as long as it worked,
since both share the machine and the server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NoReturn

import anyio

from ibcore.clock import monotonic
from sidecar.batch import Batch
from sidecar.lane import Lane, Refused
from sidecar.spool import Spool
from sidecar.spool_row import Damaged

PAGE_ROWS: Final = 5_000
LATE_S: Final = 0.15
GIVE_WAY_S: Final = 1.0
LOOK_S: Final = 0.01

Settle = Callable[[Sequence["Batch | Damaged"], Sequence[Refused]], Awaitable[Any]]


class Replay:
    """Commits what is owed."""

    def __init__(
        self, spool: Spool, lane: Lane, *, live: Lane, settle: Settle, busy: Callable[[], float]
    ) -> None:
        """`live`: the lane that goes first; `busy`: how long its oldest batch waits, in seconds."""
        self._spool = spool
        self._lane = lane
        self._live = live
        self._settle = settle
        self._busy = busy

    async def run(self) -> NoReturn:
        """Commit pages for ever."""
        try:
            while True:
                page = await self._spool.next_page(PAGE_ROWS)
                await self._give_way()
                began = monotonic()
                whole = [batch for batch in page if isinstance(batch, Batch)]
                refused = await self._lane.commit(whole, ask=True) if whole else []
                self._spool.paid(page)
                await self._settle(page, refused)
                if not self._spool.owed_rows:
                    self._lane.disconnect()
                await anyio.sleep(min(monotonic() - began, GIVE_WAY_S))
        finally:
            self._lane.disconnect()

    async def _give_way(self) -> None:
        await self._live.up()
        until = monotonic() + GIVE_WAY_S
        while self._busy() > LATE_S and monotonic() < until:  # noqa: ASYNC110 (ages have no event)
            await anyio.sleep(LOOK_S)
