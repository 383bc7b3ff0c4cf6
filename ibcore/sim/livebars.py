"""Bars that grow: real-time bars (50) of five seconds, and historical ones kept up to date (90)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ibcore.sim import bars, grains
from ibcore.sim.bars import Bar
from ibcore.sim.contracts import Contract
from ibcore.sim.grains import START
from ibcore.sim.observed import Event
from ibcore.sim.tally import Tally

if TYPE_CHECKING:
    from ibcore.sim.session import Session

REAL_TIME: Final = "real-time bars"
KEPT: Final = "kept bars"
REAL_TIME_SHOWS: Final = ("TRADES", "MIDPOINT", "BID", "ASK")
_FIVE: Final = 5
_UPDATE_S: Final = 1.0


class RealTimeBars:
    """One subscription to five-second bars."""

    kind = REAL_TIME

    def __init__(
        self, session: Session, req_id: int, contract: Contract, *, show: str, tally: Tally
    ) -> None:
        self.session = session
        self.req_id = req_id
        self.contract = contract
        self._show = show
        self._tally = tally
        self._start: int | None = None
        self._close = 0.0

    def take(self, event: Event, at_s: float) -> None:
        """Events reach the bars through the tally."""

    def turn(self, at_s: float) -> None:
        """Send the bar that has ended."""
        start = int(at_s // _FIVE * _FIVE)
        if self._start is None:
            self._start = start
        if start <= self._start or self.session.congested:
            return
        bar = self._bar(start - _FIVE)
        self._start = start
        if bar is not None:
            self._close = bar.close
            self._send(bar)

    def _bar(self, start: int) -> Bar | None:
        """Return the bar of five seconds; without a trade it stands at the last close."""
        rows = self._tally.grains(self.contract.con_id, fine=True)
        found = bars.build(grains.between(rows, start, start + _FIVE), self._show, _FIVE)
        if found:
            return found[0]._replace(start=start)
        if not self._close:
            return None
        close = self._close
        volume, wap, trades = (0.0, close, 0) if self._show == "TRADES" else (-1.0, -1.0, -1)
        return Bar(start, close, close, close, close, volume, wap, trades)

    def _send(self, bar: Bar) -> None:
        fields = bar._asdict()
        at = int(fields.pop("start"))
        self.session.send_message("real_time_bar", req_id=self.req_id, time=at, **fields)


class KeptBars:
    """The newest bar of a historical request that is kept up to date."""

    kind = KEPT

    def __init__(
        self,
        session: Session,
        req_id: int,
        contract: Contract,
        *,
        show: str,
        span: int,
        as_number: bool,
        tally: Tally,
    ) -> None:
        self.session = session
        self.req_id = req_id
        self.contract = contract
        self._show, self._span, self._as_number = show, span, as_number
        self._tally = tally
        self._sent: Bar | None = None
        self._next = 0.0
        self._changed = True

    def take(self, event: Event, at_s: float) -> None:
        """Note that the bar is old."""
        self._changed = True

    def turn(self, at_s: float) -> None:
        """Send the bar if it changed, about once a second."""
        if at_s < self._next or not self._changed or self.session.congested:
            return
        self._next, self._changed = at_s + _UPDATE_S, False
        rows = self._tally.grains(self.contract.con_id, fine=self._span < 60)
        if not len(rows):
            return
        rows = grains.between(rows, float(rows[-1, START]) - self._span, at_s + 1)
        sent = self._sent
        for bar in bars.build(rows, self._show, self._span)[-1 if sent is None else -2 :]:
            if sent is None or (bar.start >= sent.start and bar != sent):
                self._send(bar)

    def _send(self, bar: Bar) -> None:
        self._sent = bar
        fields = bar._asdict()
        date = bars.moment(fields.pop("start"), self._span, as_number=self._as_number)
        self.session.send_message("historical_update", req_id=self.req_id, date=date, **fields)
