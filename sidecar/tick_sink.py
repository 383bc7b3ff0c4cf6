"""Who hears the raw ticks: the methods a sink has, one for each kind of message.

`ib_compat` calls them in the order of the wire, before ib_async's Ticker and whether or not there
is one. Values come as IB sent them, its empty ones (-1, 0, -2, 1.797e308) included. A sink never
waits and never raises. What it does not believe it answers with the reason, and is then told the
raw text (`reject`).
"""

from __future__ import annotations

from typing import Protocol

from ibcore.domain import RejectReason


class TickSink(Protocol):
    """Receives every market-data message of one session, in the order of the wire."""

    def packet(self, recv_us: int) -> None:
        """Open a packet: what follows was received at `recv_us`."""

    def price_size(
        self, req_id: int, tick_type: int, price: float, size: float
    ) -> RejectReason | None:
        """Take tickPrice; `price` is NaN where the frame had none."""

    def size(self, req_id: int, tick_type: int, size: float) -> RejectReason | None:
        """Take tickSize."""

    def string(self, req_id: int, tick_type: int, value: str) -> RejectReason | None:
        """Take tickString: 45, 47, 48, 59, 77, 84, 88 and exchanges."""

    def generic(self, req_id: int, tick_type: int, value: float) -> RejectReason | None:
        """Take tickGeneric, with IB's own zeros and minus ones."""

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
    ) -> RejectReason | None:
        """Take tickOptionComputation, sentinels (-1, -2) included."""

    def reject(self, req_id: int, tick_type: int, reason: RejectReason, raw: str) -> None:
        """Take the raw text of a tick that was not believed, or could not be read."""

    def data_type(self, req_id: int, market_data_type: int) -> None:
        """Take marketDataType: 1 live, 2 frozen, 3 delayed, 4 delayed frozen."""

    def snapshot_end(self, req_id: int) -> None:
        """Take tickSnapshotEnd: nothing more comes for this request."""

    def notice(self, req_id: int, code: int, text: str) -> None:
        """Take an error message."""
