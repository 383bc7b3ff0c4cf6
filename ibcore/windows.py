"""Hours in which a lost session is expected: the nightly reset and the weekly login.

Written as people write them: `23:40-01:45`, `Sun 00:45-12:00`, in the zone of the settings. They
are compared with the wall clock of that zone, so a change of daylight saving moves them along.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FORM: Final = re.compile(r"(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(\d\d):(\d\d)-(\d\d):(\d\d)")


class Window(NamedTuple):
    """A part of the day, every day or on one weekday; it may end after midnight."""

    name: str
    begins: time
    ends: time
    weekday: int | None = None

    def holds(self, local: datetime) -> bool:
        """Say whether a moment of the window's own zone is in it."""
        clock, day = local.time(), local.weekday()
        if self.begins <= self.ends:
            return self._on(day) and self.begins <= clock < self.ends
        yesterday = (local - timedelta(days=1)).weekday()
        return (clock >= self.begins and self._on(day)) or (
            clock < self.ends and self._on(yesterday)
        )

    def _on(self, weekday: int) -> bool:
        return self.weekday in (None, weekday)


class Windows(NamedTuple):
    """Every window of one gateway."""

    zone: ZoneInfo
    windows: tuple[Window, ...]

    def planned(self, now: datetime) -> str | None:
        """Return the name of the window that `now` is in, or None."""
        local = now.astimezone(self.zone)
        return next((window.name for window in self.windows if window.holds(local)), None)


def window(name: str, text: str) -> Window:
    """Read one window; ValueError where it is none."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no window; write 23:40-01:45 or Sun 00:45-12:00")
    day, *clock = match.groups()
    hours = [int(number) for number in clock]
    weekday = None if day is None else DAYS.index(day)
    return Window(name, time(hours[0], hours[1]), time(hours[2], hours[3]), weekday)


def windows(nightly: str, weekly: str, zone: str) -> Windows:
    """Read the windows of the settings; an empty text is none."""
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone {zone!r}") from None
    named = (("nightly reset", nightly), ("weekly login", weekly))
    return Windows(place, tuple(window(name, text) for name, text in named if text))
