"""How wrong a clock may be, pure: rows of two clocks are held against each other."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ibcore.doctor.finding import Finding, failed, ok, warning

WARN_S: Final = 2.0
FAIL_S: Final = 10.0
# Every zone on earth is a multiple of this away from UTC.
_QUARTER_S: Final = 900.0
# As Java names them in the gateway's greeting; others are tried as names of the tz database.
_ZONES: Final = {
    "Greenwich Mean Time": "UTC",
    "British Summer Time": "Europe/London",
    "Coordinated Universal Time": "UTC",
    "Eastern Standard Time": "America/New_York",
    "Eastern Daylight Time": "America/New_York",
    "Central European Standard Time": "Europe/Berlin",
    "Central European Summer Time": "Europe/Berlin",
}


def zone_of(name: str) -> tzinfo | None:
    """Return the zone of this name, None for one that nobody knows."""
    try:
        return ZoneInfo(_ZONES.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def ahead_s(told: datetime, zone: str, *, at: datetime) -> float:
    """Return how far a clock that said `told` (naive, in `zone`) at `at` is ahead of ours.

    Of an unknown zone only what is not a whole quarter of an hour can be seen.
    """
    known = zone_of(zone)
    if known is not None:
        return (told.replace(tzinfo=known) - at).total_seconds()
    apart_s = (told.replace(tzinfo=timezone.utc) - at) / timedelta(seconds=1)
    return (apart_s + _QUARTER_S / 2) % _QUARTER_S - _QUARTER_S / 2


def judge(name: str, ahead: float, *, unsure_s: float, whose: str) -> Finding:
    """Judge a clock that is `ahead` seconds ahead of ours, give or take `unsure_s`."""
    seen = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's clock"
    off_s = max(0.0, abs(ahead) - unsure_s)
    remedy = f"Run a time service (chrony, systemd-timesyncd) here and on {whose}."
    if off_s >= FAIL_S:
        return failed(name, seen, remedy)
    return warning(name, seen, remedy) if off_s >= WARN_S else ok(name, seen)
