"""The promises in SQL: figures that an independent query computes too, and a look's incidents."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ibcore import db
from ibcore.calendar import NEW_YORK
from ibcore.config import Settings, SlaSettings
from ibcore.sla import burning, reading
from ibcore.sla.check import findings
from ibcore.sla.figures import figures
from ibcore.sla.spans import Span, midnight
from tests.market_rows import insert

pytestmark = pytest.mark.anyio

# Written down by hand: what NYSE traded in these weeks, in New York's time. The clock changes on
# 1 November 2026; 26 November is a holiday, 27 November closes early.
INDEPENDENT = """
WITH traded AS (
    SELECT tstzrange((d + time '09:30') AT TIME ZONE 'America/New_York',
                     (d + CASE WHEN d = '2026-11-27' THEN time '13:00' ELSE time '16:00' END)
                         AT TIME ZONE 'America/New_York') AS span
      FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS g (at),
           LATERAL (SELECT at::date AS d) AS day
     WHERE extract(isodow FROM d) < 6 AND d <> '2026-11-26'
), nights AS (
    SELECT tstzrange((d + time '23:40') AT TIME ZONE 'America/New_York',
                     (d + 1 + time '01:45') AT TIME ZONE 'America/New_York') AS span
      FROM generate_series(%(first)s::date - 1, %(last)s::date, interval '1 day') AS g (at),
           LATERAL (SELECT at::date AS d) AS day
), due AS (
    SELECT (CASE WHEN %(always)s
                 THEN tstzmultirange(tstzrange(
                          %(first)s::date::timestamp AT TIME ZONE 'America/New_York',
                          (%(last)s::date + 1)::timestamp AT TIME ZONE 'America/New_York'))
                 ELSE (SELECT range_agg(span) FROM traded) END)
           - (SELECT range_agg(span) FROM nights) AS spans
), ready AS (
    SELECT range_agg(tstzrange(ready_at, closed_at)) AS spans
      FROM ibkeeper.session WHERE role = 'stream' AND ready_at IS NOT NULL
), up AS (
    SELECT due.spans * ready.spans AS spans FROM due, ready
)
SELECT (SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM due, unnest(due.spans) r)::float8
           AS scheduled_s,
       (SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM up, unnest(up.spans) r)::float8
           AS up_s
"""
SESSION = """
INSERT INTO ibkeeper.session (sidecar, epoch, role, provider, host, port, client_id, state, attempt,
                              opened_at, ready_at, closed_at, connect_ms, close_reason)
VALUES ('main', 1, 'stream', 'ib', '127.0.0.1', 4002, 10, 'stopped', 1, %s, %s, %s, %s, 'test')"""
SIDECAR = """
INSERT INTO ibkeeper.sidecar (name, epoch, state, started_at, heartbeat_at)
VALUES ('main', 1, %s, now() - interval '1 hour', now() - make_interval(secs => %s))"""


@pytest.fixture
async def conn(db_url: str) -> AsyncIterator[db.Connection]:
    async with db.opened(db_url, application="test") as made:
        yield made


def days(first: str, last: str) -> Span:
    end = date.fromisoformat(last) + timedelta(days=1)
    return midnight(date.fromisoformat(first), NEW_YORK), midnight(end, NEW_YORK)


async def live(conn: db.Connection, span: Span, dice: random.Random) -> int:
    """Be ready and away in turns over the span, and a day on both sides."""
    at, count = span[0] - timedelta(days=1), 0
    while at < span[1] + timedelta(days=1):
        ready = at + timedelta(seconds=dice.uniform(0.1, 5))
        closed = ready + timedelta(seconds=dice.uniform(60, 9_000))
        await conn.execute(SESSION, [at, ready, closed, dice.uniform(10, 900)])
        at, count = closed + timedelta(seconds=dice.uniform(1, 3_000)), count + 1
    return count


@pytest.mark.parametrize("hours", ["regular", "always"])
@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-11-24", "2026-11-24"), ("2026-11-23", "2026-11-29"), ("2026-10-29", "2026-11-04")],
)
async def test_an_independent_query_over_the_raw_rows_gives_the_same_uptime(
    conn: db.Connection, dice: random.Random, first: str, last: str, hours: str
) -> None:
    span = days(first, last)
    await live(conn, span, dice)
    gateway = {"nightly_reset": "23:40-01:45", "weekly_login": ""}
    settings = Settings(gateway=gateway, sla=SlaSettings(hours=hours))
    found = await figures(conn, "main", span, settings=settings)
    async with conn.cursor(row_factory=dict_row) as cursor:
        asked = {"first": first, "last": last, "always": hours == "always"}
        await cursor.execute(INDEPENDENT, asked)
        wanted = await cursor.fetchone()
    assert wanted is not None
    assert found["scheduled_s"] == pytest.approx(wanted["scheduled_s"], abs=1e-3)
    assert found["up_s"] == pytest.approx(wanted["up_s"], abs=1e-3)
    assert found["availability"] == pytest.approx(wanted["up_s"] / wanted["scheduled_s"], abs=1e-9)
    assert 0 < found["availability"] < 1


async def test_losses_waits_connects_and_latency_are_those_of_the_rows(
    conn: db.Connection,
) -> None:
    begin, end = days("2026-11-24", "2026-11-24")
    noon = datetime(2026, 11, 24, 17, tzinfo=timezone.utc)
    event = (
        "INSERT INTO ibkeeper.session_event (at, sidecar, epoch, role, old_state, new_state,"
        " attempt, backoff_s) VALUES (%s, 'main', 1, 'stream', %s, %s, %s, %s)"
    )
    steps = [
        (0, "ready", "waiting", 1, 1.0),
        (1, "waiting", "connecting", 1, None),
        (2, "connecting", "waiting", 2, 2.0),
        (4, "waiting", "connecting", 2, None),
        (10, "connecting", "ready", 0, None),
        (100, "ready", "waiting", 1, 9.0),
        (101, "waiting", "connecting", 1, None),
        (120, "connecting", "ready", 0, None),
    ]
    for second, old, new, attempt, wait_s in steps:
        await conn.execute(event, [noon + timedelta(seconds=second), old, new, attempt, wait_s])
    for connect_ms in (10, 20, 90):
        await conn.execute(SESSION, [noon, noon, noon, connect_ms])
    await conn.execute(
        "INSERT INTO ibkeeper.feed_minute (minute, sidecar, provider, ticks, rows, batches,"
        " latency_p50_ms, latency_p99_ms) VALUES (%s, 'main', 'ib', 1, 1, 1, 5, 70)",
        [noon],
    )
    found = await figures(conn, "main", (begin, end), settings=Settings())
    assert (found["losses"], found["mttr_s"], found["longest_loss_s"]) == (2, 15.0, 20.0)
    assert (found["waits"], found["waits_as_promised"]) == (3, 2)
    assert (found["connect_p50_ms"], found["connect_max_ms"]) == (20, 90)
    assert (found["latency_p50_ms"], found["latency_p99_ms"]) == (5, 70)


WATCHED = """
WITH made AS (
     INSERT INTO ibkeeper.instrument (con_id, symbol, sec_type, exchange, currency)
     SELECT number, symbol, 'STK', 'SMART', 'USD'
       FROM unnest('{QUICK,BUSY,MUTE,UNWATCHED}'::text[]) WITH ORDINALITY AS s (symbol, number)
     RETURNING id, symbol)
INSERT INTO ibkeeper.watch (symbol, instrument_id)
SELECT symbol, id FROM made WHERE symbol <> 'UNWATCHED'"""
BATCH = """
INSERT INTO ibkeeper.ingest_batch (spool, batch, sidecar, epoch, first_seq, last_seq, rows,
                                   sealed_at, committed_at)
VALUES (gen_random_uuid(), 1, %s, %s, %s, %s, 50, %s, %s)"""
RAW = """
SELECT i.symbol, r.kind, r.ts, r.epoch, r.seq, b.sidecar,
       extract(epoch FROM b.committed_at - r.recv_ts)::float8 * 1000 AS ms
  FROM (SELECT 'quote' AS kind, instrument_id, ts, recv_ts, epoch, seq FROM ibkeeper.quote
        UNION ALL
        SELECT 'trade', instrument_id, ts, recv_ts, epoch, seq FROM ibkeeper.trade) r
  JOIN ibkeeper.instrument i ON i.id = r.instrument_id
  LEFT JOIN ibkeeper.ingest_batch b
    ON b.epoch = r.epoch AND r.seq BETWEEN b.first_seq AND b.last_seq
 ORDER BY r.ts, r.epoch, r.seq"""
HEAD = {"provider": "ib", "quality": "live", "tick_type": 1}
KINDS: dict[str, dict[str, Any]] = {
    "quote": {"bid": 1.0},
    "trade": {"price": 1.0, "source": "last"},
}


def record(url: str, dice: random.Random, opens: datetime) -> None:
    """Record a day of two sidecars, in batches of 50 rows; one batch is forgotten for its age."""
    with psycopg.connect(url, autocommit=True) as made:
        made.execute(WATCHED)
        ids = dict(made.execute("SELECT symbol, id FROM ibkeeper.instrument").fetchall())
        for epoch, sidecar in ((7, "main"), (8, "other")):
            at = [
                (opens + timedelta(seconds=second), ids[name], dice.choice(list(KINDS)))
                for name in ("QUICK", "BUSY", "UNWATCHED")
                for second in [dice.uniform(-600, 24_000) for _ in range(400)]
                + [dice.uniform(300, 400) for _ in range(300 if name == "BUSY" else 0)]
            ]
            numbered = list(enumerate(sorted(at), 1))
            for kind, more in KINDS.items():
                own = {"epoch": epoch} | HEAD | more
                rows = [
                    {"ts": ts, "recv_ts": ts, "instrument_id": one, "seq": seq} | own
                    for seq, (ts, one, of) in numbered
                    if of == kind
                ]
                insert(made, kind, rows)
            for first, (ts, _, _) in numbered[49::50]:
                # Now and then the clock was set back, and a row is committed before it came.
                committed = ts + timedelta(seconds=dice.uniform(-0.5, 4))
                if first != 500:
                    made.execute(BATCH, [sidecar, epoch, first - 49, first, ts, committed])


async def raw(conn: db.Connection) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(RAW)
        return await cursor.fetchall()


def by_hand(rows: list[dict[str, Any]], opens: datetime) -> dict[str, list[float]]:
    """Return the latencies by instrument of the first five rows a kind in each 117 s of the day."""
    taken: dict[tuple[Any, ...], int] = {}
    found: dict[str, list[float]] = {}
    for row in rows:
        slot = (row["ts"] - opens) // timedelta(seconds=117)
        place = (row["symbol"], row["kind"], slot)
        taken[place] = taken.get(place, 0) + 1
        if 0 <= slot < 200 and taken[place] <= 5 and row["sidecar"] == "main":
            found.setdefault(row["symbol"], []).append(max(0.0, row["ms"]))
    return found


def quantile(values: list[float], share: float) -> float:
    place, ordered = share * (len(values) - 1), sorted(values)
    low = ordered[int(place)]
    return low + (ordered[min(int(place) + 1, len(values) - 1)] - low) * (place % 1)


async def test_the_latency_of_an_instrument_is_that_of_a_sample_taken_by_hand(
    db_url: str, conn: db.Connection, dice: random.Random
) -> None:
    span = days("2026-11-24", "2026-11-24")
    opens = datetime(2026, 11, 24, 14, 30, tzinfo=timezone.utc)
    record(db_url, dice, opens)
    await conn.execute(SESSION, [span[0], span[0], span[1], 20])
    settings = Settings(gateway={"nightly_reset": "", "weekly_login": ""})
    found = (await figures(conn, "main", span, settings=settings))["latency"]
    wanted = by_hand(await raw(conn), opens)
    assert list(found) == sorted(found, key=lambda name: -found[name]["p99_ms"])
    assert set(found) == {"QUICK", "BUSY"}
    for name, one in found.items():
        assert one["sampled"] == len(wanted[name])
        assert one["p50_ms"] == pytest.approx(quantile(wanted[name], 0.5), abs=1e-6)
        assert one["p99_ms"] == pytest.approx(quantile(wanted[name], 0.99), abs=1e-6)
    assert found["BUSY"]["sampled"] < 400  # of its burst no more than any other slice has


async def test_the_sample_is_found_by_indexes_however_many_rows_there_are(
    db_url: str, conn: db.Connection, dice: random.Random
) -> None:
    opens = datetime(2026, 11, 24, 14, 30, tzinfo=timezone.utc)
    record(db_url, dice, opens)
    await conn.execute(
        "INSERT INTO ibkeeper.quote (ts, recv_ts, instrument_id, seq, epoch, provider, quality,"
        " tick_type) SELECT %s + g * interval '1 s', %s, 1, 10000 + g, 7, 'ib', 'live', 1"
        " FROM generate_series(1, 20000) AS g",
        [opens, opens],
    )
    await conn.execute("ANALYZE ibkeeper.quote, ibkeeper.trade, ibkeeper.ingest_batch")
    asked = {"sidecar": "main", "begins": [opens], "ends": [opens + timedelta(hours=1)], "each": 5}
    explained = b"EXPLAIN " + db.QUERIES["sla_instrument_latency"]
    cursor = await conn.execute(explained, asked)
    plan = "\n".join(line for (line,) in await cursor.fetchall())
    assert "Index Scan Backward using ingest_batch_epoch_first_seq_idx" in plan
    assert "Seq Scan on quote" not in plan
    assert "Seq Scan on ingest_batch" not in plan


def incidents(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as made:
        return made.execute("SELECT * FROM ibkeeper.incident ORDER BY opened_at").fetchall()


@pytest.mark.parametrize(("state", "severity"), [("running", "critical"), ("stopped", "warning")])
async def test_a_silent_sidecar_is_told_and_told_again_when_it_is_back(
    db_url: str, conn: db.Connection, state: str, severity: str
) -> None:
    await conn.execute(SIDECAR, [state, 5])
    await reading.tell(conn, await reading.facts(conn))
    assert incidents(db_url) == []
    await conn.execute("UPDATE ibkeeper.sidecar SET heartbeat_at = now() - interval '16 s'")
    await reading.tell(conn, await reading.facts(conn))
    (opened,) = incidents(db_url)
    assert (opened["kind"], opened["severity"]) == ("sidecar_silent", severity)
    await conn.execute("UPDATE ibkeeper.sidecar SET heartbeat_at = now()")
    await reading.tell(conn, await reading.facts(conn))
    (closed,) = incidents(db_url)
    assert closed["closed_because"] == "the heartbeat is back"


async def test_a_look_knows_stale_lines_latency_and_how_long_the_session_is_away(
    conn: db.Connection,
) -> None:
    await conn.execute(SIDECAR, ["running", 0])
    (idle,) = await reading.facts(conn)
    assert (idle.active_lines, idle.latency_p99_ms) == (0, None)
    assert idle.not_ready_s == pytest.approx(3600, abs=30)
    ago = datetime.now(timezone.utc) - timedelta(seconds=500)
    await conn.execute(SESSION, [ago, ago, ago + timedelta(seconds=400), 20])
    await conn.execute(
        "INSERT INTO ibkeeper.instrument (con_id, symbol, sec_type, exchange, currency)"
        " VALUES (1, 'A', 'STK', 'SMART', 'USD'), (2, 'B', 'STK', 'SMART', 'USD')"
    )
    await conn.execute(
        "INSERT INTO ibkeeper.watch (symbol, instrument_id)"
        " SELECT symbol, id FROM ibkeeper.instrument"
    )
    await conn.execute(
        "UPDATE ibkeeper.watch SET state = 'active', changed_at = now() - interval '2 min'"
    )
    await conn.execute(
        "INSERT INTO ibkeeper.feed_minute (minute, sidecar, provider, ticks, rows, batches,"
        " latency_p50_ms, latency_p99_ms)"
        " VALUES (date_trunc('minute', now()) - interval '1 min', 'main', 'ib', 1, 1, 1, 5, 1500)"
    )
    (known,) = await reading.facts(conn)
    assert (known.stale_lines, known.active_lines, known.latency_p99_ms) == (["A", "B"], 2, 1500)
    assert known.not_ready_s == pytest.approx(100, abs=30)
    broken = [one.name for one in findings(known, market_open=True, planned=None) if not one.kept]
    assert broken == ["session not ready", "stale lines", "latency p99"]


async def test_a_budget_that_burns_is_an_incident_until_it_does_no_more(
    db_url: str, conn: db.Connection
) -> None:
    now = datetime.now(timezone.utc)
    settings = Settings(gateway={"nightly_reset": "", "weekly_login": ""}, sla={"hours": "always"})
    await conn.execute(SIDECAR, ["running", 0])
    assert await burning.tell(conn, ["main"], settings, now=now) == []
    long_ago = now - timedelta(days=5)
    await conn.execute(SESSION, [long_ago, long_ago, now - timedelta(minutes=2), 20])
    (burn,) = await burning.tell(conn, ["main"], settings, now=now)
    assert (burn.rate, round(burn.measured)) == (14.4, 33)
    assert [row["severity"] for row in incidents(db_url)] == ["critical"]
    back = now - timedelta(minutes=2)
    later = now + timedelta(days=3)
    await conn.execute(SESSION, [back, back, later, 20])
    assert await burning.tell(conn, ["main"], settings, now=later) == []
    assert incidents(db_url)[0]["closed_because"] == "it burns no more"
