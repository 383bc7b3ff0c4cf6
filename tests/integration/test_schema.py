"""The tables defend themselves: states, ranges, append-only rows, partitions, notifications."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from enum import Enum
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from ibcore import db, domain, models
from ibcore.backfill import BarKind, FillSource, FillState
from ibcore.domain import (
    ALERT_TRANSITIONS,
    REQUEST_TRANSITIONS,
    SESSION_TRANSITIONS,
    WATCH_TRANSITIONS,
    AlertState,
    GapCause,
    GreeksKind,
    Provider,
    Quality,
    QuoteState,
    RejectReason,
    RequestState,
    SessionState,
    TradeSource,
    WatchState,
)
from ibcore.drill import DrillVerdict, Scenario
from ibcore.failover import SwitchCause
from ibcore.incidents import Severity
from ibcore.link_states import LINK_TRANSITIONS, LinkState
from ibcore.liveness.health import CURE_TRANSITIONS, Cure, CureState, LineCause
from ibcore.order_states import INTENT_TRANSITIONS, EvidenceKind, IntentKind, IntentState
from ibcore.risk import LIMITS, parse_limit

MACHINES: Mapping[str, Mapping[Any, frozenset[Any]]] = {
    "session": SESSION_TRANSITIONS,
    "request": REQUEST_TRANSITIONS,
    "link": LINK_TRANSITIONS,
    "line_cure": CURE_TRANSITIONS,
    "watch": WATCH_TRANSITIONS,
    "alert": ALERT_TRANSITIONS,
    "order_intent": INTENT_TRANSITIONS,
}
Row = dict[str, Any]


@pytest.fixture
def conn(db_url: str) -> Iterator[psycopg.Connection[Row]]:
    """Return a connection that answers with dictionaries."""
    with psycopg.connect(db_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def insert(conn: psycopg.Connection[Row], table: str, **values: Any) -> Row:
    """Insert one row and return it whole."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *").format(
        sql.Identifier("ibkeeper", table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    row = conn.execute(statement, values).fetchone()
    assert row is not None
    return row


def a_session(conn: psycopg.Connection[Row], **values: Any) -> Row:
    row = {
        "sidecar": "main",
        "epoch": 1,
        "role": "stream",
        "provider": "ib",
        "host": "127.0.0.1",
        "port": 4002,
        "client_id": 10,
        "state": "connecting",
        "attempt": 1,
    }
    return insert(conn, "session", **{**row, **values})


def an_event(conn: psycopg.Connection[Row], old: str | None, new: str, **values: Any) -> Row:
    row = {"sidecar": "main", "epoch": 1, "role": "stream", "attempt": 0}
    return insert(conn, "session_event", old_state=old, new_state=new, **{**row, **values})


def a_request(conn: psycopg.Connection[Row], **values: Any) -> Row:
    row = {"kind": "chain_snapshot", "deadline_at": datetime(2030, 1, 1, tzinfo=timezone.utc)}
    return insert(conn, "request", **{**row, **values})


def days_ahead(conn: psycopg.Connection[Row], days: int) -> None:
    """Leave partitions up to today + `days`, whatever other tests have made."""
    conn.execute(db.QUERIES["ensure_partitions"], {"days_ahead": days})
    later = conn.execute(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
        " AND right(relname, 8) ~ '^[0-9]{8}$' AND right(relname, 8) >"
        " to_char((now() AT TIME ZONE 'UTC')::date + %s, 'YYYYMMDD')",
        [days],
    ).fetchall()
    for row in later:
        conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("ibkeeper", row["relname"])))


def a_quote(conn: psycopg.Connection[Row], **values: Any) -> Row:
    now = datetime.now(timezone.utc)
    row = {"ts": now, "recv_ts": now, "instrument_id": 1, "seq": 1, "epoch": 1, "tick_type": 1}
    return insert(conn, "quote", **{**row, "provider": "ib", "quality": "live", **values})


@pytest.mark.parametrize("machine", MACHINES)
def test_the_database_knows_the_same_steps_as_the_code(
    conn: psycopg.Connection[Row], machine: str
) -> None:
    in_sql = {
        (row["old_state"], row["new_state"])
        for row in conn.execute(
            "SELECT old_state, new_state FROM ibkeeper.state_transition WHERE machine = %s",
            [machine],
        )
    }
    in_code = {(str(old), str(new)) for old, states in MACHINES[machine].items() for new in states}

    assert in_sql == in_code


@pytest.mark.parametrize(
    ("constraint", "vocabulary"),
    [
        ("quote_provider_known", Provider),
        ("quote_quality_known", Quality),
        ("trade_provider_known", Provider),
        ("trade_quality_known", Quality),
        ("trade_source_known", TradeSource),
        ("greeks_provider_known", Provider),
        ("greeks_quality_known", Quality),
        ("greeks_kind_known", GreeksKind),
        ("instrument_stat_provider_known", Provider),
        ("instrument_stat_quality_known", Quality),
        ("quote_latest_provider_known", Provider),
        ("quote_latest_quality_known", Quality),
        ("feed_minute_provider_known", Provider),
        ("watch_state_known", WatchState),
        ("session_state_known", SessionState),
        ("session_provider_known", Provider),
        ("session_event_new_state_known", SessionState),
        ("request_state_known", RequestState),
        ("session_link_known", LinkState),
        ("line_state_provider_known", Provider),
        ("line_state_cause_known", LineCause),
        ("line_cure_provider_known", Provider),
        ("provider_switch_from_provider_known", Provider),
        ("provider_switch_to_provider_known", Provider),
        ("provider_switch_cause_known", SwitchCause),
        ("line_cure_cause_known", LineCause),
        ("line_cure_cure_known", Cure),
        ("line_cure_state_known", CureState),
        ("feed_gap_cause_known", GapCause),
        ("gap_fill_state_known", FillState),
        ("gap_fill_source_known", FillSource),
        ("backfill_bar_kind_known", BarKind),
        ("rejected_tick_reason_known", RejectReason),
        ("alert_state_known", AlertState),
        ("drill_scenario_known", Scenario),
        ("drill_verdict_known", DrillVerdict),
        ("alert_severity_known", Severity),
        ("incident_severity_known", Severity),
        ("chain_snapshot_quality_known", Quality),
        ("chain_quote_quality_known", Quality),
        ("chain_quote_state_known", QuoteState),
        ("order_intent_state_known", IntentState),
        ("order_intent_kind_known", IntentKind),
        ("order_event_kind_known", EvidenceKind),
    ],
)
def test_a_check_lists_exactly_the_words_of_the_code(
    conn: psycopg.Connection[Row], constraint: str, vocabulary: type[Enum]
) -> None:
    row = conn.execute(
        "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint"
        " WHERE conname = %s AND connamespace = 'ibkeeper'::regnamespace LIMIT 1",
        [constraint],
    ).fetchone()

    assert row is not None
    assert set(re.findall(r"'(\w+)'::text", row["text"])) == {m.value for m in vocabulary}


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("quote", domain.Quote),
        ("trade", domain.Trade),
        ("greeks", domain.Greeks),
    ],
)
def test_a_market_row_has_the_fields_of_its_table_in_the_order_of_copy(
    conn: psycopg.Connection[Row], table: str, row: Any
) -> None:
    assert _columns(conn, table) == list(row._fields)


def test_a_statistic_has_one_more_column_for_text(conn: psycopg.Connection[Row]) -> None:
    assert _columns(conn, "instrument_stat") == [*domain.Stat._fields, "text_value"]


def test_every_statistic_of_the_cache_can_be_named_in_the_stat_table() -> None:
    latest = set(models.QuoteLatest.model_fields)

    assert {"halted", "shortable", "volume_rate_3min", "open_interest", "last_ts"} <= latest


@pytest.mark.parametrize(
    "values",
    [
        {"bid": float("nan")},
        {"ask": float("inf")},
        {"bid": float("-inf")},
        {"bid_size": -1.0},
        {"provider": "nobody"},
        {"quality": "good"},
    ],
)
def test_a_quote_that_is_no_quote_is_refused(conn: psycopg.Connection[Row], values: Row) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        a_quote(conn, **values)


def test_negative_prices_are_prices(conn: psycopg.Connection[Row]) -> None:
    assert a_quote(conn, bid=-37.63, ask=-36.0)["bid"] == -37.63


def test_a_row_of_any_day_finds_a_place(conn: psycopg.Connection[Row]) -> None:
    a_quote(conn, ts=datetime(2015, 12, 24, tzinfo=timezone.utc))
    a_quote(conn)

    places = {
        r["place"]
        for r in conn.execute("SELECT tableoid::regclass::text AS place FROM ibkeeper.quote")
    }
    today = datetime.now(timezone.utc).strftime("%Y%m%d")
    assert places == {"ibkeeper.quote_stray", f"ibkeeper.quote_{today}"}


def test_days_are_made_ahead_and_a_second_call_makes_none(
    conn: psycopg.Connection[Row],
) -> None:
    days_ahead(conn, 7)
    statement = db.QUERIES["ensure_partitions"]
    first = conn.execute(statement, {"days_ahead": 9}).fetchall()
    second = conn.execute(statement, {"days_ahead": 9}).fetchall()

    assert len(first) == 4 * 11
    assert [row["outcome"] for row in first].count("created") == 4 * 2
    assert {row["outcome"] for row in second} == {"exists"}


def test_a_day_with_stray_rows_is_reported_and_the_others_are_made(
    conn: psycopg.Connection[Row],
) -> None:
    days_ahead(conn, 20)
    conn.execute(
        "INSERT INTO ibkeeper.quote (ts, recv_ts, instrument_id, seq, epoch, provider,"
        " quality, tick_type) VALUES (now() + interval '21 days', now(), 1, 1, 1, 'ib',"
        " 'live', 1)"
    )

    made = conn.execute("SELECT * FROM ibkeeper.ensure_partitions(22)").fetchall()

    new = [(r["partition"][:-9], r["outcome"]) for r in made if r["outcome"] != "exists"]
    assert sorted(new) == sorted(
        [("quote", "stray")]
        + [(table, "created") for table in ("quote", "trade", "greeks", "instrument_stat")]
        + [(table, "created") for table in ("trade", "greeks", "instrument_stat")]
    )
    row = conn.execute("SELECT count(*) AS rows FROM ibkeeper.quote").fetchone()
    assert row == {"rows": 1}


def test_days_are_made_while_a_batch_is_being_written(
    conn: psycopg.Connection[Row], db_url: str
) -> None:
    days_ahead(conn, 29)
    with psycopg.connect(db_url, row_factory=dict_row) as writer:
        a_quote(writer)
        made = conn.execute("SELECT * FROM ibkeeper.ensure_partitions(30)").fetchall()

    assert [row["outcome"] for row in made].count("created") == 4


def test_a_day_that_a_writer_of_strays_holds_is_left_for_later(
    conn: psycopg.Connection[Row], db_url: str
) -> None:
    days_ahead(conn, 30)
    ahead = "SELECT * FROM ibkeeper.ensure_partitions(31)"
    with psycopg.connect(db_url, row_factory=dict_row) as writer:
        a_quote(writer, ts=datetime(2015, 12, 24, tzinfo=timezone.utc))
        held = conn.execute(ahead).fetchall()
    free = conn.execute(ahead).fetchall()

    assert [r["partition"][:5] for r in held if r["outcome"] == "busy"] == ["quote"]
    assert [r["partition"][:5] for r in free if r["outcome"] == "created"] == ["quote"]


def test_the_index_serves_the_newest_quotes_of_an_instrument(
    conn: psycopg.Connection[Row],
) -> None:
    plan = conn.execute(
        "EXPLAIN (FORMAT JSON, COSTS OFF) SELECT * FROM ibkeeper.quote"
        " WHERE instrument_id = 1 AND ts > now() - interval '1 hour' ORDER BY ts DESC LIMIT 10"
    ).fetchone()

    assert "instrument_id_ts_idx" in json.dumps(plan)


def test_a_statistic_is_a_number_or_a_text_never_both(conn: psycopg.Connection[Row]) -> None:
    now = datetime.now(timezone.utc)
    row = {
        "ts": now,
        "recv_ts": now,
        "instrument_id": 1,
        "seq": 1,
        "epoch": 1,
        "tick_type": 49,
        "provider": "ib",
        "quality": "live",
        "field": "halted",
    }

    insert(conn, "instrument_stat", **row, value=0.0)
    insert(conn, "instrument_stat", **row, text_value="Q")
    for wrong in ({}, {"value": 1.0, "text_value": "Q"}, {"value": float("nan")}):
        with pytest.raises(psycopg.errors.CheckViolation):
            insert(conn, "instrument_stat", **row, **wrong)


def test_a_session_takes_the_listed_steps_only(conn: psycopg.Connection[Row]) -> None:
    session = a_session(conn)
    conn.execute("UPDATE ibkeeper.session SET state = 'ready', ready_at = clock_timestamp()")
    conn.execute("UPDATE ibkeeper.session SET state = 'waiting', closed_at = clock_timestamp()")

    with pytest.raises(psycopg.errors.CheckViolation, match="may not go from waiting to ready"):
        conn.execute("UPDATE ibkeeper.session SET state = 'ready' WHERE id = %s", [session["id"]])


@pytest.mark.parametrize(
    "values",
    [
        {"state": "ready"},
        {"state": "stopped"},
        {"closed_at": datetime(2000, 1, 1, tzinfo=timezone.utc), "state": "waiting"},
        {"closed_at": datetime(2100, 1, 1, tzinfo=timezone.utc)},
        {"role": "spare"},
        {"port": 0},
    ],
)
def test_a_session_that_contradicts_itself_is_refused(
    conn: psycopg.Connection[Row], values: Row
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        a_session(conn, **values)


def test_events_are_listed_steps_or_notices(conn: psycopg.Connection[Row]) -> None:
    an_event(conn, None, "waiting")
    an_event(conn, "waiting", "connecting")
    an_event(conn, "ready", "ready", code=1100)

    for old, new in (
        (None, "ready"),
        ("waiting", "ready"),
        ("ready", "ready"),
        ("stopped", "ready"),
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            an_event(conn, old, new)


@pytest.mark.parametrize(
    "change",
    ["UPDATE ibkeeper.session_event SET reason = 'x'", "DELETE FROM ibkeeper.session_event"],
)
def test_events_are_append_only(conn: psycopg.Connection[Row], change: Any) -> None:
    an_event(conn, "waiting", "connecting")

    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        conn.execute(change)


def test_a_batch_holds_no_more_rows_than_it_has_numbers(conn: psycopg.Connection[Row]) -> None:
    row = {
        "spool": "6f1c7a52-0000-4000-8000-000000000000",
        "sidecar": "main",
        "epoch": 1,
        "sealed_at": datetime.now(timezone.utc),
    }

    insert(conn, "ingest_batch", batch=1, first_seq=1, last_seq=10, rows=10, **row)
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(conn, "ingest_batch", batch=2, first_seq=11, last_seq=20, rows=11, **row)
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert(conn, "ingest_batch", batch=1, first_seq=11, last_seq=20, rows=10, **row)


def test_a_request_begins_as_requested_and_ends_once(conn: psycopg.Connection[Row]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="begins as requested"):
        a_request(conn, state="claimed", claimed_by="main", claimed_at=datetime.now(timezone.utc))
    a_request(conn)
    conn.execute(
        "UPDATE ibkeeper.request SET state = 'claimed', claimed_by = 'main', claimed_at = now()"
    )
    with pytest.raises(psycopg.errors.CheckViolation, match="request_finished_is_terminal"):
        conn.execute("UPDATE ibkeeper.request SET state = 'completed'")
    conn.execute("UPDATE ibkeeper.request SET state = 'completed', finished_at = now()")

    with pytest.raises(psycopg.errors.CheckViolation, match="from completed to failed"):
        conn.execute("UPDATE ibkeeper.request SET state = 'failed', error = 'late'")


def test_a_request_is_announced_and_so_is_every_move(
    conn: psycopg.Connection[Row], db_url: str
) -> None:
    with psycopg.connect(db_url, autocommit=True) as listener:
        listener.execute("LISTEN ibkeeper_request")
        listener.execute("LISTEN ibkeeper_request_done")
        request = str(a_request(conn)["id"])
        conn.execute("UPDATE ibkeeper.request SET progress_done = 1, progress_total = 2")
        conn.execute("UPDATE ibkeeper.request SET requested_by = 'me'")
        conn.execute("UPDATE ibkeeper.request SET state = 'expired', finished_at = now()")
        heard = [(n.channel, n.payload) for n in listener.notifies(timeout=10, stop_after=3)]

    assert heard == [
        ("ibkeeper_request", request),
        ("ibkeeper_request_done", request),
        ("ibkeeper_request_done", request),
    ]


def test_a_changed_watch_list_is_announced_but_not_what_the_sidecar_notes(
    conn: psycopg.Connection[Row], db_url: str
) -> None:
    with psycopg.connect(db_url, autocommit=True) as listener:
        listener.execute("LISTEN ibkeeper_watch")
        first = insert(conn, "watch", symbol="AAPL")["id"]
        conn.execute("UPDATE ibkeeper.watch SET state = 'failed', reason = 'unknown'")
        conn.execute("UPDATE ibkeeper.watch SET priority = 1")
        conn.execute("DELETE FROM ibkeeper.watch")
        insert(conn, "watch", symbol="MSFT")
        heard = [n.payload for n in listener.notifies(timeout=10, stop_after=4)]

    assert heard == [str(first)] * 3 + [str(first + 1)]


def test_a_line_is_watched_once_a_sidecar(conn: psycopg.Connection[Row]) -> None:
    insert(conn, "watch", symbol="AAPL")
    insert(conn, "watch", symbol="AAPL", sidecar="second")

    with pytest.raises(psycopg.errors.UniqueViolation):
        insert(conn, "watch", symbol="AAPL")


@pytest.mark.parametrize(
    "values",
    [
        {"symbol": ""},
        {"symbol": "A", "right": "X"},
        {"symbol": "A", "expiry": "2026-01-01"},
        {"symbol": "A", "strike": -1},
        {"symbol": "A", "state": "active"},
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(conn: psycopg.Connection[Row], values: Row) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(conn, "watch", **values)


def test_the_view_of_newest_values_computes_mid_spread_and_age(
    conn: psycopg.Connection[Row],
) -> None:
    instrument = insert(
        conn,
        "instrument",
        con_id=265598,
        symbol="AAPL",
        sec_type="STK",
        exchange="SMART",
        currency="USD",
    )
    now = datetime.now(timezone.utc)
    insert(
        conn,
        "quote_latest",
        instrument_id=instrument["id"],
        ts=now,
        recv_ts=now,
        seq=1,
        epoch=1,
        provider="ib",
        quality="live",
        bid=100.0,
        ask=100.5,
    )

    row = conn.execute("SELECT * FROM ibkeeper.v_quote_latest").fetchone()

    assert row is not None
    assert (row["symbol"], row["mid"], row["spread"]) == ("AAPL", 100.25, 0.5)
    assert 0 <= row["age_s"] < 60


def test_the_cache_is_unlogged_and_leaves_room_for_updates(
    conn: psycopg.Connection[Row],
) -> None:
    row = conn.execute(
        "SELECT relpersistence::text, reloptions FROM pg_class"
        " WHERE oid = 'ibkeeper.quote_latest'::regclass"
    ).fetchone()

    assert row == {"relpersistence": "u", "reloptions": ["fillfactor=50"]}


def test_uptime_is_ready_time_over_observed_time(conn: psycopg.Connection[Row]) -> None:
    conn.execute(
        "INSERT INTO ibkeeper.session (sidecar, epoch, role, provider, host, port, client_id,"
        " state, attempt, opened_at, ready_at, closed_at) VALUES"
        " ('main', 1, 'stream', 'ib', 'h', 1, 1, 'waiting', 1, now() - interval '40 min',"
        "  now() - interval '40 min', now() - interval '20 min'),"
        " ('main', 1, 'stream', 'ib', 'h', 1, 1, 'waiting', 1, now() - interval '20 min', NULL,"
        "  now() - interval '10 min'),"
        " ('main', 1, 'stream', 'ib', 'h', 1, 1, 'ready', 2, now() - interval '10 min',"
        "  now() - interval '10 min', NULL)"
    )

    row = conn.execute("SELECT * FROM ibkeeper.v_session_uptime").fetchone()

    assert row is not None
    assert (row["sessions"], row["never_ready"], row["state"]) == (3, 1, "ready")
    assert row["uptime"] == pytest.approx(0.75, abs=0.01)


def test_a_snapshot_adds_up(conn: psycopg.Connection[Row]) -> None:
    instrument = insert(
        conn, "instrument", con_id=1, symbol="SPY", sec_type="STK", exchange="SMART", currency="USD"
    )
    row = {
        "underlying_id": instrument["id"],
        "taken_at": datetime.now(timezone.utc),
        "expected": 3,
        "complete": 1,
        "partial": 1,
        "seconds": 0.5,
    }

    snapshot = insert(conn, "chain_snapshot", missing=1, **row)
    insert(
        conn,
        "chain_quote",
        snapshot_id=snapshot["id"],
        instrument_id=instrument["id"],
        state="missing",
        missing_fields="bid,ask,iv",
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(conn, "chain_snapshot", missing=2, **row)


def _columns(conn: psycopg.Connection[Row], table: str) -> list[str]:
    cursor = conn.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = ('ibkeeper.' || %s)::regclass"
        " AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table],
    )
    return [row["attname"] for row in cursor]


def test_the_limits_of_the_table_are_those_of_the_code(conn: psycopg.Connection[Row]) -> None:
    row = conn.execute(
        "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint"
        " WHERE conname = 'risk_limit_name_known'"
    ).fetchone()

    assert row is not None
    assert set(re.findall(r"'(\w+)'::text", row["text"])) == set(LIMITS)


@pytest.mark.parametrize(
    "text", ["0", "17", "0.000000001", "999999999999999", "-1", "1e3", "", "x"]
)
def test_a_number_is_one_to_the_table_as_to_the_code(
    conn: psycopg.Connection[Row], text: str
) -> None:
    def taken() -> bool:
        try:
            insert(conn, "risk_limit", name="max_quantity", value=text, set_by="ann")
        except psycopg.errors.CheckViolation:
            return False
        return True

    def read() -> bool:
        try:
            parse_limit("max_quantity", text)
        except ValueError:
            return False
        return True

    assert taken() is read()
