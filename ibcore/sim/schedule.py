"""When the nightly reset comes: a time of day in New York, every day."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from ibcore.sim.hours import NEW_YORK


def parse(text: str) -> time:
    """Read HH:MM; ValueError says what is wrong."""
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 (a time of day)
    except ValueError:
        raise ValueError(f"nightly is a New York time such as 23:45, not {text!r}.") from None


class Nightly:
    """Says once a day that the time has come."""

    def __init__(self, at: str, now: datetime) -> None:
        self._at = parse(at)
        self._next = self._after(now)

    def _after(self, now: datetime) -> datetime:
        local = now.astimezone(NEW_YORK)
        today = datetime.combine(local.date(), self._at, NEW_YORK)
        return today if today > local else today + timedelta(days=1)

    def due(self, now: datetime) -> bool:
        """Whether the time has come since this was asked last."""
        if now < self._next:
            return False
        self._next = self._after(now)
        return True
