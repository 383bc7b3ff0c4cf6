"""Questions about the past, paced, each answered within a deadline or refused in IB's words.

IB answers ticks of whole seconds, never a part of one, so the next page begins a second later.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import anyio
from ib_async import IB, BarData, Contract, HistoricalTickBidAsk, HistoricalTickLast

from ibcore.backfill import BarKind
from ibcore.clock import monotonic
from ibcore.errors import RequestFailed
from ibcore.policy import Pacer
from sidecar import inquiry
from sidecar.backfill.hole import MinuteBar, QuoteTick, TradeTick
from sidecar.backfill.pacing import HistoryPacer

PAGE: Final = 1_000
ANSWER_S: Final = 20.0
BAR_SPAN: Final = timedelta(days=1)
_SHOW: Final = {BarKind.trades: "TRADES", BarKind.midpoint: "MIDPOINT"}


class OutOfQuestions(RequestFailed):
    """No further question may be asked in this run: too many were, or time is up."""


@dataclass(slots=True)
class History:
    """Asks one gateway about the past, as long as it may. `ends_at` is monotonic, in seconds."""

    ib: IB
    pacer: Pacer
    history_pacer: HistoryPacer
    ends_at: float
    questions: int
    _asked: int = field(default=0)

    async def quotes(self, contract: Contract, start: datetime) -> list[QuoteTick]:
        """Return a page of bids and asks from `start` on."""
        found = await self._ticks(contract, "BID_ASK", start)
        return [_quote(tick) for tick in found]

    async def trades(self, contract: Contract, start: datetime) -> list[TradeTick]:
        """Return a page of prints from `start` on."""
        found = await self._ticks(contract, "TRADES", start)
        return [_trade(tick) for tick in found]

    async def bars(
        self, contract: Contract, kind: BarKind, begin: datetime, end: datetime
    ) -> list[MinuteBar]:
        """Return the minutes up to `end`, from `begin` (at most a day before it) or earlier."""
        seconds = math.ceil((end - begin).total_seconds())
        back = "1 D" if seconds >= BAR_SPAN.total_seconds() else f"{max(60, seconds)} S"
        show = _SHOW[kind]

        def send(req_id: int) -> None:
            self.ib.client.reqHistoricalData(
                req_id, contract, _moment(end), back, "1 min", show, False, 2, False, []
            )

        def over(req_id: int) -> None:
            self.ib.wrapper.historicalDataEnd(req_id, "", "")

        question = ("bars", contract.conId, show, end, back)
        found = await self._ask(send, over, contract, show=show, question=question)
        return [_bar(bar, kind) for bar in found]

    async def _ticks(self, contract: Contract, show: str, start: datetime) -> list[Any]:
        def send(req_id: int) -> None:
            self.ib.client.reqHistoricalTicks(
                req_id, contract, _moment(start), "", PAGE, show, False, False, []
            )

        def over(req_id: int) -> None:
            self.ib.wrapper.historicalTicks(req_id, [], True)

        question = ("ticks", contract.conId, show, start)
        return await self._ask(send, over, contract, show=show, question=question)

    async def _ask(
        self,
        send: Callable[[int], None],
        over: Callable[[int], None],
        contract: Contract,
        *,
        show: str,
        question: tuple[object, ...],
    ) -> list[Any]:
        subject, weight = (contract.conId, show), 2 if show == "BID_ASK" else 1
        if self._asked + weight > self.questions:
            raise OutOfQuestions(f"{self._asked} questions were asked.")
        while wait := self.history_pacer.wait_s(monotonic(), subject, question, weight=weight):
            if monotonic() + wait > self.ends_at:
                raise OutOfQuestions("IB's pacing of history leaves no further question in time.")
            await anyio.sleep(wait)
        left = self.ends_at - monotonic()
        if left <= 0:
            raise OutOfQuestions("The time is up.")
        self._asked += weight
        self.history_pacer.asked(monotonic(), subject, question, weight=weight)
        patience = min(ANSWER_S, left)
        return await inquiry.ask(self.ib, send, over, pacer=self.pacer, timeout_s=patience)


def _moment(at: datetime) -> str:
    return f"{at:%Y%m%d-%H:%M:%S}"  # the dash says UTC


def _known(value: float) -> float | None:
    return value if value > 0 and math.isfinite(value) else None


def _quote(tick: HistoricalTickBidAsk) -> QuoteTick:
    sides = (tick.priceBid, tick.sizeBid), (tick.priceAsk, tick.sizeAsk)
    # As in live ticks: nothing at no size is no price; below zero a price may be.
    known = [(None, None) if price <= 0 and not size else (price, size) for price, size in sides]
    return QuoteTick(tick.time, *known[0], *known[1])


def _trade(tick: HistoricalTickLast) -> TradeTick:
    words = tick.exchange or None, tick.specialConditions or None
    return TradeTick(tick.time, tick.price, _known(tick.size), *words)


def _bar(bar: BarData, kind: BarKind) -> MinuteBar:
    assert isinstance(bar.date, datetime)
    prices = (bar.open, bar.high, bar.low, bar.close)
    if kind is BarKind.midpoint:
        return MinuteBar(bar.date, kind, *prices, None, None, None)
    return MinuteBar(
        bar.date, kind, *prices, max(0.0, bar.volume), _known(bar.average), bar.barCount
    )
