"""Alpaca's messages become rows: the same rows as IB's ticks do, with the vendor's quality.

A quote is a row when it changes the book; its `ts` is the time of arrival, as that of IB's quotes.
A print is a row when it sets the last price; its `ts` is the exchange's. A correction or a cancel
of an earlier print changes no row: rows are never changed. They are counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ibcore.clock import now_us
from ibcore.domain import Greeks, Provider, Quote, Trade, TradeSource
from sidecar import doubts
from sidecar.feed import RowSink
from sidecar.fold import EMPTY_BOOK, Book, Print
from sidecar.line import Line
from sidecar.providers.alpaca import conditions
from sidecar.providers.alpaca.greeks import Reading
from sidecar.providers.alpaca.wire import Message, micros

# IB's tick types of the same events.
_BID, _ASK, _LAST = 1, 2, 4
# A time of the exchange that is farther away from ours is a fault, and would open a strange day.
_DAY_US: Final = 86_400_000_000
_OPTION: Final = "OPT"


class Seat(NamedTuple):
    """Whose messages a symbol's are. `line` None: only its price is needed."""

    line: Line | None
    quality: str


@dataclass(slots=True)
class Oddities:
    """Messages that made no row for a reason worth counting."""

    corrections: int = 0
    cancels: int = 0
    no_prints: int = 0  # odd lots and the like
    garbled: int = 0
    orphans: int = 0


@dataclass(slots=True)
class _Known:
    symbol: str
    seat: Seat
    book: Book = EMPTY_BOOK
    events: int = 0
    recorded: Print | None = None  # the last print of whoever was active before
    reading: Reading | None = None


class VendorFeed:
    """Folds the messages of both streams into rows."""

    def __init__(self, recorder: RowSink, *, epoch: int, provider: Provider) -> None:
        self._recorder = recorder
        self._epoch = epoch
        self._provider = provider.value
        self._known: dict[str, _Known] = {}
        self._by_instrument: dict[int, _Known] = {}
        self.oddities = Oddities()

    def keep(self, seats: Mapping[str, Seat]) -> None:
        """Take whose messages come under which symbols; what is known of others is forgotten."""
        before = self._known
        self._known = {}
        for symbol, seat in seats.items():
            known = before.get(symbol)
            self._known[symbol] = known if known and known.seat == seat else _Known(symbol, seat)
        lined = (known for known in self._known.values() if known.seat.line is not None)
        self._by_instrument = {one.seat.line.instrument_id: one for one in lined if one.seat.line}

    def lost(self, *, options: bool) -> None:
        """Take that a stream is down: what its books are now is not known."""
        for known in self._known.values():
            if _is_option(known.seat.line) is options:
                known.book = EMPTY_BOOK

    def events(self, instrument_id: int) -> int:
        """Return how many messages were heard of an instrument, whatever they said."""
        known = self._by_instrument.get(instrument_id)
        return 0 if known is None else known.events

    def symbol_of(self, instrument_id: int) -> str | None:
        """Return under which symbol an instrument comes; None: under none."""
        known = self._by_instrument.get(instrument_id)
        return None if known is None else known.symbol

    def activate(self, instrument_id: int) -> None:
        """Take that the rows of an instrument are recorded from now on.

        Its book, if one is known, is a row at once: what the database has is old. A first print
        that equals the last recorded one is taken for the same.
        """
        known = self._by_instrument.get(instrument_id)
        if known is None:
            return
        known.recorded = self._recorder.last_print(instrument_id)
        known.reading = None
        if known.book != EMPTY_BOOK:
            self._recorder.record(Quote(*self._head(known, now_us()), _BID, *known.book))

    def middle(self, symbol: str) -> float | None:
        """Return the middle of bid and ask; None: one of them is not there, or they cross."""
        known = self._known.get(symbol)
        if known is None or known.book.bid is None or known.book.ask is None:
            return None
        bid, ask = known.book.bid, known.book.ask
        return (bid + ask) / 2 if 0 < bid <= ask else None

    def take(self, messages: Sequence[Message], recv_us: int) -> None:
        """Take the messages of one frame; `recv_us`: when it came, since 2000."""
        self._recorder.heard(len(messages))
        for message in messages:
            known = self._known.get(message.get("S", ""))
            if known is None:
                self.oddities.orphans += 1  # just unsubscribed
                continue
            known.events += 1
            match message.get("T"):
                case "q":
                    self._quote(known, message, recv_us)
                case "t":
                    self._trade(known, message, recv_us)
                case "c":
                    self.oddities.corrections += 1
                case "x":
                    self.oddities.cancels += 1

    def computed(self, symbol: str, reading: Reading) -> None:
        """Take greeks of an option: a row when they say something new."""
        known = self._known.get(symbol)
        if known is None or known.seat.line is None or reading == known.reading:
            return
        known.reading = reading
        head = self._head(known, now_us())
        priced = (reading.option_price, None, reading.underlying_price, None)
        self._recorder.record(Greeks(*head, *reading[:6], *priced))

    def _quote(self, known: _Known, message: Message, recv_us: int) -> None:
        bid, ask = _side(message, "bp", "bs"), _side(message, "ap", "as")
        if bid is None or ask is None:
            self.oddities.garbled += 1
            return
        book = Book(*bid, *ask)
        if book == known.book:
            return
        tick_type = _ASK if book[:2] == known.book[:2] else _BID
        known.book = book
        if known.seat.line is not None:
            self._recorder.record(Quote(*self._head(known, recv_us), tick_type, *book))

    def _trade(self, known: _Known, message: Message, recv_us: int) -> None:
        line, sold = known.seat.line, _side(message, "p", "s")
        if line is None:
            return
        if sold is None or sold[0] is None:
            self.oddities.garbled += 1
            return
        if not _is_print(line, message):
            self.oddities.no_prints += 1
            return
        printed, recorded = Print(sold[0], sold[1]), known.recorded
        known.recorded = None
        if printed == recorded:
            return
        head = self._head(known, recv_us, _event_us(message, recv_us))
        source = TradeSource.tick_by_tick.value
        self._recorder.record(Trade(*head, _LAST, source, *printed, None, None))

    def _head(
        self, known: _Known, recv_us: int, ts: int | None = None
    ) -> tuple[int, int, int, int, int, str, str]:
        line, quality = known.seat
        assert line is not None
        return (
            recv_us if ts is None else ts,
            recv_us,
            line.instrument_id,
            self._recorder.next_seq(),
            self._epoch,
            self._provider,
            quality,
        )


def _is_option(line: Line | None) -> bool:
    return line is not None and line.sec_type == _OPTION


def _side(message: Message, price: str, size: str) -> tuple[float | None, float | None] | None:
    value, amount = _number(message.get(price)), _number(message.get(size))
    if value is None or amount is None:
        return None
    if value == 0.0:  # "the security has no active bid"
        return None, None
    if value < 0.0 or doubts.price(value, amount, sec_type="STK") or doubts.size(amount):
        return None
    return value, amount or None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _is_print(line: Line, message: Message) -> bool:
    if _is_option(line):
        return conditions.option_print(message.get("c"))
    return conditions.stock_print(message.get("c"), message.get("z"))


def _event_us(message: Message, recv_us: int) -> int:
    told = micros(message.get("t"))
    return told if told is not None and abs(recv_us - told) < _DAY_US else recv_us
