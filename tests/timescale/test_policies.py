"""Upkeep on TimescaleDB: policies from the settings, and what compression leaves as it was."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from pathlib import Path

import psycopg
import pytest

from ibcore import db, upkeep
from ibcore.config import MaintenanceSettings
from tests import market_rows as rows

# One server of 470 MB for all: not one on each worker.
pytestmark = [pytest.mark.paired, pytest.mark.anyio]
KINDS = Path(__file__).parents[2] / "migrations" / "greeks_kind"
MARKET = ["greeks", "instrument_stat", "quote", "trade"]


async def maintained(url: str, settings: MaintenanceSettings) -> list[str]:
    async with db.opened(url, application="test") as conn:
        done = await upkeep.run(conn, settings)
    # One backend serves every connection: what the last one held and prepared is still there.
    with psycopg.connect(url, autocommit=True) as fresh:
        fresh.execute("SELECT pg_advisory_unlock_all()")
        fresh.execute("DEALLOCATE ALL")
    return [each.outcome for each in done if each.step == "policies"]


def policies(url: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(url) as conn:
        return conn.execute(
            "SELECT hypertable_name::text, proc_name::text,"
            "       coalesce(config ->> 'compress_after', config ->> 'drop_after')"
            "  FROM timescaledb_information.jobs"
            " WHERE hypertable_schema = 'ibkeeper' AND proc_name IN"
            "       ('policy_compression', 'policy_retention') ORDER BY 1, 2"
        ).fetchall()


async def test_policies_follow_the_settings_and_are_set_once(timescale_url: str) -> None:
    keep = MaintenanceSettings(keep_ticks_days=30, compress_days=3)
    first = await maintained(timescale_url, keep)
    second = await maintained(timescale_url, keep)
    assert first == ["compression after 3 days: set", "retention after 30 days: set"] * 4
    assert {outcome.split(": ")[1] for outcome in second} == {"unchanged"}
    assert policies(timescale_url) == [
        (table, name, after)
        for table in MARKET
        for name, after in (("policy_compression", "3 days"), ("policy_retention", "30 days"))
    ]

    never = await maintained(timescale_url, MaintenanceSettings(compress_days=None))
    assert never == ["compression after never: set", "retention after never: set"] * 4
    assert policies(timescale_url) == []


async def test_compressed_ticks_are_the_same_ticks(timescale_url: str) -> None:
    await maintained(timescale_url, MaintenanceSettings())
    start = datetime(2026, 1, 2, 15, tzinfo=timezone.utc)
    question = "SELECT * FROM ibkeeper.quote ORDER BY ts, epoch, seq"
    with psycopg.connect(timescale_url, autocommit=True) as conn:
        rows.insert(conn, "quote", rows.quotes(random.Random(1), start, seconds=600))
        before = conn.execute(question).fetchall()
        conn.execute("SELECT compress_chunk(c) FROM show_chunks('ibkeeper.quote') AS c")
        packed = conn.execute(
            "SELECT count(*) FROM timescaledb_information.chunks"
            " WHERE hypertable_name = 'quote' AND is_compressed"
        ).fetchone()
        assert conn.execute(question).fetchall() == before
        late = rows.quotes(random.Random(2), start, seconds=600, each=1)
        rows.insert(conn, "quote", late)
        total = conn.execute("SELECT count(*) FROM ibkeeper.quote").fetchone()

    assert packed == (1,)
    assert total == (len(before) + 1,)


async def test_the_kinds_of_greeks_change_over_compressed_ticks(timescale_url: str) -> None:
    await maintained(timescale_url, MaintenanceSettings())
    moment = datetime(2026, 1, 2, 15, tzinfo=timezone.utc)
    one = {"ts": moment, "recv_ts": moment, "instrument_id": 1, "seq": 1, "epoch": 1, "iv": 0.2}
    ours = one | {"provider": "ib", "quality": "live", "kind": "model"}
    with psycopg.connect(timescale_url, autocommit=True) as conn:
        rows.insert(conn, "greeks", [ours])
        conn.execute("SELECT compress_chunk(c) FROM show_chunks('ibkeeper.greeks') AS c")
        for direction in ("down", "up"):
            conn.execute((KINDS / f"{direction}.sql").read_bytes())
        rows.insert(conn, "greeks", [ours | {"seq": 2, "provider": "alpaca", "kind": "vendor"}])
        kept = conn.execute("SELECT kind FROM ibkeeper.greeks ORDER BY kind").fetchall()
    assert kept == [("model",), ("vendor",)]
