"""Lateness and dates: the part of the calendar that needs no exchange tables."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from ibcore import calendar

UTC = timezone.utc
MONDAY_10H = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def test_the_trading_date_is_new_yorks_not_utcs() -> None:
    assert calendar.trading_date(datetime(2026, 11, 24, 1, 0, tzinfo=UTC)) == date(2026, 11, 23)


def test_a_run_later_than_the_limit_skips_itself_and_says_how_late() -> None:
    reason = calendar.skip_reason(MONDAY_10H, MONDAY_10H - timedelta(seconds=61), limit_s=60)
    assert reason == "it starts 0:01:01 late, more than the 60 s allowed"
