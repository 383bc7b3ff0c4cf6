"""The migration on a real TimescaleDB: market tables are hypertables and behave as tables do."""

from __future__ import annotations

import psycopg
import pytest

from ibcore import db

# One server of 470 MB for all: not one on each worker.
pytestmark = pytest.mark.paired

MARKET = {"quote", "trade", "greeks", "instrument_stat"}


def test_up_down_up_on_timescale(timescale_url: str) -> None:
    first = _hypertables(timescale_url)
    db.migrate(timescale_url, to="base")
    bare = _hypertables(timescale_url)
    db.migrate(timescale_url)

    assert first == MARKET
    assert bare == set()
    assert _hypertables(timescale_url) == MARKET


def test_a_row_of_any_day_finds_a_chunk_and_no_partition_is_made(timescale_url: str) -> None:
    with psycopg.connect(timescale_url) as conn:
        conn.execute(
            "INSERT INTO ibkeeper.quote (ts, recv_ts, instrument_id, seq, epoch, provider,"
            " quality, tick_type, bid) SELECT day, now(), 1, row_number() OVER (), 1, 'ib',"
            " 'live', 1, 100 FROM unnest(ARRAY['2015-12-24 15:00+00', '2026-01-02 15:00+00',"
            " '2026-01-02 16:00+00']::timestamptz[]) AS day"
        )
        chunks = conn.execute("SELECT count(*) FROM show_chunks('ibkeeper.quote')").fetchone()
        made = conn.execute("SELECT * FROM ibkeeper.ensure_partitions(3)").fetchall()
        comment = conn.execute("SELECT obj_description('ibkeeper.quote'::regclass)").fetchone()

    assert chunks == (2,)
    assert made == []
    assert comment is not None
    assert comment[0].startswith("Best bid and ask")


def test_a_hypertable_refuses_what_a_table_refuses(timescale_url: str) -> None:
    with psycopg.connect(timescale_url) as conn, pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(
            "INSERT INTO ibkeeper.quote (ts, recv_ts, instrument_id, seq, epoch, provider,"
            " quality, tick_type, bid) VALUES (now(), now(), 1, 1, 1, 'ib', 'live', 1, 'NaN')"
        )


def _hypertables(url: str) -> set[str]:
    with psycopg.connect(url) as conn:
        cursor = conn.execute(
            "SELECT hypertable_name FROM timescaledb_information.hypertables"
            " WHERE hypertable_schema = 'ibkeeper'"
        )
        return {name for (name,) in cursor}
