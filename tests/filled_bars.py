"""A recording with a hole, what IB had of it, and the bars that both make: for both editions."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from tests import market_rows as rows
from tests.bar_checks import STEPS
from tests.market_rows import Bars, Row

STEP = STEPS["bar_1m"]
COLUMNS = ("mid_open", "mid_high", "mid_low", "mid_close", "open", "high", "low", "close",
           "volume", "vwap", "trades")  # fmt: skip
FILL = {
    "sidecar": "main", "instrument_id": 1, "cause": "session_lost", "state": "filled",
    "source": "ticks", "quotes": 0, "trades": 0, "bars": 0,
}  # fmt: skip


def record(conn: psycopg.Connection[Any], start: datetime, seed: int) -> tuple[Bars, Bars]:
    """Write twenty minutes, of which ticks of history begin at the tenth; bars from the fortieth.

    Returns the bars of what was live and of what was filled in.
    """
    dice = random.Random(seed)
    live = [rows.quotes(dice, start, seconds=1200), rows.trades(dice, start, seconds=1200)]
    later = start + timedelta(minutes=10)
    late = [rows.quotes(dice, later, seconds=1200), rows.trades(dice, later, seconds=1200)]
    rows.insert(conn, "quote", live[0])
    rows.insert(conn, "trade", live[1])
    fill = str(uuid4())
    ends = start + timedelta(hours=1)
    about = {"id": fill, "request_id": fill, "from_ts": later, "to_ts": ends, "filled_at": ends}
    rows.insert(conn, "gap_fill", [FILL | about])
    for table, ticks in zip(("backfill_quote", "backfill_trade"), late, strict=True):
        rows.insert(conn, table, [_of_history(tick, fill) for tick in ticks])
    asked = [_alike(tick) for tick in late[0]], [_alike(tick) for tick in late[1]]
    bars = rows.bars(live[0], live[1], STEP), rows.bars(*asked, STEP)
    bars[1].update(_bars(conn, fill, start + timedelta(minutes=40)))
    return bars


def assert_shown(conn: psycopg.Connection[Any], live: Bars, filled: Bars, seed: int) -> None:
    """Every live bar is there as it was, and a filled one wherever there is no live one."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute("SELECT * FROM ibkeeper.v_bar_1m_filled").fetchall()
    shown = {(row.pop("ts"), row.pop("instrument_id")): row for row in found}
    assert len(shown) == len(found)
    assert filled.keys() & live.keys(), "some minutes are both"
    assert filled.keys() - live.keys()
    assert shown.keys() == live.keys() | filled.keys(), f"seed {seed}"
    for key, row in shown.items():
        bar = live.get(key) or filled[key]
        wanted = {name: bar[name] for name in COLUMNS} | {"backfilled": key not in live}
        assert row == pytest.approx(wanted), f"{key}, seed {seed}"


def _of_history(tick: Row, fill: str) -> Row:
    names = ("bid", "bid_size", "ask", "ask_size", "price", "size")
    kept = {name: tick[name] for name in names if name in tick}
    return {"instrument_id": tick["instrument_id"], "ts": tick["ts"], "fill_id": fill,
            "place": tick["seq"], **kept}  # fmt: skip


def _alike(tick: Row) -> Row:
    # History knows neither quality nor source, and its order is that of its places.
    return tick | {"quality": "live", "epoch": 1, "source": "last"}


def _bars(conn: psycopg.Connection[Any], fill: str, ts: datetime) -> Bars:
    prices = {"open": 2.0, "high": 4.0, "low": 1.0, "close": 3.0}
    place = {"instrument_id": 1, "ts": ts, "fill_id": fill}
    traded = {**prices, "volume": 10.0, "vwap": 2.5, "trades": 7}
    rows.insert(conn, "backfill_bar", [place | {"kind": "trades"} | traded])
    rows.insert(conn, "backfill_bar", [place | {"kind": "midpoint"} | prices])
    return {(ts, 1): {f"mid_{name}": value for name, value in prices.items()} | traded}
