"""Reads back the COPY rows of trades: the prints that a spool still has."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from ibcore.domain import Trade

_HEAD: Final = Struct("!hiqiqiiiqii")
_SMALL: Final = Struct("!h")
_VALUE: Final = Struct("!d")
_NULL: Final = b"\xff\xff\xff\xff"


def read_prints(blob: bytes) -> Iterator[Trade]:
    """Yield the rows of `pgbinary.trades`, in their order, without their totals."""
    at = 0
    while at < len(blob):
        _, _, ts, _, recv, _, instrument, _, seq, _, epoch = _HEAD.unpack_from(blob, at)
        at += _HEAD.size
        provider, at = _read_text(blob, at)
        quality, at = _read_text(blob, at)
        (tick_type,) = _SMALL.unpack_from(blob, at + 4)
        source, at = _read_text(blob, at + 6)
        price, at = _read_double(blob, at)
        size, at = _read_double(blob, at)
        _, at = _read_double(blob, at)
        _, at = _read_double(blob, at)
        head = (ts, recv, instrument, seq, epoch, provider, quality)
        yield Trade(*head, tick_type, source, price or 0.0, size, None, None)


def _read_text(blob: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
    return blob[at + 4 : end].decode(), end


def _read_double(blob: bytes, at: int) -> tuple[float | None, int]:
    if blob[at : at + 4] == _NULL:
        return None, at + 4
    return _VALUE.unpack_from(blob, at + 4)[0], at + 12
