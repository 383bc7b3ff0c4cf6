"""Upkeep on plain PostgreSQL: what it does is done once, and no tick and no bar gets lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from ibcore import db, upkeep
from ibcore.config import MaintenanceSettings
from ibcore.embedded import Server
from ibcore.errors import InstanceConflict
from ibcore.upkeep import Done
from tests import market_rows as rows
from tests.bar_checks import STEPS, assert_equal, read

pytestmark = pytest.mark.anyio
FOREVER = MaintenanceSettings()


def today() -> datetime:
    """Return when this day began; tests are collected minutes before they run."""
    return datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def url(postgres_server: Server) -> Iterator[str]:
    """Return the URL of a database whose partitions are this test's own."""
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as conn:
        conn.execute("DROP DATABASE IF EXISTS upkeep WITH (FORCE)")
        conn.execute("CREATE DATABASE upkeep")
        db.migrate(postgres_server.url("upkeep"))
        yield postgres_server.url("upkeep")
        conn.execute("DROP DATABASE upkeep WITH (FORCE)")


@pytest.fixture
async def conn(url: str) -> AsyncIterator[db.Connection]:
    """Return the connection that upkeep works on."""
    async with db.opened(url, application="test") as connection:
        yield connection


FILLED = """
WITH fill AS (
    INSERT INTO ibkeeper.gap_fill (sidecar, instrument_id, cause, from_ts, to_ts, state, source,
                                   request_id)
    VALUES ('main', 1, 'session', %(ts)s, %(ts)s, 'filled', 'ticks', gen_random_uuid())
    RETURNING id)
INSERT INTO ibkeeper.backfill_trade (instrument_id, ts, fill_id, place, price)
SELECT 1, %(ts)s, id, 1, 10.0 FROM fill"""


def fill(url: str, *days_ago: int) -> tuple[list[rows.Row], list[rows.Row]]:
    """Insert quotes and trades of some days; return them."""
    quoted: list[rows.Row] = []
    traded: list[rows.Row] = []
    for days in days_ago:
        start = today() - timedelta(days=days)
        quoted += rows.quotes(random.Random(days), start, seconds=86_400, each=120)
        traded += rows.trades(random.Random(days), start, seconds=86_400, each=120)
    with psycopg.connect(url) as connection:
        rows.insert(connection, "quote", quoted)
        rows.insert(connection, "trade", traded)
    return quoted, traded


def ask(url: str, question: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        connection.execute("SET timezone TO 'UTC'")
        return connection.execute(question.encode()).fetchall()


def of(step: str, done: list[Done]) -> Counter[str]:
    return Counter(each.outcome.split(" ")[0].rstrip(":") for each in done if each.step == step)


async def test_a_second_run_finds_nothing_to_do(url: str, conn: db.Connection) -> None:
    fill(url, 0, 1, 2, 20)
    keep = MaintenanceSettings(keep_ticks_days=10, days_ahead=9)
    await upkeep.run(conn, keep)
    before = ask(url, "SELECT * FROM ibkeeper.bar_1m ORDER BY ts, instrument_id")
    second = await upkeep.run(conn, keep)

    assert {each.outcome for each in second} == {
        "exists",
        "unchanged",
        "0 entries deleted",
        "0 deleted",
    }
    assert ask(url, "SELECT * FROM ibkeeper.bar_1m ORDER BY ts, instrument_id") == before


@pytest.mark.parametrize("view", STEPS)
async def test_bars_of_closed_and_open_days_are_those_of_the_ticks(
    url: str, conn: db.Connection, view: str
) -> None:
    quoted, traded = fill(url, 0, 1, 2, 3)
    done = await upkeep.run(conn, FOREVER)

    assert of("bars", done)["closed"] >= 3
    assert ask(url, "SELECT max(day) FROM ibkeeper.bar_day") == [
        (today().date() - timedelta(days=1),)
    ]
    with psycopg.connect(url) as connection:
        assert_equal(read(connection, view), rows.bars(quoted, traded, STEPS[view]), seed=0)


async def test_ticks_that_come_late_find_their_way_into_the_bars(
    url: str, conn: db.Connection
) -> None:
    quoted, traded = fill(url, 1)
    await upkeep.run(conn, FOREVER)
    late = rows.quotes(random.Random(99), today() - timedelta(days=1), seconds=3600, each=50)
    with psycopg.connect(url) as connection:
        rows.insert(connection, "quote", late)
    again = await upkeep.run(conn, FOREVER)

    assert [each.outcome.split(":")[0] for each in again if each.step == "bars"].count(
        "closed again"
    ) == 1
    with psycopg.connect(url) as connection:
        expected = rows.bars(quoted + late, traded, STEPS["bar_1d"])
        assert_equal(read(connection, "bar_1d"), expected, seed=0)


async def test_a_tick_whose_day_has_no_partition_is_kept_and_settled(
    url: str, conn: db.Connection
) -> None:
    quoted, traded = fill(url, 40, 41)
    strays = ask(url, "SELECT count(*) FROM ibkeeper.quote_stray")
    done = await upkeep.run(conn, FOREVER)

    assert strays == [(len(quoted),)]
    assert of("strays", done) == {"settled": 4}
    assert ask(url, "SELECT count(*) FROM ibkeeper.quote_stray") == [(0,)]
    assert ask(url, "SELECT count(*), count(DISTINCT tableoid) FROM ibkeeper.quote") == [
        (len(quoted), 2)
    ]
    with psycopg.connect(url) as connection:
        assert_equal(read(connection, "bar_5m"), rows.bars(quoted, traded, STEPS["bar_5m"]), seed=0)


async def test_strays_of_a_day_that_is_being_written_wait_and_none_is_lost(
    url: str, conn: db.Connection
) -> None:
    quoted, _ = fill(url, 40)
    with psycopg.connect(url) as writer:
        rows.insert(writer, "quote", quoted[:1])
        done = await upkeep.run(conn, FOREVER)
        writer.rollback()
    again = await upkeep.run(conn, FOREVER)

    assert of("strays", done) == {"busy": 1, "settled": 1}
    assert of("strays", again) == {"settled": 1}
    assert ask(url, "SELECT count(*) FROM ibkeeper.quote") == [(len(quoted),)]


async def test_old_ticks_are_dropped_and_their_bars_stay(url: str, conn: db.Connection) -> None:
    quoted, traded = fill(url, 1, 20, 30)
    done = await upkeep.run(conn, MaintenanceSettings(keep_ticks_days=10))

    assert of("retention", done) == {"dropped": 4, "0": 1}
    assert ask(url, "SELECT DISTINCT ts::date FROM ibkeeper.quote") == [
        (today().date() - timedelta(days=1),)
    ]
    with psycopg.connect(url) as connection:
        assert_equal(read(connection, "bar_1m"), rows.bars(quoted, traded, STEPS["bar_1m"]), seed=0)


async def test_what_was_filled_in_afterwards_goes_with_the_ticks_of_its_days(
    url: str, conn: db.Connection
) -> None:
    for days_ago in (2, 20):
        ts = today() - timedelta(days=days_ago)
        await conn.execute(FILLED, {"ts": ts})
    done = await upkeep.run(conn, MaintenanceSettings(keep_ticks_days=10))

    assert Done("retention", "backfilled ticks", "1 deleted") in done
    assert ask(url, "SELECT ts FROM ibkeeper.backfill_trade") == [(today() - timedelta(days=2),)]


async def test_ticks_without_kept_bars_are_not_dropped(url: str, conn: db.Connection) -> None:
    fill(url, 30)
    await upkeep.run(conn, FOREVER)
    await conn.execute("DELETE FROM ibkeeper.bar_day")
    old = {"market_table": "quote", "day": today().date() - timedelta(days=30), "keep_days": 10}
    answer = await (await conn.execute(db.QUERIES["drop_day"], old)).fetchone()

    assert answer == ("kept: its bars are not closed",)


@pytest.mark.parametrize(("days_ago", "keep_days"), [(0, 10), (9, 10), (30, 6), (30, 0), (-1, 10)])
async def test_a_day_that_is_young_is_never_dropped(
    conn: db.Connection, days_ago: int, keep_days: int
) -> None:
    young: dict[str, Any] = {"market_table": "quote", "keep_days": keep_days}
    young["day"] = today().date() - timedelta(days=days_ago)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not old enough"):
        await conn.execute(db.QUERIES["drop_day"], young)


async def test_today_is_never_closed(conn: db.Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="is not over"):
        await conn.execute(db.QUERIES["close_day"], {"day": today().date()})


async def test_a_day_that_somebody_reads_is_dropped_another_time(
    url: str, conn: db.Connection
) -> None:
    fill(url, 30)
    await upkeep.run(conn, FOREVER)
    with psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM ibkeeper.quote")
        done = await upkeep.run(conn, MaintenanceSettings(keep_ticks_days=10))
    again = await upkeep.run(conn, MaintenanceSettings(keep_ticks_days=10))

    assert of("retention", done) == {"busy": 1, "dropped": 1, "0": 1}
    assert of("retention", again) == {"dropped": 1, "0": 1}


async def test_the_ledger_is_pruned_but_not_the_end_of_a_spool(
    url: str, conn: db.Connection
) -> None:
    alive, dead = uuid4(), uuid4()
    for spool, batch, days in ((alive, 1, 100), (alive, 2, 1), (dead, 1, 200), (dead, 2, 100)):
        await conn.execute(
            "INSERT INTO ibkeeper.ingest_batch (spool, batch, sidecar, epoch, first_seq, last_seq,"
            " rows, sealed_at, committed_at) VALUES (%s, %s, 'main', 1, %s, %s, 1,"
            " now() - %s * interval '1 day', now() - %s * interval '1 day')",
            [spool, batch, batch, batch, days, days],
        )
    done = await upkeep.run(conn, FOREVER)

    assert [each.outcome for each in done if each.step == "ledger"] == ["2 entries deleted"]
    left = ask(url, "SELECT spool, batch FROM ibkeeper.ingest_batch")
    assert set(left) == {(alive, 2), (dead, 2)}


async def test_two_upkeeps_do_not_work_at_once(url: str, conn: db.Connection) -> None:
    await upkeep.run(conn, FOREVER)
    async with db.opened(url, application="second") as second:
        with pytest.raises(InstanceConflict, match="Another upkeep"):
            await upkeep.run(second, FOREVER)


@pytest.mark.parametrize("table", ["quote", "trade", "greeks", "instrument_stat"])
@pytest.mark.parametrize("change", ["UPDATE {} SET epoch = 2", "DELETE FROM {}"])
async def test_what_was_recorded_can_be_changed_by_nobody(
    url: str, conn: db.Connection, table: str, change: str
) -> None:
    row = rows.quotes(random.Random(1), today(), seconds=10, each=1)[0]
    head = {name: row[name] for name in list(row)[:7]}
    own: dict[str, rows.Row] = {
        "quote": {"tick_type": 1},
        "trade": {"tick_type": 4, "source": "last", "price": 1.0},
        "greeks": {"kind": "model"},
        "instrument_stat": {"tick_type": 49, "field": "halted", "value": 0.0},
    }
    with psycopg.connect(url) as connection:
        rows.insert(connection, table, [{**head, **own[table]}])
    # Setting the word of upkeep is not enough: it must also be the owner who deletes.
    await conn.execute("SET ibkeeper.upkeep = 'on'")
    await conn.execute("SET ROLE pg_write_all_data")
    statement = sql.SQL(change).format(sql.Identifier("ibkeeper", table))  # type: ignore[arg-type]
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        await conn.execute(statement)
    await conn.execute("RESET ROLE")
    await conn.execute("SET ibkeeper.upkeep = 'off'")
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        await conn.execute(statement)


def test_the_default_is_to_keep_every_tick() -> None:
    assert MaintenanceSettings().keep_ticks_days is None
