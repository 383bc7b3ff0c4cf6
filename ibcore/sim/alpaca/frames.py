"""What goes over the wire: a frame is a list of messages, in JSON or in msgpack.

A message is a dict; its `t` is a whole number of nanoseconds since 1970 here, RFC 3339 with
nanoseconds in JSON, and msgpack's own timestamp in msgpack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import msgpack

Message = dict[str, Any]


def encode(messages: Sequence[Mapping[str, Any]], *, packed: bool) -> str | bytes:
    """Return the frame of some messages: binary if `packed`, else text."""
    if packed:
        stamped = [_with_time(message, msgpack.Timestamp.from_unix_nano) for message in messages]
        packed_frame: bytes = msgpack.packb(stamped)
        return packed_frame
    return json.dumps([_with_time(message, rfc3339) for message in messages])


def decode(frame: str | bytes) -> Any:
    """Return what a client said; raise ValueError for what is neither encoding."""
    if isinstance(frame, str):
        return json.loads(frame)
    try:
        return msgpack.unpackb(frame)
    except (msgpack.UnpackException, msgpack.ExtraData) as broken:
        raise ValueError(str(broken)) from None


def rfc3339(ns: int) -> str:
    """Return a time as the vendor writes it: nanoseconds, without zeros at the end."""
    second, rest = divmod(ns, 1_000_000_000)
    moment = datetime.fromtimestamp(second, timezone.utc)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _with_time(message: Mapping[str, Any], write: Any) -> Message:
    told = dict(message)
    if isinstance(told.get("t"), int):
        told["t"] = write(told["t"])
    return told
