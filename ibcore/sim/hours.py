"""Trading hours as contract details write them, for US stocks and options."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

NEW_YORK: Final = ZoneInfo("America/New_York")
ZONE_ID: Final = "US/Eastern"
_DAYS: Final = 6


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


def expiry_moment(expiry: str) -> datetime:
    """Return when an option of that expiry dies: 16:00 in New York."""
    day = date(int(expiry[:4]), int(expiry[4:6]), int(expiry[6:8]))
    return datetime.combine(day, time(16), NEW_YORK).astimezone(timezone.utc)


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
