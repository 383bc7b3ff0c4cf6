"""A shaper lets bytes out late, slowly or in pieces: a bad line, as one socket sees it.

Order is kept: what comes later never overtakes. The delays are drawn from a seeded generator, so
the same seed draws the same ones.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Below: TypeAlias = Callable[[bytes, Any], None]

_SLOT_S: Final = 0.02  # a bandwidth is kept to within this


@dataclass(frozen=True)
class Shape:
    """How bytes are let out; zero means no limit."""

    latency_s: float = 0.0
    jitter_s: float = 0.0  # added evenly distributed between 0 and this
    bytes_s: float = 0.0
    piece: int = 0  # bytes a write
    gap_s: float = 0.0  # between two pieces
    seed: int = 0


class Shaper:
    """One shaper of one session, with the task that lets bytes out."""

    def __init__(self, below: Below, shape: Shape, *, name: str) -> None:
        self._below = below
        self._shape = shape
        self._random = random.Random(shape.seed)
        self._waiting: deque[tuple[float, bytes, Any]] = deque()
        self._arrived = asyncio.Event()
        self._free_at = 0.0
        self.held = 0  # bytes
        self._task = asyncio.create_task(self._run(), name=name)

    def put(self, data: bytes, carried: Any) -> None:
        """Take bytes; `carried` goes down with the first of them."""
        shape = self._shape
        delay = shape.latency_s + shape.jitter_s * self._random.random()
        self._free_at = max(self._free_at, asyncio.get_running_loop().time() + delay)
        self._waiting.append((self._free_at, data, carried))
        self.held += len(data)
        self._arrived.set()

    def redirect(self, below: Below) -> None:
        """Hand down to something else from now on."""
        self._below = below

    def stop(self) -> asyncio.Task[None]:
        """Let out at once what is held; return the task, which ends in a moment."""
        self._task.cancel()
        while self._waiting:
            _at, data, carried = self._waiting.popleft()
            self._give(data, carried)
        return self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            if (wait := self._waiting[0][0] - loop.time()) > 0:
                await asyncio.sleep(wait)
            await self._one_piece()

    async def _one_piece(self) -> None:
        """Give one piece and keep the rest in front, where `stop` finds it."""
        at, data, carried = self._waiting.popleft()
        size = self._piece_size(len(data))
        if size < len(data):
            self._waiting.appendleft((at, data[size:], None))
        self._give(data[:size], carried)
        if size < len(data) or self._shape.bytes_s:
            await asyncio.sleep(self._pause(size))

    def _piece_size(self, length: int) -> int:
        limits = [length]
        if self._shape.piece:
            limits.append(self._shape.piece)
        if self._shape.bytes_s:
            limits.append(max(1, int(self._shape.bytes_s * _SLOT_S)))
        return min(limits)

    def _pause(self, size: int) -> float:
        bytes_s = self._shape.bytes_s
        return max(self._shape.gap_s, size / bytes_s if bytes_s else 0.0)

    def _give(self, data: bytes, carried: Any) -> None:
        self.held -= len(data)
        self._below(data, carried)
