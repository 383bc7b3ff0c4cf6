"""What one market-data line has said so far, and when that is enough.

    complete       what is wanted of it is there: bid, ask and IB's model (IV and delta) of an
                   option, open interest and volume where asked for; a price of an underlying
    partial        something of it is there
    no_quote       the line speaks, but there is neither a bid nor an ask
    missing        the line says nothing
    no_permission  IB refuses the line: the user is not subscribed to that data
    error          IB refuses the line for another reason (code and text)

An empty bid is not an answer that ends the wait at once: IB often sends it first and the bid
later. Where everything else is there it is waited for a moment only (`only_empty`): far options
have no bid, and a chain has hundreds of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ibcore.domain import GreeksKind, Quality, QuoteState
from ibcore.notices import NO_PERMISSION
from sidecar import empties, fold
from sidecar.ticks import Kind, Meaning, field_of, meaning_of

OPTION: Final = ("bid", "ask", "model")
OPTION_AND_INTEREST: Final = (*OPTION, "open_interest", "volume")
UNDERLYING: Final = ("price",)

_QUALITY: Final = {
    1: Quality.live,
    2: Quality.frozen,
    3: Quality.delayed,
    4: Quality.delayed_frozen,
}
_STATS: Final = frozenset({"close", "volume", "open_interest"})


@dataclass(slots=True)
class LineValues:
    """The newest values of one line."""

    right: str = ""
    wanted: tuple[str, ...] = OPTION
    book: fold.Book = fold.EMPTY_BOOK
    last: fold.Print | None = None
    model: fold.Computation | None = None
    stats: dict[str, float] = field(default_factory=dict)
    quality: Quality = Quality.live
    recv_us: int | None = None
    refusal: str = ""
    refused_with: int | None = None
    _empty: set[str] = field(default_factory=set)

    def price(self, tick_type: int, price: float, size: float) -> None:
        """Take a tickPrice with the size that came in the same message."""
        meaning = meaning_of(tick_type)
        if meaning.kind is Kind.bid:
            self.book = fold.bid(self.book, price, size)
            self._note_side("bid")
        elif meaning.kind is Kind.ask:
            self.book = fold.ask(self.book, price, size)
            self._note_side("ask")
        elif meaning.kind is Kind.last:
            self.last = fold.last(self.last, price, size)
        else:
            self._stat(tick_type, meaning, empties.price(price))

    def size(self, tick_type: int, size: float) -> None:
        """Take a tickSize."""
        meaning = meaning_of(tick_type)
        if meaning.kind is Kind.bid_size:
            self.book = fold.bid_size(self.book, size)
        elif meaning.kind is Kind.ask_size:
            self.book = fold.ask_size(self.book, size)
        elif meaning.kind is Kind.last_size:
            self.last = fold.last_size(self.last, size)
        else:
            self._stat(tick_type, meaning, empties.amount(size))

    def computation(self, tick_type: int, attrib: int, *numbers: float) -> None:
        """Take a computation, in the order of the wire; only IB's own model counts."""
        if meaning_of(tick_type).field == GreeksKind.model.value:
            self.model = fold.computation(attrib, *numbers)

    def data_type(self, code: int) -> None:
        """Take the word on whether this line is live, frozen or delayed."""
        self.quality = _QUALITY.get(code, self.quality)

    def missing(self) -> tuple[str, ...]:
        """Name what keeps this line from being complete."""
        return tuple(name for name in self.wanted if not self._has(name))

    @property
    def only_empty(self) -> bool:
        """Say whether all that is missing are sides of which IB has said that nobody is there."""
        absent = self.missing()
        return bool(absent) and self._empty.issuperset(absent)

    def refuse(self, code: int, text: str) -> None:
        """Take IB's word that this line will say no more."""
        self.refusal, self.refused_with = f"IB {code}: {text}", code

    def state(self) -> QuoteState:
        """Grade the line."""
        if self.refused_with is not None:
            known = self.refused_with in NO_PERMISSION
            return QuoteState.no_permission if known else QuoteState.error
        absent = self.missing()
        if not absent:
            return QuoteState.complete
        if self.recv_us is None and len(absent) == len(self.wanted):
            return QuoteState.missing
        if "bid" in absent and "ask" in absent:
            return QuoteState.no_quote
        return QuoteState.partial

    @property
    def mid(self) -> float | None:
        """Return the middle of bid and ask; None where one of them is not there."""
        bid, ask = self.book.bid, self.book.ask
        return None if bid is None or ask is None else (bid + ask) / 2

    def spot(self) -> float | None:
        """Return the best single price of an underlying: last, else mid, else the last close."""
        if self.last is not None:
            return self.last.price
        if self.book.bid is not None and self.book.ask is not None:
            return (self.book.bid + self.book.ask) / 2
        return self.stats.get("close")

    def _note_side(self, name: str) -> None:
        if getattr(self.book, name) is None:
            self._empty.add(name)
        else:
            self._empty.discard(name)

    def _has(self, name: str) -> bool:
        if name == "model":
            return self.model is not None and None not in (self.model.iv, self.model.delta)
        if name == "price":  # yesterday's close is better than nothing, but worth waiting for more
            return self.last is not None or None not in (self.book.bid, self.book.ask)
        if name in _STATS:
            return name in self.stats
        return getattr(self.book, name) is not None

    def _stat(self, tick_type: int, meaning: Meaning, value: float | None) -> None:
        name = field_of(tick_type, meaning, self.right)
        if name in _STATS and value is not None:
            self.stats[name] = value
