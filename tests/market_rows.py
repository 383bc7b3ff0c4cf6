"""Market rows for the tests of the database, and what bars of them must be, worked out in Python.

Rows go in by INSERT: the TimescaleDB of the tests knows no COPY.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
from psycopg import sql

Row = dict[str, Any]
Bars = dict[tuple[datetime, int], Row]
PAGE_CHARS = 30_000
ORIGIN = datetime(2000, 1, 1, tzinfo=timezone.utc)
RANK = {"tick_by_tick": 1, "rt_trade_volume": 2, "rt_volume": 3, "last": 4}
IN_NO_BAR = {"frozen", "delayed_frozen", "indicative"}


def quotes(dice: random.Random, start: datetime, *, seconds: int, each: int = 400) -> list[Row]:
    """Return quotes of three instruments, out of order, many with the same ts, some one-sided."""
    return [
        {
            **_head(dice, start, seconds, number),
            "bid": None if dice.random() < 0.1 else round(dice.uniform(-1, 100), 2),
            "bid_size": 1.0,
            "ask": None if dice.random() < 0.1 else round(dice.uniform(-1, 100), 2),
            "ask_size": 2.0,
        }
        for number in range(each)
    ]


def trades(dice: random.Random, start: datetime, *, seconds: int, each: int = 400) -> list[Row]:
    """Return prints of three instruments from every source."""
    return [
        {
            **_head(dice, start, seconds, 10_000 + number),
            "source": dice.choice(list(RANK)),
            "price": round(dice.uniform(-1, 100), 2),
            "size": None if dice.random() < 0.1 else float(dice.randrange(1, 50)),
        }
        for number in range(each)
    ]


def _head(dice: random.Random, start: datetime, seconds: int, number: int) -> Row:
    quality = dice.choices(["live", "delayed", "frozen", "indicative"], [90, 4, 3, 3])[0]
    ts = start + timedelta(seconds=dice.randrange(seconds))
    origin = {"provider": "ib", "quality": quality, "tick_type": 1}
    epoch = dice.choice((1, 2))
    return {"ts": ts, "recv_ts": ts, "instrument_id": dice.randrange(1, 4), "seq": number} | {
        "epoch": epoch,
        **origin,
    }


def insert(conn: psycopg.Connection[Any], table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns, some at a time: PGlite chokes on more."""
    columns = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    name = sql.Identifier("ibkeeper", table)
    statement = sql.SQL(
        "INSERT INTO {} ({}) SELECT {} FROM jsonb_populate_recordset(NULL::{}, %s::jsonb)"
    ).format(name, columns, columns, name)
    for page in _pages([json.dumps(row, default=str) for row in rows]):
        conn.execute(statement, [f"[{','.join(page)}]"])


def _pages(texts: Sequence[str]) -> Iterator[list[str]]:
    page: list[str] = []
    for text in texts:
        if page and sum(map(len, page)) + len(text) > PAGE_CHARS:
            yield page
            page = []
        page.append(text)
    yield page


def bars(quoted: Iterable[Row], traded: Iterable[Row], step: timedelta) -> Bars:
    """Return the bars of `step` by start and instrument."""
    made: Bars = defaultdict(dict)
    for key, rows in _by_bar(quoted, step).items():
        made[key] |= _quote_bar(rows)
    for key, rows in _by_bar(traded, step).items():
        best = min((row["source"] for row in rows), key=lambda source: RANK[source])
        made[key] |= _trade_bar([row for row in rows if row["source"] == best])
    empty = _quote_bar([]) | _trade_bar([])
    return {key: empty | bar for key, bar in made.items()}


def _by_bar(rows: Iterable[Row], step: timedelta) -> dict[tuple[datetime, int], list[Row]]:
    found: dict[tuple[datetime, int], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["ts"], row["epoch"], row["seq"])):
        if row["quality"] not in IN_NO_BAR:
            start = ORIGIN + (row["ts"] - ORIGIN) // step * step
            found[start, row["instrument_id"]].append(row)
    return found


def _quote_bar(rows: Sequence[Row]) -> Row:
    both = [row for row in rows if row["bid"] is not None and row["ask"] is not None]
    mids = [(row["bid"] + row["ask"]) / 2 for row in both]
    spreads = [row["ask"] - row["bid"] for row in both]
    return {
        "mid_open": mids[0] if mids else None,
        "mid_high": max(mids, default=None),
        "mid_low": min(mids, default=None),
        "mid_close": mids[-1] if mids else None,
        "spread_avg": sum(spreads) / len(spreads) if spreads else None,
        "spread_min": min(spreads, default=None),
        "spread_max": max(spreads, default=None),
        "quotes": len(rows),
    }


def _trade_bar(rows: Sequence[Row]) -> Row:
    prices = [row["price"] for row in rows]
    sized = [row for row in rows if row["size"] is not None]
    volume = sum(row["size"] for row in sized)
    return {
        "open": prices[0] if prices else None,
        "high": max(prices, default=None),
        "low": min(prices, default=None),
        "close": prices[-1] if prices else None,
        "volume": volume if sized else None,
        "vwap": sum(r["price"] * r["size"] for r in sized) / volume if sized else None,
        "trades": len(rows),
        "trade_source": rows[0]["source"] if rows else None,
    }
