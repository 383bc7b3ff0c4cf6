"""The one place where a clock is read.

Policies take `now`; whoever calls them reads it here. `monotonic` is for durations and
deadlines, `utcnow` and `now_us` for what is stored. Market rows carry microseconds since
2000-01-01 UTC: PostgreSQL's own epoch, so that COPY writes the integer as it is.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

PG_EPOCH_UNIX_US = 946_684_800_000_000
PG_EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)

monotonic = time.monotonic


def utcnow() -> datetime:
    """Return the wall clock, aware, in UTC."""
    return datetime.now(timezone.utc)


def unix_ns() -> int:
    """Return the wall clock in nanoseconds since 1970."""
    return time.time_ns()


def now_us() -> int:
    """Return the wall clock in microseconds since 2000-01-01 UTC."""
    return time.time_ns() // 1_000 - PG_EPOCH_UNIX_US


def us_from_datetime(moment: datetime) -> int:
    """Convert an aware datetime to microseconds since 2000-01-01 UTC."""
    return (moment - PG_EPOCH) // timedelta(microseconds=1)


def datetime_from_us(us: int) -> datetime:
    """Convert microseconds since 2000-01-01 UTC to an aware datetime."""
    return PG_EPOCH + timedelta(microseconds=us)
