"""Reads the tick messages of ib_async 2.0.1's decoder once, for the sink; then, maybe, a Ticker.

Part of `ib_compat`. The vendor's handlers (decoder.py:39-145) convert each field through a list
of types, look a Ticker up and log an error with a traceback over a field that is no number. These
convert what they need, tell the sink, hand to it what cannot be read, with its raw text, and call
the vendor's handler only for a line on which somebody asked for a Ticker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ib_async import Client

from ibcore.domain import RejectReason
from sidecar.tick_sink import TickSink

PRICE: Final = 1
SIZE: Final = 2
COMPUTATION: Final = 21
GENERIC: Final = 45
STRING: Final = 46
NO_PRICE: Final = float("nan")
# `tick_type` is a smallint in the tables.
LARGEST_TYPE: Final = 32_767
RAW_LIMIT: Final = 200

Fields = list[str]
Handler = Callable[[Fields], Any]


class TickReader:
    """The handlers of one client's tick messages."""

    def __init__(self, client: Client, sink: TickSink) -> None:
        self._sink = sink
        self._wrapper = client.wrapper
        handlers: dict[int, Handler] = client.decoder.handlers
        own: dict[int, Handler] = {
            PRICE: self._price,
            SIZE: self._size,
            COMPUTATION: self._computation,
            GENERIC: self._generic,
            STRING: self._string,
        }
        self._vendor = {number: handlers[number] for number in own}
        handlers.update(own)

    def _price(self, fields: Fields) -> None:
        try:
            req_id, tick_type = int(fields[2]), _type(fields[3])
            text = fields[4]
            price = float(text) if text else NO_PRICE
            size = float(fields[5] or 0)
        except (ValueError, IndexError):
            self._unreadable(fields, 2)
            return
        doubt = self._sink.price_size(req_id, tick_type, price, size)
        # decoder.py:191 drops a tickPrice without a price, its size included: no doubt, no price.
        if doubt is not None and text:
            self._reject(req_id, tick_type, doubt, fields[4:6])
        self._ticker(req_id, PRICE, fields)

    def _size(self, fields: Fields) -> None:
        try:
            req_id, tick_type, size = int(fields[2]), _type(fields[3]), float(fields[4] or 0)
        except (ValueError, IndexError):
            self._unreadable(fields, 2)
            return
        doubt = self._sink.size(req_id, tick_type, size)
        if doubt is not None:
            self._reject(req_id, tick_type, doubt, fields[4:])
        self._ticker(req_id, SIZE, fields)

    def _generic(self, fields: Fields) -> None:
        try:
            req_id, tick_type, value = int(fields[2]), _type(fields[3]), float(fields[4] or 0)
        except (ValueError, IndexError):
            self._unreadable(fields, 2)
            return
        doubt = self._sink.generic(req_id, tick_type, value)
        if doubt is not None:
            self._reject(req_id, tick_type, doubt, fields[4:])
        self._ticker(req_id, GENERIC, fields)

    def _string(self, fields: Fields) -> None:
        try:
            req_id, tick_type, value = int(fields[2]), _type(fields[3]), fields[4]
        except (ValueError, IndexError):
            self._unreadable(fields, 2)
            return
        doubt = self._sink.string(req_id, tick_type, value)
        if doubt is not None:
            self._reject(req_id, tick_type, doubt, fields[4:])
        self._ticker(req_id, STRING, fields)

    def _computation(self, fields: Fields) -> None:
        try:
            req_id, tick_type, attrib = int(fields[1]), _type(fields[2]), int(fields[3])
            iv, delta, price, dividend, gamma, vega, theta, spot = map(float, fields[4:12])
        except (ValueError, IndexError):
            self._unreadable(fields, 1)
            return
        doubt = self._sink.computation(
            req_id, tick_type, attrib, iv, delta, price, dividend, gamma, vega, theta, spot
        )
        if doubt is not None:
            self._reject(req_id, tick_type, doubt, fields[4:])
        if req_id in self._wrapper.reqId2Ticker or req_id in self._wrapper._futures:
            self._vendor[COMPUTATION](fields)

    def _ticker(self, req_id: int, message: int, fields: Fields) -> None:
        if req_id in self._wrapper.reqId2Ticker:
            self._vendor[message](fields)

    def _reject(self, req_id: int, tick_type: int, doubt: RejectReason, said: Fields) -> None:
        self._sink.reject(req_id, tick_type, doubt, ";".join(said)[:RAW_LIMIT])

    def _unreadable(self, fields: Fields, place: int) -> None:
        req_id, tick_type = (_number(fields, place + step) for step in (0, 1))
        self._reject(req_id, tick_type, RejectReason.unreadable, fields)


def _type(text: str) -> int:
    number = int(text)
    if not 0 <= number <= LARGEST_TYPE:
        raise ValueError(text)
    return number


def _number(fields: Fields, place: int) -> int:
    """Return the id or type at `place` of a message that cannot be read; -1: not even that."""
    text = fields[place] if place < len(fields) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else -1
