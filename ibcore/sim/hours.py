"""Trading hours as contract details write them, for US stocks and options."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

NEW_YORK: Final = ZoneInfo("America/New_York")
ZONE_ID: Final = "US/Eastern"
_DAYS: Final = 6
_SUNDAY: Final = 6


def new_york_date(moment: datetime) -> date:
    """Return the exchange's calendar date."""
    return moment.astimezone(NEW_YORK).date()


def sessions(today: date, opens: str, closes: str) -> str:
    """Write six days of `opens` to `closes`, weekends closed; holidays are not known here."""
    days = [today + timedelta(days=ahead) for ahead in range(_DAYS)]
    return ";".join(_session(day, opens, closes) for day in days)


def _session(day: date, opens: str, closes: str) -> str:
    if day.weekday() >= 5:
        return f"{day:%Y%m%d}:CLOSED"
    return f"{day:%Y%m%d}:{opens}-{day:%Y%m%d}:{closes}"


def nights(today: date, opens: str, closes: str) -> str:
    """Write six sessions that begin the evening before; Saturday is closed, Sunday is Monday's."""
    days = [today + timedelta(days=ahead) for ahead in range(_DAYS + 1)]
    listed = [day for day in days if day.weekday() != _SUNDAY][:_DAYS]
    return ";".join(_night(day, opens, closes) for day in listed)


def _night(day: date, opens: str, closes: str) -> str:
    if day.weekday() == _SUNDAY - 1:
        return f"{day:%Y%m%d}:CLOSED"
    return f"{day - timedelta(days=1):%Y%m%d}:{opens}-{day:%Y%m%d}:{closes}"


def expiry_moment(expiry: str) -> datetime:
    """Return when an option of that expiry dies: 16:00 in New York."""
    day = date(int(expiry[:4]), int(expiry[4:6]), int(expiry[6:8]))
    return datetime.combine(day, time(16), NEW_YORK).astimezone(timezone.utc)


def regular(day: date) -> tuple[float, float]:
    """Return when the regular session opens and closes, as seconds since 1970."""
    opens = datetime.combine(day, time(9, 30), NEW_YORK).timestamp()
    return opens, datetime.combine(day, time(16), NEW_YORK).timestamp()


def extended(day: date) -> tuple[float, float]:
    """Return when trading begins and ends, the hours outside the regular session included."""
    opens = datetime.combine(day, time(4), NEW_YORK).timestamp()
    return opens, datetime.combine(day, time(20), NEW_YORK).timestamp()


def is_open(moment: datetime) -> bool:
    """Whether regular hours are on: 09:30 to 16:00 in New York on a weekday."""
    local = moment.astimezone(NEW_YORK)
    return local.weekday() < 5 and time(9, 30) <= local.time() < time(16)


def next_opening(moment: datetime) -> datetime:
    """Return when regular hours begin next, in New York."""
    local = moment.astimezone(NEW_YORK)
    ahead = 0 if local.time() < time(9, 30) else 1
    while (local + timedelta(days=ahead)).weekday() >= 5:
        ahead += 1
    return datetime.combine(local.date() + timedelta(days=ahead), time(9, 30), NEW_YORK)
