"""Bars with what was backfilled, on plain PostgreSQL."""

from __future__ import annotations

import random
from datetime import timedelta

import psycopg

from ibcore.clock import utcnow
from tests import filled_bars


def test_a_minute_without_a_live_bar_has_the_bar_of_what_was_filled_in(db_url: str) -> None:
    seed = random.randrange(2**32)
    today = utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute("SET timezone TO 'UTC'")
        live, filled = filled_bars.record(conn, today - timedelta(minutes=20), seed)
        filled_bars.assert_shown(conn, live, filled, seed)
