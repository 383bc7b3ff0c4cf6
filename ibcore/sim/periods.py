"""Periods as clients write them: durations, end times, and what IB says when it cannot read one."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ibcore.sim import bars, hours

_DURATION: Final = re.compile(r"(\d{1,6}) ([SDWMY])")
_MOMENT: Final = re.compile(r"(?:(\d{8})( +|-))?(\d{2}:\d{2}:\d{2})(?: +(\S.*))?")
_PERIOD: Final = re.compile(r"(\d{1,4}) (second|minute|hour|day|week|month|year)s?")
_BAD_MOMENT: Final = (
    "End Date/Time: The date, time, or time-zone entered is invalid. The correct format is"
    " yyyymmdd hh:mm:ss xx/xxxx where yyyymmdd and xx/xxxx are optional. E.g.: 20031126 15:59:00"
    " US/Eastern  Note that there is a space between the date and time, and between the time and"
    " time-zone.  If no date is specified, current date is assumed. If no time-zone is specified,"
    " local time-zone is assumed(deprecated).  You can also provide yyyymmddd-hh:mm:ss time is in"
    " UTC. Note that there is a dash between the date and time in UTC notation."
)
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
_UNIT: Final = {"day": "D", "week": "W", "month": "M", "year": "Y"}
_MAX_S: Final = 86_400
_MAX_DAYS: Final = 365


class BadPeriod(Exception):
    """A period that IB refuses; the text is IB's."""

    def __init__(self, text: str, code: int = 321) -> None:
        super().__init__(text)
        self.code = code


class Duration(NamedTuple):
    """How far back: `unit` is S, D, W, M or Y."""

    units: int
    unit: str

    def first_day(self, end: date) -> date | None:
        """Return the day that is just too early; nothing for seconds, days and weeks."""
        if self.unit not in "MY":
            return None
        months = self.units * (12 if self.unit == "Y" else 1)
        year, month = divmod(end.year * 12 + end.month - 1 - months, 12)
        last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
        return date(year, month + 1, min(end.day, last))

    def began(self, end: float) -> float:
        """Return where the period begins by the calendar, as message 17 tells it."""
        if self.unit == "S":
            return end - self.units
        at = datetime.fromtimestamp(end, hours.NEW_YORK)
        days = self.units * (7 if self.unit == "W" else 1)
        first = self.first_day(at.date()) or at.date() - timedelta(days=days)
        return datetime.combine(first, at.time(), hours.NEW_YORK).timestamp()

    @property
    def sessions(self) -> int | None:
        """How many trading days that is, for days and weeks."""
        return {"D": self.units, "W": self.units * 5}.get(self.unit)

    @property
    def seconds(self) -> int | None:
        """How many seconds of trading that is, for seconds."""
        return self.units if self.unit == "S" else None


def duration(text: str) -> Duration:
    """Read `30 D`, as IB does."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise BadPeriod(
            f"Historical data duration string '{text}' is invalid. A valid one is an integer, a"
            " space and a unit: S (seconds), D (days), W (weeks), M (months) or Y (years)."
        )
    count, unit = int(match[1]), match[2]
    if unit == "S" and count > _MAX_S:
        raise BadPeriod(
            "Historical data requests for durations longer than 86400 seconds must be made in days."
        )
    if unit == "D" and count > _MAX_DAYS:
        raise BadPeriod(
            "Historical data requests for durations longer than 365 days must be made in years."
        )
    return Duration(count, unit)


def period(text: str) -> Duration:
    """Read a histogram's `3 days`."""
    match = _PERIOD.fullmatch(text.strip())
    if match is None:
        raise BadPeriod(f"Historical data period '{text}' is invalid.")
    count, unit = int(match[1]), match[2]
    if unit in _SECONDS:
        return Duration(min(count * _SECONDS[unit], _MAX_S), "S")
    return Duration(count, _UNIT[unit])


def bar_span(text: str) -> int:
    """Read a bar size."""
    if text not in bars.SIZES:
        raise BadPeriod(
            "Historical data bar size setting is invalid. Legal ones are: " + bars.LEGAL_SIZES
        )
    return bars.SIZES[text]


def moment(text: str, now_s: float) -> float:
    """Read `yyyymmdd hh:mm:ss zone`, or with a dash for UTC.

    Without a zone it is New York's, without a date the day of `now_s` there.
    """
    match = _MOMENT.fullmatch(text.strip())
    try:
        if match is None or (match[2] == "-" and match[4]):
            raise ValueError
        zone = timezone.utc if match[2] == "-" else ZoneInfo(match[4] or hours.ZONE_ID)
        day = match[1] or f"{datetime.fromtimestamp(now_s, zone):%Y%m%d}"
        at = datetime.strptime(f"{day} {match[3]}", "%Y%m%d %H:%M:%S").replace(tzinfo=zone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise BadPeriod(_BAD_MOMENT, 10314) from None
    return at.timestamp()


def has_zone(text: str) -> bool:
    """Whether a moment that can be read says its zone, or with a dash that it is UTC."""
    match = _MOMENT.fullmatch(text.strip())
    return match is not None and (match[2] == "-" or match[4] is not None)
