"""When a line is expected to speak: IB's trading and liquid hours, in the exchange's own zone.

IB lists some six days ("20261127:0930-20261127:1300;20261128:CLOSED"), holidays and early closes
included. What the list does not reach is told by the exchange calendar where the zone is New
York's, and is unknown elsewhere.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ibcore import calendar

Spans = tuple[tuple[datetime, datetime], ...]

_SPAN: Final = re.compile(r"(\d{8}):(\d{4})-(?:(\d{8}):)?(\d{4})")
_DAY: Final = re.compile(r"\d{8}")
# What IB still calls some zones ("EST (Eastern Standard Time)").
_ZONES: Final = {
    "EST": "America/New_York",
    "EST5EDT": "America/New_York",
    "US/Eastern": "America/New_York",
    "CST": "America/Chicago",
    "CST6CDT": "America/Chicago",
    "US/Central": "America/Chicago",
    "MET": "Europe/Paris",
    "GB-Eire": "Europe/London",
    "JST": "Asia/Tokyo",
}


class Phase(Enum):
    """What a line's exchange is doing."""

    open = "open"
    extended = "extended"
    closed = "closed"
    unknown = "unknown"


class Hours(NamedTuple):
    """The hours of one instrument: `liquid` within `trading`; both end where IB's list ends."""

    trading: Spans = ()
    liquid: Spans = ()
    listed_until: datetime | None = None
    zone: str = ""

    def phase(self, now: datetime) -> Phase:
        """Return what the exchange is doing at `now`."""
        if self.listed_until is None or now >= self.listed_until:
            return _by_calendar(now, self.zone)
        if _within(self.liquid or self.trading, now):
            return Phase.open
        return Phase.extended if _within(self.trading, now) else Phase.closed

    def look(self, now: datetime) -> tuple[Phase, float]:
        """Return what the exchange is doing, and for how many seconds it has been open."""
        phase = self.phase(now)
        opened = self.opened_at(now) if phase is Phase.open else None
        return phase, float("inf") if opened is None else (now - opened).total_seconds()

    def opened_at(self, now: datetime) -> datetime | None:
        """Return when the liquid hours around `now` began; None: there are none known."""
        for opens, closes in self.liquid or self.trading:
            if opens <= now < closes:
                return opens
        hours = _session(now) if self.zone == "America/New_York" else None
        return hours[0] if hours is not None and hours[0] <= now < hours[1] else None


@lru_cache(maxsize=512)
def parse(trading: str, liquid: str, zone_id: str) -> Hours:
    """Read IB's texts; what cannot be read is unknown, never closed."""
    zone = _zone(zone_id)
    if zone is None:
        return Hours()
    days = sorted(_DAY.findall(trading))
    if not days:
        return Hours(zone=zone.key)
    last = datetime.strptime(days[-1], "%Y%m%d").replace(tzinfo=zone)
    return Hours(_spans(trading, zone), _spans(liquid, zone), last + timedelta(days=1), zone.key)


@lru_cache(maxsize=64)
def _zone(zone_id: str) -> ZoneInfo | None:
    name = zone_id.split(" ")[0]
    try:
        return ZoneInfo(_ZONES.get(name, name))
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _spans(text: str, zone: ZoneInfo) -> Spans:
    found = []
    for day, opens, last_day, closes in _SPAN.findall(text):
        found.append((_moment(day, opens, zone), _moment(last_day or day, closes, zone)))
    return tuple(found)


def _moment(day: str, clock: str, zone: ZoneInfo) -> datetime:
    if clock == "2400":
        return _moment(day, "0000", zone) + timedelta(days=1)
    return datetime.strptime(day + clock, "%Y%m%d%H%M").replace(tzinfo=zone)


def _within(spans: Spans, now: datetime) -> bool:
    return any(opens <= now < closes for opens, closes in spans)


def _by_calendar(now: datetime, zone: str) -> Phase:
    if zone != "America/New_York":
        return Phase.unknown
    hours = _session(now)
    if hours is None:
        return Phase.closed
    if hours[0] <= now < hours[1]:
        return Phase.open
    local = now.astimezone(calendar.NEW_YORK)
    return Phase.extended if 4 <= local.hour < 20 else Phase.closed


def _session(now: datetime) -> tuple[datetime, datetime] | None:
    return calendar.session_hours(calendar.trading_date(now))


UNKNOWN: Final = Hours()
# A market that never closes, as far as anybody knows.
ALWAYS: Final = Hours(
    trading=(
        (datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)),
    ),
    listed_until=datetime.max.replace(tzinfo=timezone.utc),
)
