"""Bytes: length-prefixed frames of NUL-terminated text fields, read under a cap.

    frame = 4-byte big-endian length | field NUL field NUL ...

The hot tick messages are built here too, as plain f-strings; all others stand in `messages`.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final

MAX_FRAME: Final = 65_536  # bytes; the largest real request (a conditional order) is below 4 KiB
SERVER_VERSION: Final = 178  # the last one before 201's binary message ids that clients agree on
MIN_CLIENT_VERSION: Final = 157
OLDEST_VERSION: Final = 100  # that can be claimed: the first with this framing
UNSET_DOUBLE: Final = "1.7976931348623157E308"
UNSET_INT: Final = "2147483647"

_GREETING: Final = b"API\0"
_LENGTH = struct.Struct(">I")


class WireError(Exception):
    """The peer sent bytes that are not a frame."""


def number(value: float) -> str:
    """Write a number as IB does: no trailing `.0`."""
    if value == int(value):
        return str(int(value))
    return repr(float(value))


def text(value: object) -> str:
    """Write one field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return number(value)
    return str(value)


def frame(*fields: object) -> bytes:
    """Build one frame from its fields."""
    body = "".join([text(field) + "\0" for field in fields]).encode(errors="backslashreplace")
    return _LENGTH.pack(len(body)) + body


def raw_frame(body: str) -> bytes:
    """Build one frame from text that carries its NULs already."""
    data = body.encode()
    return _LENGTH.pack(len(data)) + data


def split(body: bytes) -> list[str]:
    """Return the fields of a frame's body."""
    if not body.endswith(b"\0"):
        raise WireError("the last field is not terminated")
    return body.decode(errors="backslashreplace").split("\0")[:-1]


def unframe(data: bytes) -> tuple[str, ...]:
    """Return the fields of one whole frame, prefix included."""
    return tuple(data[4:-1].decode().split("\0"))


async def read_greeting(reader: asyncio.StreamReader) -> None:
    """Read a client's first bytes; refuse another protocol at the first byte that is not ours.

    Clients of before 2012 send a number of three bytes and wait: to wait for a fourth is to hang.
    """
    for letter in _GREETING:
        if await reader.readexactly(1) != bytes((letter,)):
            raise WireError("not the API's greeting")


async def read_body(reader: asyncio.StreamReader) -> bytes:
    """Read one frame's body; refuse a length above the cap before buffering it."""
    (length,) = _LENGTH.unpack(await reader.readexactly(4))
    if not 0 < length <= MAX_FRAME:
        raise WireError(f"a frame of {length} bytes")
    return await reader.readexactly(length)


def tick_price(req_id: int, tick_type: int, price: str, size: str, mask: int) -> bytes:
    """Build tickPrice (1)."""
    return raw_frame(f"1\x006\0{req_id}\0{tick_type}\0{price}\0{size}\0{mask}\0")


def tick_size(req_id: int, tick_type: int, size: str) -> bytes:
    """Build tickSize (2)."""
    return raw_frame(f"2\x006\0{req_id}\0{tick_type}\0{size}\0")


def tick_generic(req_id: int, tick_type: int, value: str) -> bytes:
    """Build tickGeneric (45)."""
    return raw_frame(f"45\x006\0{req_id}\0{tick_type}\0{value}\0")


def tick_string(req_id: int, tick_type: int, value: str) -> bytes:
    """Build tickString (46)."""
    return raw_frame(f"46\x006\0{req_id}\0{tick_type}\0{value}\0")


def tick_computation(req_id: int, tick_type: int, values: str) -> bytes:
    """Build tickOptionComputation (21); `values` are attrib..undPrice, each with its NUL."""
    return raw_frame(f"21\0{req_id}\0{tick_type}\0{values}")
