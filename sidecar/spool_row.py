"""How a batch stands in the spool's file: a row of columns, a body, and a checksum of both.

Body: the lengths of the four tables (uint32 each, network order) and the earliest and latest
event time (int64 each; the first files had no times), then the COPY rows. The
checksum covers the columns too: a number that was damaged must not name another batch.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final
from uuid import UUID

from sidecar.batch import Batch, Blobs, Origin, Span
from sidecar.change import Change

_LENGTHS: Final = Struct("!IIII")
_TIMES: Final = Struct("!qq")
Row = tuple[Any, ...]
_NO_CHANGE: Final = Change()
_LARGEST: Final = 1 << 52


@dataclass(frozen=True, slots=True)
class Damaged:
    """A row of the file that is not what was written."""

    spool: str
    number: int
    span: Span
    sealed_us: int
    reason: str


def pack(batch: Batch) -> Row:
    """Return the columns of `add_batch`."""
    times = _TIMES.pack(*batch.times) if batch.times else b""
    body = b"".join((_LENGTHS.pack(*map(len, batch.blobs)), times, *batch.blobs))
    spool, sidecar, epoch = batch.origin
    columns = (str(spool), batch.number, sidecar, epoch, *batch.span, batch.sealed_us)
    return (*columns, _checksum(columns, body), body)


def unpack(row: Row) -> Batch | Damaged:
    """Return the batch of a row of `page`, or what is left of it."""
    *columns, crc, body = row
    spool, number, sidecar, epoch, first_seq, last_seq, rows, sealed_us = columns
    span = Span(first_seq, last_seq, rows)
    if not isinstance(body, bytes) or crc != _checksum(tuple(columns), body):
        return _damaged(spool, number, span, sealed_us)
    times, blobs = _split(body)
    return Batch(
        origin=Origin(UUID(spool), sidecar, epoch),
        number=number,
        span=span,
        sealed_us=sealed_us,
        blobs=blobs,
        change=_NO_CHANGE,
        received={None: {sealed_us: rows}},
        times=times,
    )


def _damaged(spool: str, number: int, span: Row, sealed_us: Any) -> Damaged:
    # The numbers may be what was damaged: only those that can be true are told on.
    first_seq, last_seq, rows = span
    true = _likely(*span) and first_seq <= last_seq and rows <= last_seq - first_seq + 1
    return Damaged(
        spool,
        number,
        Span(first_seq, last_seq, rows) if true else Span(0, 0, 0),
        sealed_us if _likely(sealed_us) else 0,
        "its checksum is wrong",
    )


def _likely(*values: Any) -> bool:
    return all(isinstance(value, int) and 0 < value < _LARGEST for value in values)


def _checksum(columns: Row, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32("\0".join(map(str, columns)).encode()))


def _split(body: bytes) -> tuple[tuple[int, int] | None, Blobs]:
    lengths = _LENGTHS.unpack_from(body)
    parts, start, times = [], len(body) - sum(lengths), None
    if start > _LENGTHS.size:
        first, last = _TIMES.unpack_from(body, _LENGTHS.size)
        times = (first, last)
    for length in lengths:
        parts.append(body[start : start + length])
        start += length
    return times, Blobs(*parts)
