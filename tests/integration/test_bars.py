"""Bars on plain PostgreSQL: what an independent sum over the same rows says."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests import market_rows as rows
from tests.bar_checks import STEPS, assert_equal, read


@pytest.fixture
def conn(db_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Return a connection in UTC."""
    with psycopg.connect(db_url, autocommit=True) as connection:
        connection.execute("SET timezone TO 'UTC'")
        yield connection


@pytest.mark.parametrize("view", STEPS)
def test_bars_are_those_of_the_ticks(conn: psycopg.Connection[Any], view: str) -> None:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    start = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    quoted = rows.quotes(dice, start - timedelta(minutes=20), seconds=2400)
    traded = rows.trades(dice, start - timedelta(minutes=20), seconds=2400)
    rows.insert(conn, "quote", quoted)
    rows.insert(conn, "trade", traded)

    assert_equal(read(conn, view), rows.bars(quoted, traded, STEPS[view]), seed)


@pytest.mark.parametrize("view", STEPS)
def test_bars_do_not_depend_on_the_readers_time_zone(
    conn: psycopg.Connection[Any], view: str
) -> None:
    seed = 1
    quoted = rows.quotes(random.Random(seed), datetime.now(timezone.utc), seconds=90_000)
    rows.insert(conn, "quote", quoted)
    conn.execute("SET timezone TO 'Asia/Kathmandu'")

    assert_equal(read(conn, view), rows.bars(quoted, [], STEPS[view]), seed)


@pytest.mark.parametrize("view", STEPS)
def test_kept_bars_are_found_by_index_and_closed_days_are_not_opened(
    conn: psycopg.Connection[Any], view: str
) -> None:
    _keep_a_month(conn)
    plan = _plan(
        conn,
        sql.SQL(
            "SELECT * FROM {} WHERE instrument_id = 7 AND ts >= now() - interval '3 days'"
        ).format(sql.Identifier("ibkeeper", view)),
    )
    yesterday = f"quote_{datetime.now(timezone.utc) - timedelta(days=1):%Y%m%d}"

    (kept,) = re.findall(r"(?:using|on) bar_quote_kept_pkey.*\n.*Index Cond: (.*)", plan)
    assert "instrument_id = 7" in kept
    assert "ts >=" in kept
    assert re.search(rf"using {yesterday}_instrument_id_ts_idx .*never executed", plan)


def _keep_a_month(conn: psycopg.Connection[Any]) -> None:
    conn.execute(
        "INSERT INTO ibkeeper.bar_quote_kept (step, ts, instrument_id, two_sided, quotes)"
        " SELECT step, date_trunc('day', now()) - bar * interval '1 hour', instrument, 1, 1"
        "   FROM unnest(ARRAY['1m', '5m', '1d']) AS step, generate_series(1, 720) AS bar,"
        "        generate_series(1, 20) AS instrument"
    )
    conn.execute(
        "INSERT INTO ibkeeper.bar_day (day, quotes, trades)"
        " VALUES ((now() AT TIME ZONE 'UTC')::date - 1, 1, 0)"
    )
    conn.execute("ANALYZE ibkeeper.bar_quote_kept")


def _plan(conn: psycopg.Connection[Any], question: sql.Composed) -> str:
    explain = sql.SQL("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ")
    return "\n".join(line for (line,) in conn.execute(explain + question))
