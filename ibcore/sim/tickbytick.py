"""Tick-by-tick lines: every print, every quote or every midpoint, one message (99) each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ibcore.sim.contracts import Contract
from ibcore.sim.observed import Event, Print, Quote

if TYPE_CHECKING:
    from ibcore.sim.session import Session

KINDS: Final = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}
SHOWS: Final = {1: "TRADES", 2: "TRADES", 3: "BID_ASK", 4: "MIDPOINT"}
LIMIT: Final = 5  # one for every twenty market-data lines
NAME: Final = "tick-by-tick"


class TickByTick:
    """One tick-by-tick subscription."""

    kind = NAME

    def __init__(
        self, session: Session, req_id: int, contract: Contract, *, ticks: int, ignore_size: bool
    ) -> None:
        self.session = session
        self.req_id = req_id
        self.contract = contract
        self._ticks = ticks
        self._ignore_size = ignore_size
        self._quote: tuple[float, ...] = ()
        self._mid = 0.0

    def take(self, event: Event, at_s: float) -> None:
        """Send what this line is for; a client that does not read misses ticks, as IB's do."""
        if self.session.congested:
            self.session.conflated += 1
        elif isinstance(event, Print):
            if self._ticks in (1, 2):
                self._print(event, int(at_s))
        elif self._ticks == 3:
            self._bid_ask(event, int(at_s))
        elif self._ticks == 4:
            self._mid_point(event, int(at_s))

    def turn(self, at_s: float) -> None:
        """Nothing happens by the clock."""

    def _print(self, event: Print, time: int) -> None:
        self.session.send_message(
            "tick_by_tick_last",
            req_id=self.req_id,
            kind=self._ticks,
            time=time,
            price=event.price,
            size=event.size,
            mask=0,
            exchange=exchange_of(self.contract),
        )

    def _bid_ask(self, event: Quote, time: int) -> None:
        shown = (event.bid, event.ask) if self._ignore_size else tuple(event[1:])
        if shown == self._quote:
            return
        self._quote = shown
        self.session.send_message(
            "tick_by_tick_bid_ask",
            req_id=self.req_id,
            kind=3,
            time=time,
            bid=event.bid,
            ask=event.ask,
            bid_size=event.bid_size,
            ask_size=event.ask_size,
            mask=0,
        )

    def _mid_point(self, event: Quote, time: int) -> None:
        mid = round((event.bid + event.ask) / 2, 6)
        if not (event.bid and event.ask) or mid == self._mid:
            return
        self._mid = mid
        self.session.send_message(
            "tick_by_tick_mid_point", req_id=self.req_id, kind=4, time=time, mid_point=mid
        )


def exchange_of(contract: Contract) -> str:
    """Name the exchange that prints are said to come from."""
    return "CBOE" if contract.is_option else contract.name.primary_exchange
