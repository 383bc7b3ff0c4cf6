"""A day that ibkeeper recorded, replayed out of its own database to any client."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
import structlog

from ibcore.errors import ConfigRefused, DatabaseUnavailable
from ibcore.sim import tapes
from ibcore.sim.config import SimConfig
from ibcore.sim.ledger import by_line
from ibcore.sim.server import Gateway
from ibcore.sim.tape_sql import SqlTape
from ibcore.sim.tape_table import TableTape
from tests.integration import sim_client as asking
from tests.integration.hand_clock import HandClock
from tests.integration.sim_client import eventually, raw_client
from tests.integration.test_sim_tapes_table import long_day
from tests.property.test_sim_tables import OPENING, Row, write_csv, write_parquet

pytestmark = pytest.mark.anyio

_INSTRUMENT = """
INSERT INTO ibkeeper.instrument (id, con_id, symbol, sec_type, exchange, currency, expiry, strike,
                                 "right", trading_class)
VALUES (%s, %s, %s, %s, 'SMART', 'USD', %s, %s, %s, %s)"""
_QUOTE = """
INSERT INTO ibkeeper.quote (ts, recv_ts, instrument_id, seq, epoch, provider, quality, tick_type,
                            bid, bid_size, ask, ask_size)
VALUES (%s, %s, %s, %s, 1, 'ib', 'live', 1, %s, %s, %s, %s)"""
_TRADE = """
INSERT INTO ibkeeper.trade (ts, recv_ts, instrument_id, seq, epoch, provider, quality, tick_type,
                            source, price, size)
VALUES (%s, %s, %s, %s, 1, 'ib', 'live', 4, %s, %s, %s)"""


def store(url: str, rows: list[Row]) -> None:
    """Put a day into the tables as the recorder does."""
    with psycopg.connect(url) as conn, conn.cursor() as cursor:
        cursor.execute(_INSTRUMENT, (1, 265598, "AAPL", "STK", None, None, None, "NMS"))
        terms = ("2027-01-15", 230, "C", "AAPL")
        cursor.execute(_INSTRUMENT, (2, 474694092, "AAPL", "OPT", *terms))
        for seq, row in enumerate(rows, 1):
            at, number = row["ts"], 2 if row.get("sec_type") else 1
            head = (at, at, number, seq)
            if row["kind"] == "quote":
                sides = (row["bid"], row["bid_size"], row["ask"], row["ask_size"])
                cursor.execute(_QUOTE, (*head, *sides))
            else:
                for source in ("last", "rt_volume"):
                    cursor.execute(_TRADE, (*head, source, row["price"], row["size"]))


def of_day(url: str, day: str = "2026-11-20", more: str = "") -> str:
    return f"{url}{'&' if '?' in url else '?'}day={day}{more}"


@pytest.fixture
def recorded(db_url: str) -> str:
    """Return the URL of a recorded day."""
    store(db_url, long_day())
    return of_day(db_url)


def test_csv_parquet_and_sql_tell_the_same_day(recorded: str, tmp_path: Path) -> None:
    rows = [{**row, "con_id": 474694092 if row.get("sec_type") else 265598} for row in long_day()]
    sql = SqlTape(recorded)
    from_csv = TableTape(write_csv(tmp_path / "day.csv", rows))
    from_parquet = TableTape(write_parquet(tmp_path / "day.parquet", rows))
    told = [row._replace(cause=0) for row in sql.rows() if row.printed is None]
    assert told == list(from_csv.rows()) == list(from_parquet.rows())
    assert {c.con_id: c for c in sql.contracts} == {c.con_id: c for c in from_csv.contracts}
    assert sql.starts_us == from_csv.starts_us == int(OPENING.timestamp() * 1e6)


async def test_a_recorded_day_is_replayed_event_by_event(recorded: str) -> None:
    config = SimConfig(tape=recorded, speed=2_000.0, farm_wake_s=0.0)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        client.send(*asking.market_data(1, symbol="AAPL", sec_type="STK"))
        await eventually(lambda: getattr(gateway.source, "finished", False))
        [ticks] = by_line(gateway.ledger.sent_ticks).values()
        prices = [float(tick.fields[0]) for tick in ticks if tick.tick_type == 4]
        assert prices == [row["price"] for row in long_day() if row["kind"] == "trade"]


async def test_a_gateway_that_stops_in_the_middle_lets_the_database_go(recorded: str) -> None:
    config = SimConfig(tape=recorded, farm_wake_s=0.0)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        client.send(*asking.market_data(1, symbol="AAPL", sec_type="STK"))
        await client.until(1)
    asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ibkeeper-sim-tape'"
    with psycopg.connect(recorded.split("day=")[0].rstrip("?&"), autocommit=True) as conn:
        await eventually(lambda: conn.execute(asked).fetchone() == (0,))


def test_only_the_asked_for_symbols_and_the_asked_for_day_are_read(
    recorded: str, db_url: str
) -> None:
    assert len(SqlTape(recorded + "&symbols=AAPL").contracts) == 2
    with pytest.raises(ConfigRefused, match="Nothing was recorded on 2026-11-20 of MSFT"):
        SqlTape(recorded + "&symbols=MSFT")
    with pytest.raises(ConfigRefused, match="Nothing was recorded on 2026-11-19"):
        SqlTape(of_day(db_url, "2026-11-19"))


def test_a_day_is_new_york_s(db_url: str) -> None:
    late = datetime(2026, 11, 21, 4, 30, tzinfo=timezone.utc)  # 23:30 on the 20th in New York
    rows = [
        {"ts": (late + timedelta(hours=hour)).isoformat(), "kind": "quote", "bid": 1.0 + hour,
         "bid_size": 1, "ask": 9.0, "ask_size": 1}
        for hour in (0, 1)
    ]  # fmt: skip
    store(db_url, rows)
    assert [row.bid for row in SqlTape(of_day(db_url)).rows()] == [1.0]


def test_a_database_that_does_not_answer_is_named_without_its_secret() -> None:
    url = "postgresql://keeper:hunter2@127.0.0.1:9/none?day=2026-11-20"
    with pytest.raises(DatabaseUnavailable) as refused:
        tapes.open_source(SimConfig(tape=url))
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("postgresql://u:hunter2@h:abc/db?day=2026-11-20", "no valid host or port"),
        ("postgresql://u:hunter2@[::1/db?day=2026-11-20", "no valid host or port"),
        ("postgresql://u:hunter2@127.0.0.1:9/db", "End the URL with [?]day=YYYY-MM-DD"),
        ("postgresql://u:hunter2@127.0.0.1:9/db?day=yesterday", "End the URL with [?]day="),
    ],
)
def test_a_url_that_is_none_is_one_clear_line(url: str, hint: str) -> None:
    with pytest.raises(ConfigRefused, match=hint) as refused:
        tapes.open_source(SimConfig(tape=url))
    assert "hunter2" not in str(refused.value)


def test_a_user_who_may_not_read_is_told_so(recorded: str, db_url: str) -> None:
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute("CREATE ROLE nosy LOGIN PASSWORD 'hunter2'")
        try:
            before, _, after = recorded.partition("@")
            assert before.startswith("postgresql://")
            with pytest.raises(ConfigRefused, match="may not read"):
                SqlTape(f"postgresql://nosy:hunter2@{after}")
        finally:
            conn.execute("DROP ROLE nosy")


async def test_a_database_that_goes_away_ends_the_tape_and_nothing_else(recorded: str) -> None:
    clock = HandClock()
    config = SimConfig(tape=recorded, farm_wake_s=0.0, clock=clock)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        client.send(*asking.market_data(1, symbol="AAPL", sec_type="STK"))
        await client.until(1)
        with psycopg.connect(recorded.split("day=")[0].rstrip("?&"), autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'ibkeeper-sim-tape'"
            )
        with structlog.testing.capture_logs() as logs:
            clock.now += 3_600.0
            await eventually(lambda: getattr(gateway.source, "finished", False))
        assert "sim_tape_lost" in [entry["event"] for entry in logs]
        client.send(49, 1)
        assert (await client.until(49))[-1][0] == "49"


def test_a_database_that_is_not_ibkeeper_s_is_refused(postgres_url: str) -> None:
    other = psycopg.conninfo.conninfo_to_dict(postgres_url)
    url = of_day(postgres_url.replace(f"/{other['dbname']}", "/postgres", 1))
    with pytest.raises(ConfigRefused, match="no tables of ibkeeper"):
        SqlTape(url)


async def test_the_secret_is_in_no_log_and_no_description(recorded: str) -> None:
    secret = recorded.replace("postgresql://", "postgresql://", 1)
    with structlog.testing.capture_logs() as logs:
        async with Gateway(SimConfig(tape=secret, farm_wake_s=0.0)) as gateway:
            described = str(gateway.describe())
    password = psycopg.conninfo.conninfo_to_dict(recorded.split("?")[0]).get("password")
    assert "day=2026-11-20" in described
    assert "@" not in described
    assert password is None or (str(password) not in described and str(password) not in str(logs))
