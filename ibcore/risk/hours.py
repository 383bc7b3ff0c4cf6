"""IB's trading hours (`20261127:0930-20261127:1300;20261128:CLOSED`) as intervals of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

Intervals = tuple[tuple[datetime, datetime], ...]

# Older gateways name the zone as Windows or Java do.
_ZONES: Final = {"EST": "America/New_York", "EST5EDT": "America/New_York", "CST": "America/Chicago"}


def intervals(text: str | None, zone: str | None) -> Intervals | None:
    """Return when trading is open, or None where the text or the zone cannot be read."""
    if not text or not zone:
        return None
    try:
        tz = ZoneInfo(_ZONES.get(zone.split()[0], zone.split()[0]))
        days = [day for day in text.split(";") if day and not day.endswith("CLOSED")]
        spans = [_span(part, day[:8], tz) for day in days for part in day[9:].split(",")]
    except (ValueError, KeyError, OSError):
        return None
    return tuple(spans)


def common(each: Sequence[Intervals | None]) -> Intervals | None:
    """Return when all of them are open; None where that is not known of one, or of none."""
    known = [hours for hours in each if hours is not None]
    if not known or len(known) < len(each):
        return None
    shared = known[0]
    for hours in known[1:]:
        pairs = ((max(a, c), min(b, d)) for a, b in shared for c, d in hours)
        shared = tuple((opens, closes) for opens, closes in pairs if opens < closes)
    return shared


def _span(text: str, day: str, tz: ZoneInfo) -> tuple[datetime, datetime]:
    first, _, last = text.partition("-")
    opens, closes = _moment(first, day, tz), _moment(last, day, tz)
    if closes <= opens:  # written without a date, over midnight
        closes += timedelta(days=1)
    return opens, closes


def _moment(text: str, day: str, tz: ZoneInfo) -> datetime:
    stamp = text if ":" in text else f"{day}:{text}"
    return datetime.strptime(stamp, "%Y%m%d:%H%M").replace(tzinfo=tz).astimezone(timezone.utc)
