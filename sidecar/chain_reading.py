"""Reads lines on every sweep connection there is, and goes on after one of them was lost.

The connections share the lines: each takes the next one whenever its pacer and the budget let it.
A line that was open on a lost connection is read again, the others are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import anyio
from ib_async import IB

from ibcore.errors import NotReady, SessionLost
from ibcore.log import get_logger
from ibcore.policy import LineBudget, Pacer
from sidecar.chain_lines import Lines
from sidecar.chain_listing import NOTHING_STORED
from sidecar.chain_sweep import Manner, Sweep
from sidecar.refusal import Refused
from sidecar.tap import LineTap

log = get_logger(__name__)

SESSION_S: Final = 10.0
LOOK_AGAIN_S: Final = 0.05


class ReadySession(Protocol):
    """A supervised session."""

    @property
    def ib(self) -> IB | None:
        """Return the client while the session is ready."""

    async def ready(self) -> IB:
        """Wait until the session is ready and return its client."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One sweep connection with its ear and its pace."""

    session: ReadySession
    tap: LineTap
    pacer: Pacer

    async def client(self) -> IB:
        """Return the client, or raise NotReady when the session is not ready soon."""
        with anyio.move_on_after(SESSION_S):
            return await self.session.ready()
        raise NotReady(
            f"The sweep session to the gateway was not ready within {SESSION_S:g} s.",
            remedy=f"{NOTHING_STORED} `ibkeeper status` says what the session waits for.",
        )


class Reading:
    """The sweeps of one sidecar."""

    def __init__(self, lanes: Sequence[Lane], budget: LineBudget) -> None:
        self.lanes = lanes
        self._budget = budget

    @property
    def messages_per_s(self) -> int:
        """Return how many messages a second all connections that are ready may send."""
        ready = [lane for lane in self.lanes if lane.session.ib is not None]
        return sum(lane.pacer.limit for lane in ready or self.lanes[:1])

    async def read(self, lines: Lines, manner: Manner) -> None:
        """Fill in the values of `lines`; a lost connection is waited for."""
        while lines.left:
            # One that is ready at least; the others join if they are.
            await self.lanes[0].session.ready()
            before, refused = lines.taken, list[Refused]()
            async with anyio.create_task_group() as sweeps:
                for number, lane in enumerate(self.lanes):
                    if (ib := lane.session.ib) is not None:
                        sweep = Sweep(ib, lane.tap, pacer=lane.pacer, budget=self._budget)
                        name = f"sweep {number}"
                        sweeps.start_soon(_one, sweep, lines, manner, refused, name=name)
            stuck = lines.taken == before
            if stuck and refused:
                raise refused[0]
            if stuck:
                await anyio.sleep(LOOK_AGAIN_S)  # the session has not noticed yet


async def _one(sweep: Sweep, lines: Lines, manner: Manner, refused: list[Refused]) -> None:
    try:
        await sweep.run(lines, manner)
    except SessionLost:
        log.warning("sweep_interrupted", taken=lines.taken)
    except Refused as no:
        refused.append(no)
