"""Drills in a real sidecar, timed by the simulator's ledger; unwise ones are refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest
from psycopg.rows import dict_row

from ibcore.domain import SessionState
from ibcore.sim.ledger import SentTick
from ibcore.sim.server import Gateway, SimConfig
from sidecar.drill.handler import Drills
from sidecar.drill.subject import Subject
from sidecar.job import Job
from sidecar.refusal import Refused
from tests.integration.gateways import eventually
from tests.integration.inboxes import http_inbox
from tests.integration.lateness import lateness
from tests.integration.test_sidecar import started

pytestmark = [pytest.mark.anyio, pytest.mark.paired]
STREAM_CLIENT = 10
WERE_READY = """
SELECT ready_at, closed_at FROM ibkeeper.session
 WHERE role = 'stream' AND ready_at IS NOT NULL ORDER BY ready_at"""


class Sql:
    """Asks for drills and reads what they left."""

    def __init__(self, url: str) -> None:
        self._conn = psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        self._conn.close()

    def all(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return self._conn.execute(query.encode(), values).fetchall()

    def ask(self, scenario: str, **more: Any) -> UUID:
        payload = {"scenario": scenario, "market_open_allowed": True} | more
        (row,) = self.all(
            "INSERT INTO ibkeeper.request (kind, payload, requested_by, deadline_at)"
            " VALUES ('drill', %s, 'test', now() + interval '50 s') RETURNING id",
            orjson.dumps(payload).decode(),
        )
        request: UUID = row["id"]
        return request

    def state(self, request: UUID) -> str:
        (row,) = self.all("SELECT state, error FROM ibkeeper.request WHERE id = %s", request)
        return str(row["state"])

    def drilled(self, scenario: str, **more: Any) -> bool:
        """Ask for a drill until one is done: a session that is just away is no subject of one."""
        asked = "SELECT state, error_kind FROM ibkeeper.request ORDER BY requested_at DESC LIMIT 1"
        last = next(iter(self.all(asked)), None)
        if last is None or (last["state"], last["error_kind"]) == ("failed", "not_ready"):
            self.ask(scenario, **more)
            return False
        return last["state"] not in ("requested", "claimed")

    def steps(self, request: UUID) -> dict[str, datetime]:
        found = self.all(
            "SELECT name, at FROM ibkeeper.drill_step WHERE drill_id = %s ORDER BY number", request
        )
        return {row["name"]: row["at"] for row in found}

    def streams(self) -> bool:
        (row,) = self.all("SELECT count(*) AS n FROM ibkeeper.quote")
        return int(row["n"]) > 5


@pytest.fixture
def sql(db_url: str) -> Iterator[Sql]:
    made = Sql(db_url)
    yield made
    made.close()


@asynccontextmanager
async def streaming(
    sql: Sql, url: str, home: Path, config: SimConfig | None = None, **more: Any
) -> AsyncIterator[Gateway]:
    sql._conn.execute("INSERT INTO ibkeeper.watch (symbol) VALUES ('AAPL'), ('SPY')")
    given = {"DATABASE_URL": url, "GATEWAY__KNOCK_S": "0.5"} | more
    async with Gateway(config) as gateway, started(home, GATEWAY__PORT=gateway.port, **given):
        await eventually(sql.streams, within_s=30)
        yield gateway


def in_ledger(gateway: Gateway, event: str) -> list[datetime]:
    return [
        datetime.fromtimestamp(record.at_ns / 1e9, timezone.utc)
        for record in gateway.ledger.sessions
        if record.client_id == STREAM_CLIENT and record.event == event
    ]


def apart(left: datetime, right: datetime) -> float:
    return abs((left - right).total_seconds())


async def test_a_cut_socket_is_measured_as_the_ledger_saw_it(
    sql: Sql, db_url: str, tmp_path: Path
) -> None:
    async with streaming(sql, db_url, tmp_path) as gateway, lateness() as late_s:
        request = sql.ask("drop")
        await eventually(lambda: sql.state(request) not in ("requested", "claimed"), within_s=40)
        assert sql.state(request) == "completed"
        steps, closed, began = (
            sql.steps(request),
            in_ledger(gateway, "closed"),
            in_ledger(gateway, "started"),
        )
        ticks = [
            datetime.fromtimestamp(tick.at_ns / 1e9, timezone.utc)
            for tick in gateway.ledger.sent_ticks
            if tick.client_id == STREAM_CLIENT
        ]
    assert list(steps) == ["begun", "noticed", "ready", "first tick"]
    within_s = 0.1 + max(late_s)  # the gateway's stamps are of this process
    assert apart(steps["noticed"], closed[0]) < within_s
    assert apart(steps["ready"], began[1]) < within_s
    assert apart(steps["first tick"], min(at for at in ticks if at > began[1])) < within_s
    (drill,) = sql.all("SELECT * FROM ibkeeper.drill")
    assert (drill["verdict"], drill["why"]) == ("passed", "")
    assert drill["detect_s"] < 1


async def test_refused_reconnects_end_by_themselves_also_when_nobody_waits_any_more(
    sql: Sql, db_url: str, tmp_path: Path
) -> None:
    async with streaming(sql, db_url, tmp_path) as gateway:
        request = sql.ask("refuse", hold_s=3)
        await eventually(lambda: bool(in_ledger(gateway, "closed")), within_s=20)
        # What a killed run's hook does, or an operator: the request is taken back half-way.
        sql._conn.execute(
            "UPDATE ibkeeper.request SET state = 'expired', finished_at = now(), error = 'gone'"
        )
        await eventually(lambda: len(in_ledger(gateway, "started")) == 2, within_s=20)
        await eventually(lambda: len(sql.all(WERE_READY)) == 2)
        first, second = sql.all(WERE_READY)
        # The attempt after 1 s is refused, the one after 3 s just let in, another would be at 7 s.
        assert 3.0 <= (second["ready_at"] - first["closed_at"]).total_seconds() < 9
    assert sql.state(request) == "expired"
    assert sql.all("SELECT * FROM ibkeeper.drill") == []


async def test_a_half_open_socket_is_noticed_and_left(
    sql: Sql, db_url: str, tmp_path: Path
) -> None:
    quick = {"GATEWAY__HEARTBEAT_S": "0.5", "GATEWAY__HEARTBEAT_TIMEOUT_S": "0.5"}
    async with streaming(sql, db_url, tmp_path, **quick):
        await eventually(lambda: sql.drilled("mute", hold_s=30), within_s=40)
    (drill,) = sql.all("SELECT * FROM ibkeeper.drill")
    assert drill["verdict"] == "passed"
    assert 0.4 < drill["detect_s"] < 3


async def test_what_nobody_notices_is_a_failed_drill_and_over_all_the_same(
    sql: Sql, db_url: str, tmp_path: Path
) -> None:
    async with streaming(sql, db_url, tmp_path) as gateway:
        request = sql.ask("mute", hold_s=1, detect_within_s=0.5, recover_within_s=0.5)
        await eventually(lambda: sql.state(request) == "completed", within_s=20)
        (drill,) = sql.all("SELECT * FROM ibkeeper.drill")
        assert (drill["verdict"], drill["detect_s"]) == ("failed", None)
        before = sql.all("SELECT count(*) AS n FROM ibkeeper.quote")[0]["n"]
        await eventually(
            lambda: sql.all("SELECT count(*) AS n FROM ibkeeper.quote")[0]["n"] > before,
            within_s=10,
        )
        assert in_ledger(gateway, "closed") == []
    (incident,) = sql.all("SELECT * FROM ibkeeper.incident WHERE kind = 'drill_failed'")
    assert "not noticed at all" in incident["summary"]


async def test_the_way_of_an_alert_is_drilled_to_the_inbox(
    sql: Sql, db_url: str, tmp_path: Path
) -> None:
    with http_inbox() as inbox:
        async with streaming(sql, db_url, tmp_path, ALERTS__TARGETS=inbox.url):
            request = sql.ask("alert")
            await eventually(lambda: sql.state(request) == "completed", within_s=30)
        (drill,) = sql.all("SELECT * FROM ibkeeper.drill")
        assert (drill["verdict"], list(sql.steps(request))) == ("passed", ["begun", "delivered"])
        assert drill["recover_s"] < 10
        assert "This is a drill" in inbox.messages[0]["message"]
    (incident,) = sql.all("SELECT * FROM ibkeeper.incident WHERE kind = 'drill_alert'")
    assert incident["closed_because"] == "the drill is over"


QUICK = {
    "FAILOVER__STALENESS_S": "3",
    "FAILOVER__HEALTHY_S": "2",
    "FAILOVER__DWELL_S": "2",
    "LIVENESS__EVERY_S": "0.1",
    "LIVENESS__SILENCE_S": "1",
    "LIVENESS__HOURS": "always",
}
MARKET = SimConfig(symbols=("AAPL", "SPY"), cadence_scale=0.1)


@asynccontextmanager
async def backed(sql: Sql, url: str, home: Path) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Run a sidecar with a standby whose lines tick."""
    async with Gateway(MARKET) as standby:
        there = {"STANDBY__HOST": "127.0.0.1", "STANDBY__PORT": standby.port}
        async with streaming(sql, url, home, MARKET, **QUICK, **there) as gateway:
            known = "SELECT 1 FROM ibkeeper.line_state WHERE cause = 'ticking' AND expected_s > 0"
            await eventually(lambda: len(sql.all(known)) == 4, within_s=30)
            yield gateway, standby


async def test_a_stale_feed_is_drilled_to_the_backup_and_back(
    sql: Sql, db_url: str, tmp_path: Path
) -> None:
    async with backed(sql, db_url, tmp_path) as (gateway, standby):
        request = sql.ask(
            "stale", hold_s=8, failover_within_s=6, failback_within_s=10, recover_within_s=5
        )
        await eventually(lambda: sql.state(request) not in ("requested", "claimed"), within_s=50)
        sent = [datetime.fromtimestamp(t.at_ns / 1e9, timezone.utc) for t in ticks_of(gateway)]
        backup = [datetime.fromtimestamp(t.at_ns / 1e9, timezone.utc) for t in ticks_of(standby)]
    (drill,) = sql.all("SELECT * FROM ibkeeper.drill")
    assert (drill["verdict"], drill["why"]) == ("passed", "")
    steps = sql.steps(request)
    assert 2.5 <= drill["failover_s"] <= 4.5
    assert drill["backup_tick_s"] < 1
    assert drill["failback_s"] < 12
    unheard = [at for at in sent if steps["begun"] < at < steps["failed over"]]
    assert abs(drill["ticks_lost"] - len(unheard)) <= 0.1 * len(unheard)
    first_after = min(at for at in sent if at > steps["released"])
    assert apart(steps["first tick"], first_after) < 0.1
    assert min(abs(apart(steps["backup tick"], at)) for at in backup) < 0.1


def ticks_of(gateway: Gateway) -> list[SentTick]:
    return list(gateway.ledger.sent_ticks)


async def test_a_lost_standby_is_noticed_comes_back_and_takes_nothing_with_it(
    sql: Sql, db_url: str, tmp_path: Path
) -> None:
    async with backed(sql, db_url, tmp_path):
        request = sql.ask("standby", hold_s=3)
        await eventually(lambda: sql.state(request) not in ("requested", "claimed"), within_s=50)
        assert sql.all("SELECT * FROM ibkeeper.provider_switch") == []
    (drill,) = sql.all("SELECT * FROM ibkeeper.drill")
    assert (drill["verdict"], drill["why"]) == ("passed", "")
    assert list(sql.steps(request)) == ["begun", "noticed", "released", "ready", "first tick"]


class Idle:
    """A session that is ready and is never touched."""

    state = SessionState.ready
    ib = None

    def refuse_for(self, seconds: float) -> None:
        raise AssertionError("it was touched")


IDLE = Subject(Idle(), ticks=lambda: 0)


async def test_working_orders_are_not_left_unseen(db_url: str) -> None:
    drills = Drills(db_url, IDLE, sidecar="main", told=False, now=saturday)
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")  # an order without its history
        conn.execute(
            "INSERT INTO ibkeeper.order_intent (batch_id, line, kind, account, instrument_id,"
            " symbol, sec_type, exchange, currency, side, quantity, order_type, tif, state,"
            " not_after, client_id, order_id, order_ref, epoch, submitting_at)"
            " VALUES (gen_random_uuid(), 1, 'new', 'DU1', 1, 'AAPL', 'STK', 'SMART', 'USD', 'BUY',"
            " 1, 'MKT', 'DAY', 'unknown', now(), 12, 1, 'x', 1, now())"
        )
    with pytest.raises(Refused, match="1 orders work, or may"):
        await drills(Job(uuid4(), "drill", {}, 0.0))


def saturday() -> datetime:
    return datetime(2026, 11, 28, 15, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("at", "payload", "says"),
    [
        ("2026-11-30T15:00+00:00", {}, "The market is open"),
        ("2026-11-28T15:00+00:00", {"scenario": "alert"}, "No alert target"),
        ("2026-11-28T15:00+00:00", {"scenario": "explode"}, "no drill"),
        ("2026-11-28T15:00+00:00", {"hold_s": 1e9}, "no drill"),
        ("2026-11-28T15:00+00:00", {"scenario": "stale"}, "There is no standby gateway"),
    ],
)
async def test_what_is_unwise_is_refused_before_anything_is_touched(
    db_url: str, at: str, payload: dict[str, Any], says: str
) -> None:
    drills = Drills(
        db_url,
        IDLE,
        sidecar="main",
        told=False,
        now=lambda: datetime.fromisoformat(at),
    )
    with pytest.raises(Refused, match=says):
        await drills(Job(uuid4(), "drill", payload, 0.0))
