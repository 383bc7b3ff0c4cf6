"""The market-data lines of the stream session: what is held, on which request id, and why not.

Everything here is synchronous and in memory, so that a reconnect subscribes every line again in
the same turn of the event loop, whatever the database does. ib_async's own throttle spreads the
frames (45 a second). Lines are subscribed by request id alone: no Ticker, so nothing is shared
between two lines of one contract and nothing stays behind after a cancel.

Each change of a line is reported once, as a verdict, to whoever writes the watch list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ib_async import IB, Contract

from ibcore.domain import WatchState
from ibcore.liveness.hours import UNKNOWN, Hours
from ibcore.log import get_logger
from ibcore.notices import REQUEST_INVALID, Action, Notice
from ibcore.policy import LineBudget
from sidecar.line import Line

log = get_logger(__name__)

HOLDER: Final = "watch"
# What IB serves per security type (its "legal ones" of code 321); an unlisted type asks for none.
# Not 104: gateways of 2014 to 2026 refuse it for every type, and with it the whole line
# (deephaven-ib#46). 411 carries a historical volatility.
GENERIC_TICKS: Final[Mapping[str, str]] = {
    "STK": "100,101,105,106,165,232,233,236,293,294,295,411,456,595",
    "OPT": "100,101,106,232,233",
    "FOP": "100,101,106,232,233",
    "FUT": "233,588",
}
_LEGAL: Final = re.compile(r"(\d+)(?:/\d+)*\s*\(")


class LineSink(Protocol):
    """Who hears the ticks of a line."""

    def open_line(self, req_id: int, line: Line) -> None:
        """Take what comes for `req_id` as being about `line`."""

    def close_line(self, req_id: int) -> None:
        """Stop listening to `req_id`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line that somebody wants: a qualified row of the watch list."""

    watch_id: int
    line: Line
    contract: Contract
    generic_ticks: str
    priority: int
    hours: Hours = UNKNOWN


@dataclass(slots=True)
class _Held:
    wanted: Wanted
    generic_ticks: str
    req_id: int | None = None
    remark: str | None = None


Report = Callable[[int, WatchState, str | None], None]


class Lines:
    """Holds lines within the budget and keeps them subscribed while there is a session."""

    def __init__(
        self, sink: LineSink, budget: LineBudget, *, market_data_type: int, report: Report
    ) -> None:
        self._sink = sink
        self._budget = budget
        self._market_data_type = market_data_type
        self._report = report
        self._ib: IB | None = None
        self._held: dict[int, _Held] = {}
        self._by_req: dict[int, _Held] = {}

    def __contains__(self, watch_id: int) -> bool:
        return watch_id in self._held

    @property
    def active(self) -> int:
        """Return how many lines are subscribed."""
        return len(self._by_req)

    def wanted(self) -> dict[int, Wanted]:
        """Return what is held, by watch id."""
        return {watch_id: held.wanted for watch_id, held in self._held.items()}

    def connected(self, ib: IB) -> None:
        """Subscribe everything held on a new session, first things first."""
        self._ib = ib
        ib.client.reqMarketDataType(self._market_data_type)
        for held in sorted(self._held.values(), key=_order):
            held.generic_ticks, held.remark = held.wanted.generic_ticks, None
            self._subscribe(held)
        log.info("lines_subscribed", lines=len(self._held))

    def lost(self, reason: str) -> None:
        """Note that the session is gone; everything stays held for the next one."""
        self._ib = None
        for held in list(self._by_req.values()):
            self._forget(held)
            self._report(held.wanted.watch_id, WatchState.pending, reason)

    def hold(self, wanted: Wanted) -> bool:
        """Take a line, from one of lower priority if need be; False: the budget is used up."""
        twin = self._twin(wanted)
        if twin is not None:
            reason = f"streams already as line {twin} of the watch list"
            self._report(wanted.watch_id, WatchState.failed, reason)
            return False
        if not self._take(wanted):
            reason = f"all {self._budget.limit} market-data lines are in use"
            self._report(wanted.watch_id, WatchState.over_budget, reason)
            return False
        held = _Held(wanted, wanted.generic_ticks)
        self._held[wanted.watch_id] = held
        if self._ib is None:
            self._report(wanted.watch_id, WatchState.pending, "waits for the session")
        else:
            self._subscribe(held)
        return True

    def release(self, watch_id: int) -> None:
        """Cancel a line and give it back."""
        held = self._held.pop(watch_id)
        self._budget.give_back(HOLDER)
        req_id = held.req_id
        self._forget(held)
        if req_id is not None and self._ib is not None:
            self._ib.client.cancelMktData(req_id)

    def instrument_of(self, req_id: int) -> int | None:
        """Return whose line a request id is."""
        held = self._by_req.get(req_id)
        return None if held is None else held.wanted.line.instrument_id

    def ask_again(self, instrument_id: int) -> bool:
        """Cancel the line of an instrument and ask for it anew; False: it is not subscribed."""
        for req_id, held in self._by_req.items():
            if held.wanted.line.instrument_id == instrument_id and self._ib is not None:
                self._forget(held)
                self._ib.client.cancelMktData(req_id)
                self._subscribe(held)
                return True
        return False

    def take_hours(self, watch_id: int, hours: Hours) -> None:
        """Take the trading hours as IB has described them anew."""
        held = self._held.get(watch_id)
        if held is not None:
            held.wanted = replace(held.wanted, hours=hours)

    def notice(self, req_id: int, notice: Notice, text: str) -> None:
        """Act on what IB says about a line, or about all of them."""
        if notice.action is Action.resubscribe and self._ib is not None:
            ib = self._ib
            self.lost(notice.meaning)
            self.connected(ib)
        held = self._by_req.get(req_id)
        if held is None:
            return
        words = f"IB {notice.code}: {text}"
        match notice.action:
            case Action.fail_request | Action.drop_line:
                self._refused(held, notice.code, words)
            case Action.mark_delayed | Action.mark_stale:
                held.remark = words
                self._report(held.wanted.watch_id, WatchState.active, words)

    def _refused(self, held: _Held, code: int, words: str) -> None:
        self._forget(held)
        if code == REQUEST_INVALID and held.generic_ticks:
            # A wrong generic tick list kills the whole line: ask for the legal ones, then none.
            held.generic_ticks = legal_ticks(held.generic_ticks, words)
            held.remark = words
            self._subscribe(held)
            return
        del self._held[held.wanted.watch_id]
        self._budget.give_back(HOLDER)
        log.warning("line_refused", watch_id=held.wanted.watch_id, why=words)
        self._report(held.wanted.watch_id, WatchState.failed, words)

    def _subscribe(self, held: _Held) -> None:
        assert self._ib is not None
        held.req_id = req_id = self._ib.client.getReqId()
        self._by_req[req_id] = held
        self._sink.open_line(req_id, held.wanted.line)
        self._ib.client.reqMktData(
            req_id, held.wanted.contract, held.generic_ticks, False, False, []
        )
        self._report(held.wanted.watch_id, WatchState.active, held.remark)

    def _forget(self, held: _Held) -> None:
        if held.req_id is not None:
            self._sink.close_line(held.req_id)
            del self._by_req[held.req_id]
            held.req_id = None

    def _take(self, wanted: Wanted) -> bool:
        if self._budget.take(HOLDER):
            return True
        last = max(self._held.values(), key=_order, default=None)
        if last is None or last.wanted.priority <= wanted.priority:
            return False
        self.release(last.wanted.watch_id)
        reason = f"its line was given to line {wanted.watch_id} of higher priority"
        self._report(last.wanted.watch_id, WatchState.over_budget, reason)
        return bool(self._budget.take(HOLDER))

    def _twin(self, wanted: Wanted) -> int | None:
        for watch_id, held in self._held.items():
            if held.wanted.line.instrument_id == wanted.line.instrument_id:
                return watch_id
        return None


def legal_ticks(asked: str, refusal: str) -> str:
    """Return those of `asked` that the refusal lists as legal; none if it lists nothing."""
    _, _, listed = refusal.partition("Legal ones")
    legal = set(_LEGAL.findall(listed))
    kept = [tick for tick in asked.split(",") if tick.strip() in legal]
    return "" if len(kept) == len(asked.split(",")) else ",".join(kept)


def _order(held: _Held) -> tuple[int, int]:
    return held.wanted.priority, held.wanted.watch_id
