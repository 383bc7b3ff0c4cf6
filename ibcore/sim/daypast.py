"""The past of a day's tape: its own bars, up to the moment that is being played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from ibcore.sim import bars, grains, tape
from ibcore.sim.contracts import Contract
from ibcore.sim.grains import ASK, BID, COUNT, START, TRADES, TURNOVER, VOLUME, Grains


class DayPast:
    """Bars that have ended on the tape; `shift_s` moves them from the tape's time to the shown."""

    complete = True

    def __init__(
        self, day: tape.Day, midnight: datetime, at_ms: Callable[[], int],
        shift_s: Callable[[], float],
    ) -> None:  # fmt: skip
        self._day = day
        self._midnight_s = midnight.timestamp()
        self._at_ms = at_ms
        self._shift_s = shift_s
        self._known: dict[int, Grains] = {}

    def days(self, _contract: Contract) -> Sequence[date]:
        """Return the one day there is, as it is shown."""
        return (bars.day_of(self._midnight_s + self._at_ms() / 1000 + self._shift_s()),)

    def minutes(self, contract: Contract, _day: date, *, show: str = "") -> Grains:
        """Return the bars that have ended."""
        rows = self._all(contract.con_id)
        ended = grains.between(rows, 0.0, self._midnight_s + (self._at_ms() - 59_999) / 1000).copy()
        ended[:, START] += self._shift_s()
        result: Grains = ended
        return result

    def _all(self, con_id: int) -> Grains:
        if con_id not in self._known:
            self._known[con_id] = self._build(con_id)
        return self._known[con_id]

    def _build(self, con_id: int) -> Grains:
        quotes = {q.end_ms: q for q in self._day.quotes if q.con_id == con_id}
        trades = {t.end_ms: t for t in self._day.trades if t.con_id == con_id}
        ends = sorted(quotes.keys() | trades.keys())
        rows = grains.blank(len(ends))
        for row, end_ms in zip(rows, ends, strict=True):
            row[START] = self._midnight_s + (end_ms - tape.BAR_MS) / 1000
            if quote := quotes.get(end_ms):
                row[BID] = quote.bid or float("nan")
                row[ASK] = quote.ask or float("nan")
            if trade := trades.get(end_ms):
                row[TRADES] = trade.open, trade.high, trade.low, trade.close
                row[VOLUME], row[COUNT] = trade.volume, 1
                row[TURNOVER] = trade.volume * float(row[TRADES].mean())
        return rows

    def seconds(self, _contract: Contract, minutes: Grains) -> Grains:
        """A bar is known at its end, and as a whole: it has no seconds."""
        return minutes
