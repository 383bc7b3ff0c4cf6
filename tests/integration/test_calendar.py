"""Market hours against dates that anyone can look up on nyse.com."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from ibcore import calendar

UTC = timezone.utc
MONDAY_10H = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 11, 23, 14, 29, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 23, 14, 30, tzinfo=UTC), True),
        (datetime(2026, 11, 23, 20, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 23, 21, 0, tzinfo=UTC), False),
        (datetime(2026, 7, 1, 13, 30, tzinfo=UTC), True),  # summer time: an hour earlier in UTC
        (datetime(2026, 11, 22, 15, 0, tzinfo=UTC), False),  # Sunday
        (datetime(2026, 11, 26, 15, 0, tzinfo=UTC), False),  # Thanksgiving
        (datetime(2026, 11, 27, 17, 59, tzinfo=UTC), True),  # the half day after it
        (datetime(2026, 11, 27, 18, 0, tzinfo=UTC), False),
    ],
)
def test_the_market_is_open_in_its_regular_hours_only(moment: datetime, expected: bool) -> None:
    assert calendar.is_open(moment) is expected


def test_a_holiday_has_no_session() -> None:
    assert calendar.session_hours(date(2026, 12, 25)) is None


@pytest.mark.parametrize("year", range(2020, 2035))
def test_the_days_around_new_year_are_known_though_no_session_is_before_or_after_them_in_the_year(
    year: int,
) -> None:
    assert calendar.session_hours(date(year, 1, 1)) is None
    for day in (date(year, 1, 3), date(year, 12, 30), date(year, 12, 31)):
        assert (calendar.session_hours(day) is None) == (day.weekday() > 4), day
    first = datetime(year, 1, 1, 15, tzinfo=UTC)
    assert calendar.skip_reason(first, first, limit_s=60) is not None


def test_a_run_on_time_in_market_hours_may_run() -> None:
    assert calendar.skip_reason(MONDAY_10H, MONDAY_10H, limit_s=60) is None
    early = MONDAY_10H + timedelta(seconds=5)
    assert calendar.skip_reason(MONDAY_10H, early, limit_s=60) is None


def test_a_run_outside_market_hours_skips_itself_and_says_when_that_was() -> None:
    sunday = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
    reason = calendar.skip_reason(sunday, sunday, limit_s=60)
    assert reason == "XNYS is closed at Sun 2026-11-22 10:00 EST"
