"""The way out of one session: a queue of frames, joined and written once a turn.

Faults stand here between the queue and the socket. A filter takes and gives whole frames; a
shaper takes bytes and lets them out late, slowly or in pieces; a hold keeps everything back. With
none of them the way is one join and one write. The ledger hears of a frame when its bytes are
handed to the socket, and of nothing that a fault swallowed.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeAlias

import structlog

from ibcore.sim.config import Clock
from ibcore.sim.ledger import Ledger, LineKey
from ibcore.sim.shaper import Shape, Shaper

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

SentTicks: TypeAlias = list[tuple[LineKey, bytes]]
# What one write carried, for the ledger: ticks with their lines, and the other frames.
Carried: TypeAlias = tuple[SentTicks, list[bytes]]


class Filter(Protocol):
    """A fault that acts on frames."""

    def pass_on(self, frames: list[bytes]) -> list[bytes]:
        """Return what goes out in place of these frames."""


class Owner(Protocol):
    """What the way out needs to know of its session."""

    number: int
    client_id: int

    def abort(self, why: str) -> None:
        """Cut the connection."""


class Outlet:
    """The output of one session."""

    def __init__(
        self,
        owner: Owner,
        writer: asyncio.StreamWriter,
        *,
        ledger: Ledger,
        wall: Clock,
        limit: int,
    ) -> None:
        self._limit = limit  # bytes; nobody who reads at all is ever this far behind
        self._owner = owner
        self._transport = writer.transport
        self._ledger = ledger
        self._wall = wall
        self._frames: list[bytes] = []
        self._ticks: SentTicks = []
        self._messages: list[bytes] = []
        self._queued = 0  # bytes in _frames
        self._shapers: list[Shaper] = []
        self._ending: list[asyncio.Task[None]] = []
        self.filters: list[Filter] = []
        self.holds = 0  # faults that keep everything back

    def send(self, data: bytes) -> None:
        """Queue one frame."""
        self._frames.append(data)
        self._messages.append(data)
        self._queued += len(data)

    def send_tick(self, key: LineKey, data: bytes) -> None:
        """Queue one market-data frame."""
        self._frames.append(data)
        self._ticks.append((key, data))
        self._queued += len(data)

    @property
    def buffered(self) -> int:
        """How many bytes wait for the client, or for a fault, to let them through."""
        waiting = self._queued + self._transport.get_write_buffer_size()
        return waiting + sum(shaper.held for shaper in self._shapers)

    def flush(self) -> None:
        """Hand over what is queued."""
        if self.buffered > self._limit:
            self._give_up()
        if self.holds or not (self._frames or self.filters):
            return
        frames, carried = self._frames, (self._ticks, self._messages)
        self._frames, self._ticks, self._messages, self._queued = [], [], [], 0
        if self.filters:
            frames, carried = self._filtered(frames, carried[0])
        if frames:
            self._put(b"".join(frames), carried)

    def _filtered(self, frames: list[bytes], ticks: SentTicks) -> tuple[list[bytes], Carried]:
        # A frame that comes out as the same object is the tick that went in; `frames` and
        # `ticks` keep every one of them alive, so that no id is used twice.
        lines = {id(data): key for key, data in ticks}
        passed = frames
        for each in self.filters:
            passed = each.pass_on(passed)
        kept: SentTicks = [(lines[id(data)], data) for data in passed if id(data) in lines]
        return passed, (kept, [data for data in passed if id(data) not in lines])

    def _put(self, data: bytes, carried: Carried) -> None:
        if self._shapers:
            self._shapers[-1].put(data, carried)
        else:
            self._write(data, carried)

    def _write(self, data: bytes, carried: Carried | None) -> None:
        """Write to the socket; `carried` comes with the first bytes of what it describes."""
        transport = self._transport
        if transport.is_closing():
            return
        at_ns = self._wall.unix_ns()
        transport.write(data)
        if carried is not None:
            self._note(at_ns, *carried)

    def _give_up(self) -> None:
        """Cut off who does not read, also behind a fault that holds back: memory has an end."""
        if not self._transport.is_closing():
            log.warning("sim_client_stopped_reading", session=self._owner.number)
            self._owner.abort("too far behind")
        self._frames, self._ticks, self._messages, self._queued = [], [], [], 0

    def _note(self, at_ns: int, ticks: SentTicks, messages: list[bytes]) -> None:
        if ticks:
            self._ledger.ticks(at_ns, ticks)
        if messages:
            self._ledger.messages(at_ns, self._owner.number, self._owner.client_id, messages)

    def shape(self, shape: Shape) -> Shaper:
        """Let bytes out as `shape` says, until `unshape`; the newest shaper comes first."""
        below = self._shapers[-1].put if self._shapers else self._write
        shaper = Shaper(below, shape, name=f"sim-shaper-{self._owner.number}")
        self._shapers.append(shaper)
        return shaper

    def unshape(self, shaper: Shaper) -> None:
        """Let out at once what a shaper holds, and do without it."""
        if shaper not in self._shapers:
            return
        place = self._shapers.index(shaper)
        self._ending.append(shaper.stop())  # before anything from above passes it
        self._shapers.remove(shaper)
        if place < len(self._shapers):
            self._shapers[place].redirect(self._shapers[place - 1].put if place else self._write)

    async def close(self) -> None:
        """Hand over what is queued, and end the shapers."""
        self.flush()
        for shaper in reversed(list(self._shapers)):
            self.unshape(shaper)
        await asyncio.gather(*self._ending, return_exceptions=True)
