"""What must hold of bars on every database: the checks that both editions' tests make."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests.market_rows import Bars

STEPS = {
    "bar_1m": timedelta(minutes=1),
    "bar_5m": timedelta(minutes=5),
    "bar_1d": timedelta(days=1),
}
PLACE = ["ts", "instrument_id"]
QUOTES = ["mid_open", "mid_high", "mid_low", "mid_close"]
QUOTES += ["spread_avg", "spread_min", "spread_max", "quotes"]
TRADES = ["open", "high", "low", "close", "volume", "vwap", "trades", "trade_source"]


def read(conn: psycopg.Connection[Any], view: str) -> Bars:
    """Return what a bar view says, by start and instrument."""
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("ibkeeper", view)))
        assert [column.name for column in cursor.description or ()] == PLACE + QUOTES + TRADES
        rows = cursor.fetchall()
    found = {(row.pop("ts"), row.pop("instrument_id")): row for row in rows}
    assert len(found) == len(rows)
    return found


def assert_equal(found: Bars, expected: Bars, seed: int) -> None:
    """Compare bars; sums of floats may differ in the last digits."""
    assert found.keys() == expected.keys(), f"seed {seed}"
    for key, bar in expected.items():
        assert found[key] == pytest.approx(bar), f"{key}, seed {seed}"
