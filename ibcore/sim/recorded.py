"""Recorded ticks: a JSON list of {time, price, size, tickType}, in order of time.

Sizes (0, 3, 5, 8) stand alone, prices (1, 2, 4) carry theirs. What is wrong is named with the
number of the tick, and nothing is started.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from ibcore.errors import ConfigRefused
from ibcore.sim.board import SIZE_OF, Tick

_TYPES: Final = frozenset({0, 1, 2, 3, 4, 5, 8})
_FORM: Final = "Nothing was started. docs/simulator.md describes recorded ticks."


class RecordedTick(NamedTuple):
    """One recorded tick, `offset_s` after the first."""

    offset_s: float
    tick: Tick


def read(path: Path) -> tuple[datetime, list[RecordedTick]]:
    """Return when the first tick was recorded, and all of them."""
    moments, ticks = [], []
    for number, row in enumerate(_rows(path), 1):
        try:
            moments.append(_moment(row["time"]))
            ticks.append(_tick(row))
        except KeyError as missing:
            raise _refused(path, f"tick {number} has no {missing}") from None
        except (TypeError, ValueError) as wrong:
            raise _refused(path, f"tick {number}: {wrong}") from None
        if len(moments) > 1 and moments[-1] < moments[-2]:
            raise _refused(path, f"tick {number} is earlier than the one before it")
    if not ticks:
        raise _refused(path, "it holds no ticks")
    begins = moments[0]
    offsets = [(moment - begins).total_seconds() for moment in moments]
    return begins, [RecordedTick(*pair) for pair in zip(offsets, ticks, strict=True)]


def _refused(path: Path, what: str) -> ConfigRefused:
    return ConfigRefused(f"{path.name} cannot be played: {what}.", remedy=_FORM)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        listed = json.loads(path.read_bytes())
    except OSError as unread:
        raise _refused(path, unread.strerror or str(unread)) from None
    except ValueError:  # no UTF-8 and no JSON alike
        raise _refused(path, "it is no JSON") from None
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        raise _refused(path, "it is no list of objects")
    yield from listed


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment


def _tick(row: dict[str, Any]) -> Tick:
    tick_type, size = int(row["tickType"]), _number(row["size"])
    if tick_type not in _TYPES:
        raise ValueError(f"{tick_type} is none of the tick types {sorted(_TYPES)}")
    if tick_type in SIZE_OF:
        return Tick(tick_type, _number(row["price"]), size)
    return Tick(tick_type, size)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number
