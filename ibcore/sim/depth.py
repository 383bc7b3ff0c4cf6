"""Market depth: a ladder of prices around the best bid and ask, sent as inserts and updates.

The model has no order book behind its quotes. The first row is the quote itself; the rows behind
it follow a tick apart, with sizes that depend on price alone, so that a row only changes when the
quote does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ibcore.sim.contracts import Contract
from ibcore.sim.observed import Event, Print, Quote

if TYPE_CHECKING:
    from ibcore.sim.session import Session

NAME: Final = "depth"
LIMIT: Final = 3  # requests at once for up to 400 lines
MAX_ROWS: Final = 60
_INSERT, _UPDATE, _DELETE = 0, 1, 2
_ASK, _BID = 0, 1
_VENUES: Final = ("ARCA", "NASDAQ", "BATS", "EDGX", "IEX", "NYSE", "MEMX", "BYX")
RESET: Final = (
    "Market depth data has been RESET. Please empty deep book contents before applying any new"
    " entries."
)

Row = tuple[str, float, float]  # market maker, price, size


class Depth:
    """One depth subscription."""

    kind = NAME

    def __init__(
        self, session: Session, req_id: int, contract: Contract, *, rows: int, smart: bool
    ) -> None:
        self.session = session
        self.req_id = req_id
        self.contract = contract
        self._rows = rows
        self._smart = smart
        self._sent: dict[int, list[Row]] = {_ASK: [], _BID: []}
        self._missed = False

    def take(self, event: Event, at_s: float) -> None:
        """Send the rows that differ; after an overflow the book begins anew, with 317."""
        if isinstance(event, Print):
            return
        if self.session.congested:
            self._missed = True
            return
        if self._missed:
            self.reset()
        self.show(event)

    def turn(self, at_s: float) -> None:
        """Nothing happens by the clock."""

    def reset(self) -> None:
        """Tell the client to forget the book."""
        self._missed = False
        self._sent = {_ASK: [], _BID: []}
        self.session.error(self.req_id, 317, RESET)

    def show(self, quote: Quote) -> None:
        """Bring the book up to a quote."""
        self._side(_BID, self._ladder(quote.bid, quote.bid_size, -1))
        self._side(_ASK, self._ladder(quote.ask, quote.ask_size, 1))

    def _ladder(self, best: float, size: float, direction: int) -> list[Row]:
        if best <= 0:
            return []
        tick = self.contract.min_tick
        first = round(best / tick)
        prices = [first + direction * away for away in range(self._rows)]
        return [
            (_VENUES[p % len(_VENUES)], round(p * tick, 6), size if p == first else _behind(p))
            for p in prices
            if p > 0
        ]

    def _side(self, side: int, rows: list[Row]) -> None:
        sent = self._sent[side]
        for place in range(len(sent) - 1, len(rows) - 1, -1):
            self._send(place, _DELETE, side, ("", 0.0, 0.0))
        for place, row in enumerate(rows):
            if place >= len(sent):
                self._send(place, _INSERT, side, row)
            elif row != sent[place]:
                self._send(place, _UPDATE, side, row)
        self._sent[side] = rows

    def _send(self, place: int, operation: int, side: int, row: Row) -> None:
        maker, price, size = row
        values = {"position": place, "operation": operation, "side": side, "price": price}
        if not self._smart:
            self.session.send_message("market_depth", req_id=self.req_id, size=size, **values)
            return
        self.session.send_message(
            "market_depth_l2",
            req_id=self.req_id,
            market_maker=maker,
            size=size,
            smart=True,
            **values,
        )


def _behind(price: int) -> float:
    """Return the size that stands at a price behind the best one."""
    return float(100 * (1 + price * 7919 % 23))
