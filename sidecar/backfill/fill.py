"""Fills one hole: pages of ticks, or days of one-minute bars; what IB does not give is named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

from ib_async import Contract

from ibcore.backfill import BackfillRequest, BarKind, FillSource
from ibcore.errors import RequestRejected
from sidecar.backfill.history import BAR_SPAN, History, OutOfQuestions
from sidecar.backfill.hole import MINUTE, SECOND, Fill, Hole, within

PAGES: Final = 20
_NOTHING: Final = "no data"  # IB's words for an answer that is empty, as error 162
_PACING: Final = "pacing violation"
Ask = Callable[[Contract, datetime], Awaitable[Sequence[Any]]]


def source_of(wanted: BackfillRequest, hole: Hole) -> FillSource:
    """Return what to ask for: ticks of a short hole, bars of a long one."""
    if wanted.how == "auto":
        short = hole.seconds <= wanted.ticks_up_to_s
        return FillSource.ticks if short else FillSource.bars
    return FillSource(wanted.how)


async def fill(history: History, hole: Hole, source: FillSource) -> Fill:
    """Return what IB has of `hole`; raise when the run must end before it is whole."""
    found = Fill(hole, source)
    if source is FillSource.ticks:
        found.quotes += await _tried(found, "bid and ask", _pages(history.quotes, found))
        found.trades += await _tried(found, "prints", _pages(history.trades, found))
    else:
        for kind in BarKind:
            found.bars += await _tried(found, f"bars of {kind}", _days(history, hole, kind))
    return found


async def _tried(found: Fill, what: str, answer: Awaitable[list[Any]]) -> list[Any]:
    try:
        return await answer
    except RequestRejected as refused:
        words = str(refused)
        if _PACING in words.lower():
            raise OutOfQuestions(f"IB says that it was asked too fast ({words}).") from refused
        if _NOTHING not in words.lower():
            found.short.append(f"{what}: {words}")
        return []


async def _pages(ask: Ask, found: Fill) -> list[Any]:
    begin, end = found.hole.whole(SECOND)
    kept: list[Any] = []
    for _ in range(PAGES):
        if begin >= end:
            return kept
        page = await ask(found.hole.contract, begin)
        kept += within(page, begin, end)
        if not page:
            return kept
        begin = page[-1].ts + SECOND
    if begin < end:
        found.short.append(f"ticks after {begin:%Y-%m-%d %H:%M:%S} UTC: more than {PAGES} pages")
    return kept


async def _days(history: History, hole: Hole, kind: BarKind) -> list[Any]:
    begin, end = hole.whole(MINUTE)
    kept: list[Any] = []
    while begin < end:
        upto = min(end, begin + BAR_SPAN)
        kept += within(await history.bars(hole.contract, kind, begin, upto), begin, upto)
        begin = upto
    return kept
