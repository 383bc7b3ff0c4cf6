"""Market hours and lateness, pure: `now` is an argument, the tables are exchange-calendars'.

    skip_reason   why a scheduled run must not run: it starts too late, or the market is closed
    is_open       regular trading hours, holidays and early closes included
    trading_date  the exchange's own date at a moment: what "today" means for an expiry

A worker that was away gets every run it missed, oldest first (Prefect does not drop them), so
each scheduled run asks `skip_reason` before it does anything.
"""

from __future__ import annotations

import warnings
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

DEFAULT_EXCHANGE: Final = "XNYS"
NEW_YORK: Final = ZoneInfo("America/New_York")


def is_open(now: datetime, *, exchange: str = DEFAULT_EXCHANGE) -> bool:
    """Say whether the exchange trades in its regular hours at `now`."""
    hours = session_hours(trading_date(now), exchange=exchange)
    return hours is not None and hours[0] <= now < hours[1]


@lru_cache(maxsize=64)
def session_hours(
    day: date, *, exchange: str = DEFAULT_EXCHANGE
) -> tuple[datetime, datetime] | None:
    """Return open and close of the session of `day`, or None when there is none."""
    with warnings.catch_warnings():
        # exchange-calendars 4.13 reads pandas 3 in a way that pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = _calendar(exchange, day.year)
        if not calendar.is_session(day.isoformat()):
            return None
        opens, closes = calendar.session_open_close(day.isoformat())
    return opens.to_pydatetime(), closes.to_pydatetime()


def trading_date(now: datetime) -> date:
    """Return the date in New York at `now`."""
    return now.astimezone(NEW_YORK).date()


def lateness_s(now: datetime, expected: datetime) -> float:
    """Return how many seconds after its planned start a run begins (early: 0)."""
    return max(0.0, (now - expected).total_seconds())


def spoken(seconds: float) -> str:
    """Return a lateness as people write it: 2:00:00."""
    return str(timedelta(seconds=round(seconds)))


def skip_reason(
    now: datetime,
    expected: datetime,
    *,
    limit_s: float,
    exchange: str = DEFAULT_EXCHANGE,
) -> str | None:
    """Return why a scheduled run must not run now, or None when it may."""
    late_s = lateness_s(now, expected)
    if late_s > limit_s:
        return f"it starts {spoken(late_s)} late, more than the {limit_s:g} s allowed"
    if not is_open(now, exchange=exchange):
        return f"{exchange} is closed at {now.astimezone(NEW_YORK):%a %Y-%m-%d %H:%M %Z}"
    return None


@lru_cache(maxsize=16)
def _calendar(exchange: str, year: int) -> Any:
    # Imported here: exchange-calendars brings pandas, half a second that most commands never need.
    import exchange_calendars

    # It refuses days before its first session and after its last, as New Year's Day of the year is.
    start, end = f"{year - 1}-12-01", f"{year + 1}-01-31"
    return exchange_calendars.get_calendar(exchange, start=start, end=end)
