"""The latency of each instrument in the reports of the connection: as on plain PostgreSQL."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest

from ibcore import db
from ibcore.config import MaintenanceSettings
from ibcore.sla.spans import slices
from tests.integration.test_sla import record
from tests.timescale.test_policies import maintained

pytestmark = [pytest.mark.paired, pytest.mark.anyio, pytest.mark.timeout(120)]

OPENS = datetime(2026, 11, 24, 14, 30, tzinfo=timezone.utc)
OURS = "ibkeeper.watch, ibkeeper.instrument, ibkeeper.ingest_batch"


def latencies(url: str) -> list[tuple[Any, ...]]:
    pieces = slices([(OPENS, OPENS + timedelta(hours=6.5))], 200)
    asked = {"sidecar": "main", "begins": [a for a, _ in pieces], "ends": [b for _, b in pieces]}
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as conn:
        return conn.execute(db.QUERIES["sla_instrument_latency"], asked | {"each": 5}).fetchall()


async def test_it_is_the_same_on_timescaledb_also_where_chunks_are_compressed(
    timescale_url: str, db_url: str
) -> None:
    await maintained(timescale_url, MaintenanceSettings())
    for url in (timescale_url, db_url):
        record(url, random.Random(20261124), OPENS)
    plain = latencies(db_url)
    assert {name for name, *_ in plain} == {"BUSY", "QUICK"}
    try:
        assert latencies(timescale_url) == plain
        with psycopg.connect(timescale_url, autocommit=True) as conn:
            conn.execute("SELECT compress_chunk(c) FROM show_chunks('ibkeeper.quote') AS c")
        assert latencies(timescale_url) == plain
    finally:
        with psycopg.connect(timescale_url, autocommit=True) as conn:
            conn.execute(f"TRUNCATE {OURS} CASCADE")
