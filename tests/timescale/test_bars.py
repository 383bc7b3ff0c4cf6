"""Bars on TimescaleDB: the same names, columns and values as on plain PostgreSQL."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from psycopg import sql

from tests import filled_bars
from tests import market_rows as rows
from tests.bar_checks import STEPS, assert_equal, read

# One server of 470 MB for all: not one on each worker.
pytestmark = pytest.mark.paired

PARTS = [f"{view}_{kind}" for view in STEPS for kind in ("quote", "trade")]


@pytest.mark.parametrize("materialized", [False, True])
def test_bars_are_those_of_the_ticks(timescale_url: str, materialized: bool) -> None:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    start = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    quoted = rows.quotes(dice, start - timedelta(minutes=20), seconds=2400, each=300)
    traded = rows.trades(dice, start - timedelta(minutes=20), seconds=2400, each=300)
    with psycopg.connect(timescale_url, autocommit=True) as conn:
        rows.insert(conn, "quote", quoted)
        rows.insert(conn, "trade", traded)
        if materialized:
            for part in PARTS:
                call = sql.SQL("CALL refresh_continuous_aggregate({}, NULL, NULL)")
                conn.execute(call.format(sql.Literal(f"ibkeeper.{part}")))
        for view, step in STEPS.items():
            assert_equal(read(conn, view), rows.bars(quoted, traded, step), seed)


def test_a_minute_without_a_live_bar_has_the_bar_of_what_was_filled_in(timescale_url: str) -> None:
    seed = random.randrange(2**32)
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    with psycopg.connect(timescale_url, autocommit=True) as conn:
        conn.execute("SET timezone TO 'UTC'")
        live, filled = filled_bars.record(conn, today - timedelta(minutes=20), seed)
        filled_bars.assert_shown(conn, live, filled, seed)


def test_every_bar_is_a_continuous_aggregate_with_its_policy(timescale_url: str) -> None:
    with psycopg.connect(timescale_url) as conn:
        aggregates = conn.execute(
            "SELECT view_name, materialized_only FROM timescaledb_information.continuous_aggregates"
        ).fetchall()
        (policies,) = conn.execute(
            "SELECT count(*) FROM timescaledb_information.jobs"
            " WHERE proc_name = 'policy_refresh_continuous_aggregate'"
        ).fetchone() or (0,)

    assert dict(aggregates) == dict.fromkeys(PARTS, False)
    assert policies == len(PARTS)
