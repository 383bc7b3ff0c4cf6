"""How late a loop is: what a busy machine adds to every time that a test measures in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import anyio

_EVERY_S = 0.005


@asynccontextmanager
async def lateness() -> AsyncIterator[list[float]]:
    """Collect how late this loop was each time that it was to be on time, in seconds."""
    late_s = [0.0]

    async def look() -> None:
        while True:
            due = monotonic() + _EVERY_S
            await anyio.sleep(_EVERY_S)
            late_s.append(monotonic() - due)

    async with anyio.create_task_group() as looking:
        looking.start_soon(look, name="lateness")
        yield late_s
        looking.cancel_scope.cancel()
