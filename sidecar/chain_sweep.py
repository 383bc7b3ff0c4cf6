"""A sliding window over the free market-data lines: subscribe, take, cancel, next.

A line is taken as soon as its values are complete, or when its patience is over: one silent
strike never stalls the rest. Never more lines are open than the shared budget gives, never more
messages leave than the pacer lets through, and however a sweep ends, its lines are cancelled
and given back: those that were not taken, to be read again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import anyio
from ib_async import IB

from ibcore.clock import monotonic
from ibcore.errors import SessionLost
from ibcore.policy import LineBudget, Pacer
from sidecar.chain_lines import Line, Lines
from sidecar.inquiry import paced
from sidecar.refusal import Refused
from sidecar.tap import LineTap

HOLDER: Final = "sweep"
# How long to wait for a first line when others hold all of them.
STARVED_S: Final = 5.0
# How long a bid is waited for that IB says is not there.
GRACE_S: Final = 0.5
_LOOK_AGAIN_S: Final = 0.05
_CLEAN_UP_S: Final = 2.5


@dataclass(frozen=True, slots=True)
class Manner:
    """How lines are read: how long one may take, and whether IB ends it by itself (snapshot)."""

    patience_s: float
    snapshots: bool = False


@dataclass(frozen=True, slots=True)
class _Open:
    line: Line
    until: float


class Sweep:
    """One pass over lines on one session; several may share the lines."""

    def __init__(self, ib: IB, tap: LineTap, *, pacer: Pacer, budget: LineBudget) -> None:
        self._ib = ib
        self._tap = tap
        self._pacer = pacer
        self._budget = budget
        self._open: dict[int, _Open] = {}  # by request id; the oldest first
        self._quiet: dict[int, float] = {}  # since when only an empty side is missing
        self._settled: deque[int] = deque()
        self._lost = False
        self._wake = anyio.Event()

    async def run(self, lines: Lines, manner: Manner) -> None:
        """Fill in the values of `lines`; raise SessionLost with what is left given back."""
        self._ib.disconnectedEvent += self._on_lost
        try:
            await self._open_first(lines, manner)
            while lines.left or self._open:
                await self._step(lines, manner)
        finally:
            self._ib.disconnectedEvent -= self._on_lost
            await self._clean_up(lines)

    async def _step(self, lines: Lines, manner: Manner) -> None:
        due = self._due(monotonic(), manner)
        if due is not None:
            await self._take(due, lines)
        elif lines.left and self._budget.free > 0:
            await self._open_next(lines, manner)
        else:
            await self._something()
        if self._lost:
            raise SessionLost("The session was lost during the sweep.")

    async def _open_first(self, lines: Lines, manner: Manner) -> None:
        give_up = monotonic() + STARVED_S
        while lines.left and not self._open and not self._lost:
            if monotonic() > give_up:
                raise self._no_lines()
            await self._step(lines, manner)

    async def _open_next(self, lines: Lines, manner: Manner) -> None:
        await paced(self._pacer)
        if lines.left and self._budget.take(HOLDER) > 0:
            self._subscribe(lines, manner)

    def _subscribe(self, lines: Lines, manner: Manner) -> None:
        client = self._ib.client
        try:
            req_id = client.getReqId()
        except ConnectionError:
            self._budget.give_back(HOLDER)
            self._on_lost()
            return
        line = lines.next()
        self._open[req_id] = _Open(line, monotonic() + manner.patience_s)
        self._tap.watch(req_id, line.values, self._on_settled)
        # A snapshot takes no generic ticks.
        ticks = "" if manner.snapshots else line.generic_ticks
        client.reqMktData(req_id, line.contract, ticks, manner.snapshots, False, [])

    async def _take(self, req_id: int, lines: Lines) -> None:
        ended = self._tap.ended(req_id)
        if not ended:
            await paced(self._pacer)
        if not self._lost:
            self._close(req_id, cancel=not ended)
            lines.done()

    def _close(self, req_id: int, *, cancel: bool = True) -> _Open:
        closed = self._open.pop(req_id)
        self._quiet.pop(req_id, None)
        self._tap.forget(req_id)
        self._budget.give_back(HOLDER)
        if cancel and self._ib.isConnected():
            self._ib.client.cancelMktData(req_id)
        return closed

    def _due(self, now: float, manner: Manner) -> int | None:
        while self._settled:
            req_id = self._settled.popleft()
            if req_id in self._open and (not manner.snapshots or self._over(req_id)):
                return req_id
        for req_id, opened in self._open.items():
            if opened.until <= now or (not manner.snapshots and self._fell_quiet(req_id, now)):
                return req_id
        return None

    def _over(self, req_id: int) -> bool:
        # A snapshot is left to end by itself: a cancel would be the second message that it saves.
        refused = self._open[req_id].line.values.refused_with is not None
        return refused or self._tap.ended(req_id)

    def _fell_quiet(self, req_id: int, now: float) -> bool:
        if not self._open[req_id].line.values.only_empty:
            return False
        return now - self._quiet.setdefault(req_id, now) >= GRACE_S

    async def _something(self) -> None:
        # Others that hold lines do not say when they let go, nor do lines that fall quiet.
        self._wake = anyio.Event()
        if self._settled or self._lost:
            return
        with anyio.move_on_after(_LOOK_AGAIN_S):
            await self._wake.wait()

    async def _clean_up(self, lines: Lines) -> None:
        with anyio.move_on_after(_CLEAN_UP_S, shield=True):
            for req_id in list(self._open):
                if self._ib.isConnected():
                    await paced(self._pacer)
                lines.give_back(self._close(req_id).line)
        for req_id in list(self._open):  # out of time: the gateway hears of it unpaced or never
            lines.give_back(self._close(req_id).line)

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
