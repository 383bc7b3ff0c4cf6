"""The sweep session's ear: sends each message to the values of the line it belongs to.

Lines are known by request id alone. A line is settled when its values are complete or IB has
refused it; whoever watches is told once and at once, in the same turn of the event loop.
"""

from __future__ import annotations

from collections.abc import Callable

from ibcore.domain import QuoteState, RejectReason
from ibcore.notices import Action, classify
from sidecar.chain_quote import LineValues
from sidecar.inquiry import FATAL

OnSettled = Callable[[int], None]


class LineTap:
    """A TickSink for lines that come and go."""

    def __init__(self) -> None:
        self._lines: dict[int, tuple[LineValues, OnSettled]] = {}
        self._settled: set[int] = set()
        self._ended: set[int] = set()
        self._recv_us = 0

    def watch(self, req_id: int, values: LineValues, on_settled: OnSettled) -> None:
        """Collect into `values` what is said about `req_id`."""
        self._lines[req_id] = (values, on_settled)

    def forget(self, req_id: int) -> None:
        """Stop collecting; what still comes for `req_id` is dropped."""
        self._lines.pop(req_id, None)
        self._settled.discard(req_id)
        self._ended.discard(req_id)

    def packet(self, recv_us: int) -> None:
        """Open a packet: what follows was received at `recv_us`."""
        self._recv_us = recv_us

    def price_size(self, req_id: int, tick_type: int, price: float, size: float) -> None:
        """Take tickPrice."""
        if (values := self._values(req_id)) is not None:
            values.price(tick_type, price, size)
            self._judge(req_id, values)

    def size(self, req_id: int, tick_type: int, size: float) -> None:
        """Take tickSize."""
        if (values := self._values(req_id)) is not None:
            values.size(tick_type, size)
            self._judge(req_id, values)

    def snapshot_end(self, req_id: int) -> None:
        """Take the end of a snapshot: the line is gone at IB, and says no more."""
        if req_id in self._lines:
            self._ended.add(req_id)
            self._settle(req_id)

    def ended(self, req_id: int) -> bool:
        """Say whether IB has ended the line by itself: there is nothing to cancel."""
        return req_id in self._ended

    def string(self, req_id: int, tick_type: int, value: str) -> None:
        """Drop tickString: a chain has no column for it."""

    def generic(self, req_id: int, tick_type: int, value: float) -> None:
        """Drop tickGeneric: a chain has no column for it."""

    def computation(
        self,
        req_id: int,
        tick_type: int,
        attrib: int,
        iv: float,
        delta: float,
        price: float,
        pv_dividend: float,
        gamma: float,
        vega: float,
        theta: float,
        und_price: float,
    ) -> None:
        """Take tickOptionComputation."""
        if (values := self._values(req_id)) is not None:
            numbers = (iv, delta, price, pv_dividend, gamma, vega, theta, und_price)
            values.computation(tick_type, attrib, *numbers)
            self._judge(req_id, values)

    def reject(self, req_id: int, tick_type: int, reason: RejectReason, raw: str) -> None:
        """Drop what cannot be read: the line goes on without it."""

    def data_type(self, req_id: int, market_data_type: int) -> None:
        """Take marketDataType."""
        if req_id in self._lines:
            self._lines[req_id][0].data_type(market_data_type)

    def notice(self, req_id: int, code: int, text: str) -> None:
        """Take an error message; one that ends the line settles it."""
        if req_id not in self._lines:
            return
        if classify(code, has_request=True).action in FATAL | {Action.mark_stale}:
            self._lines[req_id][0].refuse(code, text)
            self._settle(req_id)

    def _values(self, req_id: int) -> LineValues | None:
        line = self._lines.get(req_id)
        if line is None:
            return None
        line[0].recv_us = self._recv_us
        return line[0]

    def _judge(self, req_id: int, values: LineValues) -> None:
        if req_id not in self._settled and values.state() is QuoteState.complete:
            self._settle(req_id)

    def _settle(self, req_id: int) -> None:
        self._settled.add(req_id)
        self._lines[req_id][1](req_id)
