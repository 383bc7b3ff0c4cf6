"""PostgreSQL's binary formats, written by hand where that is cheaper than one call a value.

COPY rows are encoded once, when a batch is sealed: 60 to 170 bytes a row instead of some 400 as
tuples while the database is away, one write a table and transaction, and the very blob that a
durable spool keeps. Parameters of the `quote_latest` upserts are arrays, packed in one go.
Formats: PostgreSQL manual, COPY "Binary Format"; array_send in arrayfuncs.c.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple, TypeVar

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ibcore.domain import Greeks, Quote, Stat, Trade

COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_DOUBLE: Final = Struct("!id").pack
_TRUE: Final = b"\0\0\0\x01\x01"
_FALSE: Final = b"\0\0\0\x01\0"
_QUOTE_COLUMNS: Final = len(Quote._fields)
_TRADE_COLUMNS: Final = len(Trade._fields)
_GREEKS_COLUMNS: Final = len(Greeks._fields)
_STAT_COLUMNS: Final = len(Stat._fields) + 1  # value and text_value
_Row = TypeVar("_Row")


def quotes(rows: Iterable[Quote]) -> bytes:
    """Encode rows for COPY ibkeeper.quote."""
    return _encode(_quote, rows)


def trades(rows: Iterable[Trade]) -> bytes:
    """Encode rows for COPY ibkeeper.trade."""
    return _encode(_trade, rows)


def greeks(rows: Iterable[Greeks]) -> bytes:
    """Encode rows for COPY ibkeeper.greeks."""
    return _encode(_greeks, rows)


def stats(rows: Iterable[Stat]) -> bytes:
    """Encode rows for COPY ibkeeper.instrument_stat."""
    return _encode(_stat, rows)


def _encode(encoder: Callable[[_Row], bytes], rows: Iterable[_Row]) -> bytes:
    return b"".join(map(encoder, rows))


def _double(value: float | None) -> bytes:
    return _NULL if value is None else _DOUBLE(8, value)


@functools.lru_cache(maxsize=512)
def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(4, "big") + data


@functools.lru_cache(maxsize=64)
def _origin(provider: str, quality: str) -> bytes:
    return _text(provider) + _text(quality)


# The column count, then ts, recv_ts, instrument_id, seq, epoch, each with its length.
_HEAD: Final = "!hiqiqiiiqii"
_head: Final = Struct(_HEAD).pack
_small: Final = Struct("!ih").pack


class _Layout(NamedTuple):
    """What rows with the same texts share. One call packs one that has no NULL: half the time."""

    pack: Callable[..., bytes]
    texts: bytes


@functools.lru_cache(maxsize=64)
def _quote_layout(provider: str, quality: str) -> _Layout:
    texts = _origin(provider, quality)
    return _Layout(Struct(f"{_HEAD}{len(texts)}sihidididid").pack, texts)


@functools.lru_cache(maxsize=256)
def _greeks_layout(provider: str, quality: str, kind: str) -> _Layout:
    texts = _origin(provider, quality) + _text(kind)
    return _Layout(Struct(f"{_HEAD}{len(texts)}sidididididididid").pack, texts)


def _quote(row: Quote) -> bytes:
    ts, recv, instrument, seq, epoch, provider, quality, tick_type, bid, bid_size, ask, size = row
    pack, texts = _quote_layout(provider, quality)
    if bid is None or bid_size is None or ask is None or size is None:
        head = _head(_QUOTE_COLUMNS, 8, ts, 8, recv, 4, instrument, 8, seq, 4, epoch)
        return head + texts + _small(2, tick_type) + b"".join(map(_double, row[8:]))
    return pack(
        _QUOTE_COLUMNS, 8, ts, 8, recv, 4, instrument, 8, seq, 4, epoch, texts, 2, tick_type,
        8, bid, 8, bid_size, 8, ask, 8, size,
    )  # fmt: skip


def _trade(row: Trade) -> bytes:
    ts, recv, instrument, seq, epoch, provider, quality, tick_type, source = row[:9]
    return (
        _head(_TRADE_COLUMNS, 8, ts, 8, recv, 4, instrument, 8, seq, 4, epoch)
        + _origin(provider, quality)
        + _small(2, tick_type)
        + _text(source)
        + b"".join(map(_double, row[9:]))
    )


def _greeks(row: Greeks) -> bytes:
    ts, recv, instrument, seq, epoch, provider, quality, kind = row[:8]
    pack, texts = _greeks_layout(provider, quality, kind)
    based = row[16]
    told = _NULL if based is None else _TRUE if based else _FALSE
    a, b, c, d, e, f, g, h = numbers = row[8:16]
    if None in numbers:
        head = _head(_GREEKS_COLUMNS, 8, ts, 8, recv, 4, instrument, 8, seq, 4, epoch)
        return head + texts + b"".join(map(_double, numbers)) + told
    return pack(
        _GREEKS_COLUMNS, 8, ts, 8, recv, 4, instrument, 8, seq, 4, epoch, texts,
        8, a, 8, b, 8, c, 8, d, 8, e, 8, f, 8, g, 8, h,
    ) + told  # fmt: skip


def _stat(row: Stat) -> bytes:
    ts, recv, instrument, seq, epoch, provider, quality, tick_type, field, value = row
    return (
        _head(_STAT_COLUMNS, 8, ts, 8, recv, 4, instrument, 8, seq, 4, epoch)
        + _origin(provider, quality)
        + _small(2, tick_type)
        + _text(field)
        + (_NULL + _text(value) if isinstance(value, str) else _DOUBLE(8, value) + _NULL)
    )


class Array(bytes):
    """An array parameter, already in PostgreSQL's binary format."""


class Int4Array(Array):
    """int4[]"""


class Int8Array(Array):
    """int8[]"""


class MomentArray(Array):
    """timestamptz[] made of microseconds since 2000."""


class DoubleArray(Array):
    """float8[]"""


class TextArray(Array):
    """text[]"""


_A = TypeVar("_A", bound=Array)
_ELEMENT: Final = {Int4Array: 23, Int8Array: 20, MomentArray: 1184, DoubleArray: 701, TextArray: 25}
_ARRAY: Final = {
    Int4Array: 1007,
    Int8Array: 1016,
    MomentArray: 1185,
    DoubleArray: 1022,
    TextArray: 1009,
}
_WIDTH: Final = {Int4Array: "i", Int8Array: "q", MomentArray: "q", DoubleArray: "d"}
_ARRAY_HEAD: Final = Struct("!iiiii").pack


def array(kind: type[_A], values: Sequence[float | str | None]) -> _A:
    """Pack `values` (None is NULL) as an array parameter of `kind`."""
    head = _ARRAY_HEAD(1, 1, _ELEMENT[kind], len(values), 1)
    return kind(head + b"".join(_elements(kind, values)))


def _elements(kind: type[Array], values: Sequence[float | str | None]) -> Iterable[bytes]:
    if kind is TextArray:
        return [_NULL if value is None else _text(str(value)) for value in values]
    packed = Struct(f"!i{_WIDTH[kind]}")
    pack, width = packed.pack, packed.size - 4
    return [_NULL if value is None else pack(width, value) for value in values]


def register(connection: psycopg.Connection[Any]) -> None:
    """Let `connection` take the arrays of this module as parameters."""
    for kind, oid in _ARRAY.items():
        dumper = type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"oid": oid})
        connection.adapters.register_dumper(kind, dumper)


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj
