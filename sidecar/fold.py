"""How one tick changes what is known of a line: pure functions over frozen states.

A row is written if and only if the state changes: `fold(state, tick) != state`. So IB's echo of
a size that came with its price makes no row, and a replay of the same ticks makes the same rows.

    Book    best bid and ask. A side is (None, None) while nobody is there.
    Print   the last price and size. None until IB names a price.

What empties a side of the book: a size of zero under a price of zero or less (IB's "-1, 0"), or
a size tick of zero while a size was known. A price that is no number is None. A positive price
with size zero stays, its size is unknown: indices and some bonds are quoted without sizes. A
negative price with a size above zero stays too: spreads have them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sidecar import empties


class Book(NamedTuple):
    """The best bid and ask of one line."""

    bid: float | None = None
    bid_size: float | None = None
    ask: float | None = None
    ask_size: float | None = None


class Print(NamedTuple):
    """The last price and size of one instrument."""

    price: float
    size: float | None


class TimedPrint(NamedTuple):
    """One print of tick 48 or 77; `price` is None when only the totals moved."""

    price: float | None
    size: float | None
    unix_ms: int | None
    volume: float | None
    vwap: float | None


class Computation(NamedTuple):
    """The numbers of one option computation, None where IB has none."""

    iv: float | None
    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None
    option_price: float | None
    pv_dividend: float | None
    underlying_price: float | None
    price_based: bool | None


EMPTY_BOOK: Final = Book()
_NOBODY: Final = (None, None)
_NO_NUMBERS: Final = (None,) * 6
_Side = tuple["float | None", "float | None"]


def _side(price: float, size: float) -> _Side:
    if size == 0.0 and price <= 0.0:
        return _NOBODY
    return empties.number(price), (empties.amount(size) or None)


def _resized(price: float | None, old: float | None, size: float) -> _Side:
    clean = empties.amount(size)
    if clean == 0.0:
        # The echo of "-1, 0", and of a quote without sizes, must not change anything.
        return (price, None) if old is None else _NOBODY
    return price, clean


def bid(book: Book, price: float, size: float) -> Book:
    """Take a bid price with its size."""
    return Book(*_side(price, size), book.ask, book.ask_size)


def ask(book: Book, price: float, size: float) -> Book:
    """Take an ask price with its size."""
    return Book(book.bid, book.bid_size, *_side(price, size))


def bid_size(book: Book, size: float) -> Book:
    """Take a bid size."""
    return Book(*_resized(book.bid, book.bid_size, size), book.ask, book.ask_size)


def ask_size(book: Book, size: float) -> Book:
    """Take an ask size."""
    return Book(book.bid, book.bid_size, *_resized(book.ask, book.ask_size, size))


def last(known: Print | None, price: float, size: float, *, signed: bool = False) -> Print | None:
    """Take a last price with its size; IB's "nothing traded" changes nothing.

    `signed`: the line is an index, whose value may be -1 or 0 and never has a size.
    """
    if empties.poisoned(price) or (size == 0.0 and price <= 0.0 and not signed):
        return known
    return Print(price, empties.amount(size) or None)


def last_size(known: Print | None, size: float) -> Print | None:
    """Take a last size: a print at the known price. Without a price it says nothing."""
    clean = empties.amount(size)
    if known is None or not clean:
        return known
    return Print(known.price, clean)


def timed_print(text: str) -> TimedPrint | None:
    """Read "price;size;ms;volume;vwap;single" (ticks 48 and 77); None when it is malformed."""
    fields = text.split(";")
    if len(fields) < 5:
        return None
    try:
        price, size, unix_ms, volume, vwap = (float(part) if part else None for part in fields[:5])
    except ValueError:
        return None
    milliseconds = None if unix_ms is None else empties.amount(unix_ms)
    return TimedPrint(
        None if price is None else empties.number(price),
        None if size is None else empties.amount(size),
        int(milliseconds) if milliseconds else None,
        None if volume is None else empties.amount(volume),
        None if vwap is None else empties.number(vwap),
    )


def computation(attrib: int, iv: float, delta: float, *rest: float) -> Computation:
    """Clean one computation.

    `rest`: option price, present value of dividends, gamma, vega, theta, underlying price, in
    the order of the wire. ib_async 2.0.1 lets vega and theta of -2 pass (wrapper.py:1329-1330).
    """
    option_price, pv_dividend, gamma, vega, theta, underlying = rest
    return Computation(
        empties.amount(iv),
        _greek(delta),
        _greek(gamma),
        _greek(vega),
        _greek(theta),
        empties.amount(option_price),
        empties.amount(pv_dividend),
        empties.price(underlying),
        bool(attrib) if attrib in (0, 1) else None,
    )


def says_nothing(computed: Computation) -> bool:
    """Say whether IB could compute neither a volatility, nor a greek, nor a price."""
    return computed[:6] == _NO_NUMBERS


def _greek(value: float) -> float | None:
    return None if value == empties.NO_GREEK else empties.number(value)
