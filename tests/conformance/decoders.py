"""Two independent decoders, driven with whole frames: what each tells its client.

`by_ib_async` and `by_official` return the calls that a frame makes on the client's wrapper, in one
neutral form: (method, [value, ...]) with plain numbers, text, None, and dicts for objects. A frame
that a decoder cannot read raises `Undecoded`; neither client does: they log it and go on.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import ib_async.decoder
import ibapi.decoder
from ibapi.const import UNSET_DECIMAL, UNSET_DOUBLE, UNSET_INTEGER, UNSET_LONG

from ibcore.sim import wire

# Both clients write "not set" in several ways; these are the same statement.
_UNSET = {float(UNSET_DOUBLE), float(UNSET_INTEGER), float(UNSET_LONG), float(UNSET_DECIMAL)}

# ib_async took the official names over, but for these: (their method, our name for it).
_OFFICIAL_NAMES = {"commissionAndFeesReport": "commissionReport"}


class Undecoded(AssertionError):
    """A decoder did not understand a frame."""


class Call(NamedTuple):
    """One call on a wrapper."""

    method: str
    values: tuple[Any, ...]


class Recorder:
    """Stands where a client's wrapper stands, and notes each call."""

    defaultTimezone = timezone.utc  # noqa: N815 (an attribute that ib_async reads)

    class ib:  # noqa: N801 (an attribute that ib_async reads)
        TimezoneTWS = "UTC"

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(*values: Any) -> None:
            neutral_values = tuple(neutral(value) for value in values)
            self.calls.append(Call(_OFFICIAL_NAMES.get(name, name), neutral_values))

        return note


def by_ib_async(frame: bytes, version: int) -> list[Call]:
    """Decode one frame with ib_async 2.0.1."""
    recorder = Recorder()
    with _no_complaints("ib_async.Decoder"):
        ib_async.decoder.Decoder(recorder, version).interpret(list(wire.unframe(frame)))  # type: ignore[arg-type]
    return [part for call in recorder.calls for part in _as_official(call)]


def by_official(frame: bytes, version: int) -> list[Call]:
    """Decode one frame with the official client, as its run() does."""
    recorder = Recorder()
    text = frame[4:]
    head, _, rest = text.partition(b"\0")
    fields = tuple(rest.split(b"\0")[:-1])
    decoder = _official(version)
    decoder.wrapper = recorder
    with _no_complaints("ibapi.decoder"):
        decoder.interpret(fields, int(head))
    return [_without_time(call) for call in recorder.calls]


@lru_cache
def _official(version: int) -> ibapi.decoder.Decoder:
    return ibapi.decoder.Decoder(None, version)  # reads every signature: costs milliseconds


@contextmanager
def _no_complaints(name: str) -> Iterator[None]:
    """Turn what a decoder logs as an error into an exception."""
    heard: list[str] = []

    class Listener(logging.Handler):
        """Keeps what is said at ERROR and above."""

        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage() + (str(record.exc_info[1]) if record.exc_info else ""))

    logger = logging.getLogger(name)
    listener = Listener(logging.ERROR)
    logger.addHandler(listener)
    try:
        yield
    except Exception as error:
        raise Undecoded(f"{name}: {type(error).__name__}: {error}") from error
    finally:
        logger.removeHandler(listener)
    if heard:
        raise Undecoded(f"{name}: {heard}")


def _without_time(call: Call) -> Call:
    """Drop errorTime, which is no field before server 194: the official decoder passes 0."""
    if call.method != "error":
        return call
    return Call("error", (call.values[0], *call.values[2:]))


_SIZE_OF = {1: 0, 2: 3, 4: 5, 66: 69, 67: 70, 68: 71}


def _as_official(call: Call) -> Iterator[Call]:
    """Name ib_async's one own method as the official client would: a price, then its size."""
    if call.method != "priceSizeTick":
        yield call
        return
    req_id, tick_type, price, size = call.values
    yield Call("tickPrice", (req_id, tick_type, price))
    if tick_type in _SIZE_OF:
        yield Call("tickSize", (req_id, _SIZE_OF[tick_type], size))


def neutral(value: Any) -> Any:
    """Return the value without the client's own types."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float, Decimal)):
        return _number(float(value))
    if isinstance(value, datetime):
        return f"{value.astimezone(timezone.utc):%Y%m%d %H:%M:%S}"
    if isinstance(value, (list, tuple, set)) and not hasattr(value, "_asdict"):
        items = [neutral(item) for item in value]
        return sorted(items) if isinstance(value, set) else items
    return _members(value)


def _number(value: float) -> float | None:
    return None if value in _UNSET or math.isnan(value) else value


def _members(value: Any) -> Any:
    """Return an object as a dict with lower-case names; an enumeration as its first word."""
    if hasattr(value, "value") and hasattr(value, "name") and not dataclasses.is_dataclass(value):
        return str(value.value[0])
    if dataclasses.is_dataclass(value):
        found = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    elif hasattr(value, "_asdict"):
        found = value._asdict()
    else:
        found = vars(value)
    return {name.lower().strip("_"): neutral(member) for name, member in found.items()}
