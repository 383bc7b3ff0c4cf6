"""Cuts the gateway's byte stream into messages, without copying what is not read yet.

A frame is a length (4 bytes, big-endian) and a text. ib_async 2.0.1 cuts the whole rest of its
buffer off for every message (client.py:377): quadratic in what has piled up, so that it reads
slowest when it is behind. Here a position moves through each read; what is copied is a message,
once, and the beginning of a frame whose end has not come yet, once.

Bounded: a frame longer than `MAX_FRAME` is a garbled length. What waits for its end is at most
one frame and the read that ended it.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from ibcore.errors import StreamGarbled

# IB's own client gives up beyond the same length (ibapi/const.py: MAX_MSG_LEN).
MAX_FRAME: Final = 0xFFFFFF
_HEAD: Final = 4
_length: Final = Struct(">I").unpack_from


class Frames:
    """Bytes in as they come, texts out as they were sent."""

    __slots__ = ("_at", "_begun", "_data", "_lacking", "_limit")

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._data = b""
        self._at = 0
        self._begun = bytearray()
        self._lacking = 0

    @property
    def held(self) -> int:
        """Return how many bytes wait."""
        return len(self._begun) + len(self._data) - self._at

    def add(self, data: bytes) -> None:
        """Take what was read from the socket."""
        if self._lacking > len(data):
            self._begun += data
            self._lacking -= len(data)
            return
        left = self._data[self._at :]
        self._data = b"".join((left, self._begun, data)) if left or self._begun else data
        self._begun.clear()
        self._at = self._lacking = 0

    def next(self) -> str | None:
        """Return the next whole message, or None; StreamGarbled when there can be none."""
        data, at = self._data, self._at
        begins = at + _HEAD
        # Strictly more than the head, as in client.py:368: an empty frame waits for its successor.
        if len(data) <= begins:
            self._wait(begins + 1)
            return None
        (length,) = _length(data, at)
        if length > self._limit:
            raise self._garbled(length)
        ends = begins + length
        if len(data) < ends:
            self._wait(ends)
            return None
        self._at = ends
        return data[begins:ends].decode(errors="backslashreplace")

    def _wait(self, until: int) -> None:
        if self._lacking == 0:
            self._lacking = until - len(self._data)
            self._begun += self._data[self._at :]
            self._data, self._at = b"", 0

    def _garbled(self, length: int) -> StreamGarbled:
        return StreamGarbled(
            f"The gateway announced a message of {length} bytes; the longest is {self._limit}: "
            "its stream is garbled.",
            remedy="Nothing of it was kept. The session reconnects.",
        )
