"""The archive: grains of an instrument over a period, out of its past and of what was seen since.

Past days end where the source began to stream; there is no past of that day itself. From then on
the tally knows what really happened, so that a bar of today agrees with the ticks that were sent.
The stream never closes, and neither does the archive: what was seen counts as regular hours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from ibcore.sim import bars, grains, hours
from ibcore.sim.contracts import Contract
from ibcore.sim.grains import START, Grains
from ibcore.sim.past import PRICES, Past
from ibcore.sim.periods import Duration
from ibcore.sim.tally import Tally

OWN_SERIES: Final = ("OPTION_IMPLIED_VOLATILITY", "HISTORICAL_VOLATILITY", "FEE_RATE")


@dataclass(frozen=True)
class Query:
    """What is asked of the archive. Moments are seconds since 1970."""

    contract: Contract
    show: str
    end: float
    duration: Duration
    regular: bool = True
    fine: bool = False  # by seconds
    whole_days: bool = False  # one row a day is enough


class Archive:
    """Everything that can be known of the past."""

    def __init__(self, past: Past, tally: Tally) -> None:
        self._past = past
        self._tally = tally

    def days(self, contract: Contract, before: float) -> list[date]:
        """Return the days that traded, up to that of `before`, newest first."""
        last = bars.day_of(before)
        return [day for day in self._past.days(contract) if day <= last]

    def pieces(self, query: Query) -> Iterator[Grains]:
        """Yield the grains of one day after the other, newest first; some may be empty."""
        live = self._live(query)
        yield live
        left = query.duration.seconds
        if left is not None and len(live):
            left -= math.ceil(query.end - float(live[0, START]))
        for day in self._wanted_days(query):
            if left is not None and left <= 0:
                return
            piece = self._day(query, day, left)
            if left is not None:
                left -= len(piece) * (1 if query.fine else 60)
            yield grains.summary(piece) if query.whole_days and len(piece) else piece

    def live(self, contract: Contract, *, fine: bool) -> Grains:
        """Return what was seen since the source began to stream."""
        if self._past.complete:
            return grains.blank(0)
        return self._tally.grains(contract.con_id, fine=fine)

    def _live(self, query: Query) -> Grains:
        if query.show in OWN_SERIES:
            return grains.blank(0)
        seen = self.live(query.contract, fine=query.fine)
        seconds = query.duration.seconds
        first = 0.0 if seconds is None else query.end - seconds
        live = grains.between(seen, first, query.end)
        return grains.summary(live) if query.whole_days and len(live) else live

    def _wanted_days(self, query: Query) -> Iterator[date]:
        days = self.days(query.contract, query.end)
        sessions = query.duration.sessions
        first = query.duration.first_day(bars.day_of(query.end))
        taken = 0
        for day in days:
            if (sessions is not None and taken >= sessions) or (first and day <= first):
                return
            if self._past.complete or _opens(day, query) < query.end:
                taken += 1
                yield day

    def _day(self, query: Query, day: date, left: int | None) -> Grains:
        show = query.show if query.show in OWN_SERIES else PRICES
        rows = grains.between(self._past.minutes(query.contract, day, show=show), 0.0, query.end)
        if query.regular and not self._past.complete:
            opens, closes = hours.regular(day)
            rows = grains.between(rows, opens, closes)
        if left is not None:
            rows = rows[-(left // 60 + 2) :]
        if query.fine:
            rows = grains.between(self._past.seconds(query.contract, rows), 0.0, query.end)
        if left is not None:
            rows = rows[-math.ceil(left / (1 if query.fine else 60)) :]
        return rows


def _opens(day: date, query: Query) -> float:
    return (hours.regular(day) if query.regular else hours.extended(day))[0]
