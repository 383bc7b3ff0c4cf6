"""A sliding window over the free market-data lines: subscribe, take, cancel, next.

A line is taken as soon as its values are complete, or when its patience is over: one silent
strike never stalls the rest. Never more lines are open than the shared budget gives, never more
messages leave than the pacer lets through, and however a sweep ends, its lines are cancelled
and given back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio
from ib_async import IB, Contract

from ibcore.clock import monotonic
from ibcore.errors import SessionLost
from ibcore.policy import LineBudget, Pacer
from sidecar.chain_quote import LineValues
from sidecar.inquiry import paced
from sidecar.refusal import Refused
from sidecar.tap import LineTap

HOLDER: Final = "sweep"
# How long to wait for a first line when others hold all of them.
STARVED_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.05
_CLEAN_UP_S: Final = 2.5


@dataclass(frozen=True, slots=True)
class Line:
    """One contract to read, and where its values go."""

    contract: Contract
    values: LineValues
    generic_ticks: str = ""


class Sweep:
    """One pass over a list of contracts on one session."""

    def __init__(self, ib: IB, tap: LineTap, *, pacer: Pacer, budget: LineBudget) -> None:
        self._ib = ib
        self._tap = tap
        self._pacer = pacer
        self._budget = budget
        self._pending: deque[Line] = deque()
        self._open: dict[int, float] = {}  # request id -> when its patience ends; oldest first
        self._settled: deque[int] = deque()
        self._lost = False
        self._wake = anyio.Event()

    async def run(
        self,
        lines: Sequence[Line],
        *,
        patience_s: float,
        on_taken: Callable[[int], None] = lambda _done: None,
    ) -> None:
        """Fill in the values of `lines`; say after each how many are taken."""
        self._pending.extend(lines)
        self._ib.disconnectedEvent += self._on_lost
        try:
            await self._open_first(patience_s)
            while self._pending or self._open:
                await self._step(patience_s)
                on_taken(len(lines) - len(self._pending) - len(self._open))
        finally:
            self._ib.disconnectedEvent -= self._on_lost
            await self._clean_up()

    async def _step(self, patience_s: float) -> None:
        due = self._due(monotonic())
        if due is not None:
            await paced(self._pacer)
            self._close(due)
        elif self._pending and self._budget.free > 0:
            await self._open_next(patience_s)
        else:
            await self._something()
        if self._lost:
            raise SessionLost("The session was lost during the sweep.")

    async def _open_first(self, patience_s: float) -> None:
        give_up = monotonic() + STARVED_S
        while self._pending and not self._open and not self._lost:
            if monotonic() > give_up:
                raise self._no_lines()
            await self._step(patience_s)

    async def _open_next(self, patience_s: float) -> None:
        await paced(self._pacer)
        if self._budget.take(HOLDER) > 0:
            self._subscribe(self._pending.popleft(), patience_s)

    def _subscribe(self, line: Line, patience_s: float) -> None:
        client = self._ib.client
        try:
            req_id = client.getReqId()
        except ConnectionError:
            self._budget.give_back(HOLDER)
            self._pending.appendleft(line)
            self._on_lost()
            return
        self._open[req_id] = monotonic() + patience_s
        self._tap.watch(req_id, line.values, self._on_settled)
        client.reqMktData(req_id, line.contract, line.generic_ticks, False, False, [])

    def _close(self, req_id: int) -> None:
        del self._open[req_id]
        self._tap.forget(req_id)
        self._budget.give_back(HOLDER)
        if self._ib.isConnected():
            self._ib.client.cancelMktData(req_id)

    def _due(self, now: float) -> int | None:
        while self._settled:
            req_id = self._settled.popleft()
            if req_id in self._open:
                return req_id
        for req_id, until in self._open.items():
            return req_id if until <= now else None
        return None

    async def _something(self) -> None:
        until = min(self._open.values(), default=monotonic() + _LOOK_AGAIN_S)
        if self._pending:  # others hold the rest of the lines and do not say when they let go
            until = min(until, monotonic() + _LOOK_AGAIN_S)
        self._wake = anyio.Event()
        if self._settled or self._lost:
            return
        with anyio.move_on_after(max(0.0, until - monotonic())):
            await self._wake.wait()

    async def _clean_up(self) -> None:
        with anyio.move_on_after(_CLEAN_UP_S, shield=True):
            for req_id in list(self._open):
                if self._ib.isConnected():
                    await paced(self._pacer)
                self._close(req_id)
        for req_id in list(self._open):  # out of time: the gateway hears of it unpaced or never
            self._close(req_id)

    def _on_settled(self, req_id: int) -> None:
        self._settled.append(req_id)
        self._wake.set()

    def _on_lost(self) -> None:
        self._lost = True
        self._wake.set()

    def _no_lines(self) -> Refused:
        return Refused(
            "no_free_line",
            f"All {self._budget.limit} market-data lines are in use.",
            remedy="Nothing was stored. Remove lines with `ibkeeper watch rm`, then run again.",
        )
