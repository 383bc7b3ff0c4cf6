"""Alpaca's frames: lists of messages in msgpack (binary) or JSON (text), and their times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

import msgpack
import orjson

from ibcore.clock import PG_EPOCH_UNIX_US
from ibcore.errors import StreamGarbled

Message = Mapping[str, Any]

HEADERS: Final = {"Content-Type": "application/msgpack"}
_SECONDS: Final = PG_EPOCH_UNIX_US // 1_000_000


def encode(said: Message) -> bytes:
    """Return what we say as a frame."""
    frame: bytes = msgpack.packb(said)
    return frame


def decode(frame: str | bytes) -> list[Message]:
    """Return the messages of a frame; raise StreamGarbled for anything else."""
    try:
        told = orjson.loads(frame) if isinstance(frame, str) else msgpack.unpackb(frame)
    except (ValueError, msgpack.UnpackException):
        told = None
    if not isinstance(told, list) or not all(map(_is_message, told)):
        raise StreamGarbled(
            "What Alpaca sent is no list of messages.", remedy="It is connected anew."
        )
    return told


def _is_message(told: object) -> bool:
    return (
        isinstance(told, Mapping)
        and isinstance(told.get("T"), str)
        and isinstance(told.get("S", ""), str)
    )


def micros(moment: object) -> int | None:
    """Return a time of a message in microseconds since 2000; None: it is none."""
    if isinstance(moment, msgpack.Timestamp):
        us: int = (moment.seconds - _SECONDS) * 1_000_000 + moment.nanoseconds // 1_000
        return us
    return _rfc3339(moment) if isinstance(moment, str) else None


def _rfc3339(text: str) -> int | None:
    # Nanoseconds, which datetime cannot hold: their digits are read by themselves.
    whole, _, fraction = text.removesuffix("Z").partition(".")
    if whole == text or not (fraction or "0").isdecimal():
        return None
    try:
        second = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return (int(second.timestamp()) - _SECONDS) * 1_000_000 + int(f"{fraction:0<6}"[:6])
