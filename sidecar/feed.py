"""The raw tap's end: every tick message of a session becomes rows, or provably changes nothing.

A `Feed` hears each message before ib_async's Ticker does (the Ticker coalesces), looks up the
line of its request id, folds the message into the line's state, and hands a row to the recorder
if the state changed. It never blocks and never raises over a value that IB sent.

What is remembered for how long:
    the book      for the life of a line. After a reconnect the first quote is a row again: it
                  is the evidence that the old price is still good.
    the last print, the statistics
                  for the life of the process. IB re-sends its last price, size and statistics
                  to every new subscription; that is no new print. The price of this rule: a
                  print during an outage that equals the one before it in price and size is not
                  told apart from the re-sent one.
"""

from __future__ import annotations

from typing import Final, Protocol

from ibcore.clock import PG_EPOCH_UNIX_US, monotonic
from ibcore.domain import Greeks, MarketRow, Provider, Quote, RejectReason, Stat, Trade
from sidecar import doubts, fold
from sidecar.line import InstrumentState, Line, Oddities, OpenLine
from sidecar.rejects import RejectBook, Rejected
from sidecar.statistic import judge
from sidecar.ticks import Kind, Meaning, field_of, meaning_of

__all__ = ["Feed", "Line", "RowSink"]


class RowSink(Protocol):
    """What a feed needs of the recorder."""

    def next_seq(self) -> int: ...
    def record(self, row: MarketRow) -> None: ...
    def forget(self, instrument_id: int, field: str) -> None: ...
    def last_print(self, instrument_id: int) -> fold.Print | None: ...
    def heard(self, messages: int = 1) -> None: ...


class Feed:
    """Fold the tick messages of one session into rows (implements `ib_compat.TickSink`)."""

    def __init__(
        self,
        recorder: RowSink,
        *,
        epoch: int,
        provider: Provider = Provider.ib,
        rejects: RejectBook | None = None,
    ) -> None:
        self._recorder = recorder
        self._epoch = epoch
        self._provider = provider.value
        self._recv_ts = 0
        self._lines: dict[int, OpenLine] = {}
        self._instruments: dict[int, InstrumentState] = {}
        self.rejects = rejects or RejectBook()
        self.oddities = Oddities()

    # lines

    def open_line(self, req_id: int, line: Line) -> None:
        """Take the messages of `req_id` as being about `line`."""
        known = self._instruments.get(line.instrument_id)
        if known is None:
            known = InstrumentState(self._recorder.last_print(line.instrument_id))
            self._instruments[line.instrument_id] = known
        self._lines[req_id] = OpenLine(line, known)

    def close_line(self, req_id: int) -> None:
        """Stop listening to `req_id`; what still arrives for it is counted, not recorded."""
        self._lines.pop(req_id, None)

    def events(self, instrument_id: int) -> int:
        """Return how many ticks were heard of an instrument, whatever they said."""
        known = self._instruments.get(instrument_id)
        return 0 if known is None else known.events

    def is_halted(self, instrument_id: int) -> bool:
        """Say whether IB's last word on it was that trading is halted."""
        known = self._instruments.get(instrument_id)
        value = None if known is None else known.stats.get("halted")
        return isinstance(value, float) and value > 0

    # messages

    def packet(self, recv_us: int) -> None:
        """Note the arrival time (microseconds since 2000) of the messages that follow."""
        self._recv_ts = recv_us

    def price_size(
        self, req_id: int, tick_type: int, price: float, size: float
    ) -> RejectReason | None:
        """Take a tickPrice message."""
        live = self._heard(req_id)
        if live is None:
            return None
        meaning = meaning_of(tick_type)
        kind = meaning.kind
        if kind not in _PRICED:
            return self._value(live, tick_type, meaning, price)
        doubt = doubts.price(price, size, sec_type=live.line.sec_type)
        if doubt is not None:
            price = NOTHING
        elif (doubt := doubts.size(size)) is not None:
            size = NOTHING
        if kind is Kind.bid:
            self._quote(live, tick_type, fold.bid(live.book, price, size), meaning.delayed)
        elif kind is Kind.ask:
            self._quote(live, tick_type, fold.ask(live.book, price, size), meaning.delayed)
        else:
            printed = fold.last(live.instrument.last, price, size, signed=live.signed)
            self._last(live, tick_type, printed, meaning.delayed)
        return doubt

    def size(self, req_id: int, tick_type: int, size: float) -> RejectReason | None:
        """Take a tickSize message."""
        live = self._heard(req_id)
        if live is None:
            return None
        meaning = meaning_of(tick_type)
        kind = meaning.kind
        if kind is Kind.bid_size:
            self._quote(live, tick_type, fold.bid_size(live.book, size), meaning.delayed)
        elif kind is Kind.ask_size:
            self._quote(live, tick_type, fold.ask_size(live.book, size), meaning.delayed)
        elif kind is Kind.last_size:
            printed = fold.last_size(live.instrument.last, size)
            self._last(live, tick_type, printed, meaning.delayed)
        else:
            return self._value(live, tick_type, meaning, size)
        return doubts.size(size)

    def generic(self, req_id: int, tick_type: int, value: float) -> RejectReason | None:
        """Take a tickGeneric message."""
        live = self._heard(req_id)
        return None if live is None else self._value(live, tick_type, meaning_of(tick_type), value)

    def string(self, req_id: int, tick_type: int, value: str) -> RejectReason | None:
        """Take a tickString message."""
        live = self._heard(req_id)
        if live is None:
            return None
        meaning = meaning_of(tick_type, text=True)
        if (doubt := doubts.text(value)) is not None:
            return doubt
        if meaning.kind is Kind.prints:
            return self._print(live, tick_type, meaning, value)
        if meaning.kind is Kind.text_stat:
            self._stat(live, tick_type, meaning, value.replace("\0", "") or None)
            return None
        try:
            number = float(value)
        except ValueError:
            return RejectReason.unreadable
        return self._value(live, tick_type, meaning, number)

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
        """Take a tickOptionComputation message: each is a row, "no result" only once."""
        live = self._heard(req_id)
        if live is None:
            return None
        meaning = meaning_of(tick_type)
        if meaning.kind is not Kind.greeks:
            return RejectReason.unreadable
        numbers = (iv, delta, price, pv_dividend, gamma, vega, theta, und_price)
        computed = fold.computation(attrib, *numbers)
        known = live.instrument.computed
        silent = fold.says_nothing(computed)
        if not silent or meaning.field in known:
            (known.discard if silent else known.add)(meaning.field)
            head = self._head(live, meaning.delayed)
            row = Greeks(*head, meaning.field, *computed[:8], computed.price_based)
            self._recorder.record(row)
        return doubts.computation(*numbers)

    def reject(self, req_id: int, tick_type: int, reason: RejectReason, raw: str) -> None:
        """Keep what a tick said that was not believed, or could not be read."""
        live = self._lines.get(req_id)
        instrument_id = None if live is None else live.line.instrument_id
        tick = Rejected(self._recv_ts, instrument_id, tick_type, reason, raw)
        self.rejects.refuse(monotonic(), tick)

    def data_type(self, req_id: int, market_data_type: int) -> None:
        """Take a marketDataType message: the quality of what follows on the line."""
        live = self._heard(req_id, events=0)
        if live is not None:
            live.data_type(market_data_type)

    def snapshot_end(self, req_id: int) -> None:
        """Do nothing: a stream has no end."""

    def notice(self, req_id: int, code: int, text: str) -> None:
        """Take an error message; the watch acts on it, a row never comes of it."""

    # rows

    def _heard(self, req_id: int, events: int = 1) -> OpenLine | None:
        self._recorder.heard()
        live = self._lines.get(req_id)
        if live is None:
            self.oddities.orphans += 1
        else:
            live.instrument.events += events
        return live

    def _head(
        self, live: OpenLine, delayed: bool, ts: int | None = None
    ) -> tuple[int, int, int, int, int, str, str]:
        recv_ts = self._recv_ts
        return (
            recv_ts if ts is None else ts,
            recv_ts,
            live.line.instrument_id,
            self._recorder.next_seq(),
            self._epoch,
            self._provider,
            live.quality_of(delayed),
        )

    def _quote(self, live: OpenLine, tick_type: int, book: fold.Book, delayed: bool) -> None:
        if book != live.book:
            live.book = book
            self._recorder.record(Quote(*self._head(live, delayed), tick_type, *book))

    def _last(
        self, live: OpenLine, tick_type: int, printed: fold.Print | None, delayed: bool
    ) -> None:
        if printed is None or printed == live.instrument.last:
            return
        live.instrument.last = printed
        head = self._head(live, delayed)
        self._recorder.record(Trade(*head, tick_type, "last", *printed, None, None))

    def _print(
        self, live: OpenLine, tick_type: int, meaning: Meaning, text: str
    ) -> RejectReason | None:
        if live.instrument.prints.get(tick_type) == text:
            return None
        printed = fold.timed_print(text)
        if printed is None:
            return RejectReason.unreadable
        live.instrument.prints[tick_type] = text
        price, size, unix_ms, volume, vwap = printed
        if price is None:
            self._stat(live, tick_type, meaning, volume)
            return None if text.startswith(";") else RejectReason.not_finite
        doubt = doubts.price(price, size or 0.0, sec_type=live.line.sec_type)
        if doubt is not None:
            return doubt
        ts = None if unix_ms is None else unix_ms * 1_000 - PG_EPOCH_UNIX_US
        head = self._head(live, meaning.delayed, ts)
        row = Trade(*head, tick_type, meaning.field, price, size, volume, vwap)
        self._recorder.record(row)
        return None

    def _value(
        self, live: OpenLine, tick_type: int, meaning: Meaning, value: float
    ) -> RejectReason | None:
        kind = meaning.kind
        if kind is Kind.text_stat:
            self._stat(live, tick_type, meaning, f"{value:g}")
            return None
        value_now, doubt = judge(kind, value, sec_type=live.line.sec_type, signed=live.signed)
        if doubt is not RejectReason.unreadable:
            self._stat(live, tick_type, meaning, value_now)
        return doubt

    def _stat(
        self, live: OpenLine, tick_type: int, meaning: Meaning, value: float | str | None
    ) -> None:
        name = field_of(tick_type, meaning, live.line.right)
        stats = live.instrument.stats
        if stats.get(name) == value:
            return
        stats[name] = value
        if value is None:
            self._recorder.forget(live.line.instrument_id, name)
            return
        self._recorder.record(Stat(*self._head(live, meaning.delayed), tick_type, name, value))


_PRICED: Final = frozenset({Kind.bid, Kind.ask, Kind.last})
NOTHING: Final = float("nan")
