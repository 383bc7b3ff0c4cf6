"""Gaps are filled from IB's history: over a socket, through the sidecar's own request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from ib_async import Contract
from psycopg.rows import dict_row

from ibcore import db
from ibcore.clock import monotonic
from ibcore.incidents import IncidentKind
from ibcore.policy import Pacer
from ibcore.sim.server import Gateway, SimConfig
from sidecar.backfill import handler as backfill_handler
from sidecar.backfill.handler import GapBackfill
from sidecar.job import Job
from sidecar.refusal import Refused
from sidecar.tap import LineTap
from tests.integration.sweeping import connected

pytestmark = pytest.mark.anyio

# A Friday noon in New York, on which the simulated market has a past.
NOON = datetime(2026, 11, 20, 17, tzinfo=timezone.utc)
AAPL = 265598


class MondayClock:
    """The gateway's wall clock, set to the Monday after."""

    def __init__(self) -> None:
        self._shift = datetime(2026, 11, 23, 19, tzinfo=timezone.utc) - datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return asyncio.get_event_loop().time()

    def utcnow(self) -> datetime:
        return datetime.now(timezone.utc) + self._shift

    def unix_ns(self) -> int:
        return int(self.utcnow().timestamp() * 1e9)


class ReadyNow:
    """A sweep session that is ready."""

    def __init__(self, ib: Any) -> None:
        self._ib = ib

    async def ready(self) -> Any:
        return self._ib


@asynccontextmanager
async def backfilling(url: str, **config: Any) -> AsyncIterator[GapBackfill]:
    """Yield the handler on a real client of a simulated gateway."""
    options = {"cadence_scale": 0.1, "symbols": ("AAPL", "SPY"), "clock": MondayClock()}
    async with (
        Gateway(SimConfig(**(options | config))) as gateway,
        connected(gateway, LineTap()) as ib,
    ):
        yield GapBackfill(url, ReadyNow(ib), sidecar="main", pacer=Pacer(45))


async def run(backfill: GapBackfill, url: str, **payload: Any) -> dict[str, Any]:
    """Do one request, with its closing transaction; return its result."""
    wanted = {"lookback_days": 3650, **payload}
    job = Job(uuid4(), "gap_backfill", wanted, monotonic() + wanted.get("deadline_s", 60.0))
    done = await backfill(job)
    async with db.opened(url, application="test") as conn, conn.transaction():
        return await done.store(conn)


def lines(url: str, *rows: tuple[int, str]) -> None:
    """Put contracts on the watch list, qualified long ago; the first is the most important."""
    with psycopg.connect(url) as conn:
        for number, (con_id, symbol) in enumerate(rows):
            conn.execute(
                """WITH made AS (
                       INSERT INTO ibkeeper.instrument
                              (con_id, symbol, sec_type, exchange, currency)
                       VALUES (%(con_id)s, %(symbol)s, 'STK', 'SMART', 'USD') RETURNING id)
                   INSERT INTO ibkeeper.watch (symbol, con_id, instrument_id, priority, created_at)
                   SELECT %(symbol)s, %(con_id)s, id, %(number)s, '2026-01-01' FROM made""",
                {"con_id": con_id, "symbol": symbol, "number": number},
            )


def gap(url: str, begin: datetime, seconds: float, **more: Any) -> None:
    """Note a loss of some seconds."""
    row = {
        "begin": begin,
        "end": begin + timedelta(seconds=seconds),
        "instrument": more.get("instrument"),
        "cause": more.get("cause", "spool_full"),
    }
    with psycopg.connect(url) as conn:
        conn.execute(
            """INSERT INTO ibkeeper.feed_gap (id, sidecar, epoch, cause, from_ts, to_ts,
                                              instrument_id)
               VALUES (gen_random_uuid(), 'main', 1, %(cause)s, %(begin)s, %(end)s,
                       %(instrument)s)""",
            row,
        )


def select(url: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute(query.encode()).fetchall()


def incidents(url: str) -> list[dict[str, Any]]:
    return select(url, "SELECT * FROM ibkeeper.incident ORDER BY opened_at")


FILLS = "SELECT * FROM ibkeeper.gap_fill ORDER BY from_ts, instrument_id"


async def history(url: str, what: str, *, begin: datetime, count: int) -> list[Any]:
    """Ask the gateway directly, as anybody would."""
    options = {"cadence_scale": 0.1, "symbols": ("AAPL", "SPY"), "clock": MondayClock()}
    async with Gateway(SimConfig(**options)) as gateway, connected(gateway, LineTap()) as ib:
        contract = Contract(conId=AAPL, exchange="SMART", secType="STK", currency="USD")
        return list(
            await ib.reqHistoricalTicksAsync(contract, begin, "", count, what, useRth=False)
        )


async def test_the_ticks_of_a_short_gap_are_what_ib_has_of_its_whole_seconds(
    db_url: str,
) -> None:
    lines(db_url, (AAPL, "AAPL"))
    gap(db_url, NOON + timedelta(milliseconds=300), 120.5)
    async with backfilling(db_url) as backfill:
        result = await run(backfill, db_url)
    begin, end = NOON + timedelta(seconds=1), NOON + timedelta(seconds=120)
    asked = await history(db_url, "BID_ASK", begin=begin, count=1000)
    wanted = [(t.time, t.priceBid, t.priceAsk) for t in asked if t.time < end]
    quotes = select(db_url, "SELECT * FROM ibkeeper.backfill_quote ORDER BY ts, place")
    assert [(q["ts"], q["bid"], q["ask"]) for q in quotes] == wanted
    prints = await history(db_url, "TRADES", begin=begin, count=1000)
    trades = select(db_url, "SELECT * FROM ibkeeper.backfill_trade ORDER BY ts, place")
    assert [(t["ts"], t["price"]) for t in trades] == [
        (t.time, t.price) for t in prints if t.time < end
    ]
    assert len(wanted) > 60
    assert (result["filled"], result["left"]) == (1, 0)
    (fill,) = select(db_url, FILLS)
    assert (fill["state"], fill["source"], fill["reason"]) == ("filled", "ticks", None)
    assert (fill["quotes"], fill["trades"]) == (len(quotes), len(trades))


async def test_the_row_of_the_gap_says_who_filled_it_and_nothing_passes_as_live(
    db_url: str,
) -> None:
    lines(db_url, (AAPL, "AAPL"))
    gap(db_url, NOON, 60)
    async with backfilling(db_url) as backfill:
        await run(backfill, db_url)
    (row,) = select(db_url, "SELECT * FROM ibkeeper.feed_gap")
    assert row["filled_by"] == "gap-backfill"
    assert row["filled_at"] is not None
    (seen,) = select(db_url, "SELECT * FROM ibkeeper.v_gap")
    assert (seen["filled_by"], seen["instruments_filled"]) == ("gap-backfill", 1)
    assert select(db_url, "SELECT FROM ibkeeper.quote") == []
    assert select(db_url, "SELECT FROM ibkeeper.bar_1m") == []
    shown = select(db_url, "SELECT backfilled, quality FROM ibkeeper.v_quote_filled")
    assert len(shown) > 30
    assert {(row["backfilled"], row["quality"]) for row in shown} == {(True, None)}


async def test_a_second_run_finds_nothing_to_do(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"))
    gap(db_url, NOON, 60)
    async with backfilling(db_url) as backfill:
        first = await run(backfill, db_url)
        before = select(db_url, "SELECT * FROM ibkeeper.backfill_quote")
        second = await run(backfill, db_url)
    assert first["filled"] == 1
    assert (second["filled"], second["rows"], second["left"]) == (0, 0, 0)
    assert select(db_url, "SELECT * FROM ibkeeper.backfill_quote") == before


async def test_two_runs_that_found_the_same_gap_store_it_once(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"))
    gap(db_url, NOON, 120)
    stores = []
    async with backfilling(db_url, history_pacing="off") as backfill:
        for how in ("ticks", "bars"):  # the same question twice would wait for the pacing
            wanted = {"lookback_days": 3650, "how": how, "shortest_s": 5}
            job = Job(uuid4(), "gap_backfill", wanted, monotonic() + 60)
            stores.append((await backfill(job)).store)
    assert all(len(store.__self__.fills) == 1 for store in stores)
    results = []
    for store in stores:
        async with db.opened(db_url, application="test") as conn, conn.transaction():
            results.append(await store(conn))
    assert [one["filled"] for one in results] == [1, 0]
    assert len(select(db_url, FILLS)) == 1


async def test_a_long_gap_is_filled_with_the_minutes_that_lie_in_it(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"))
    gap(db_url, NOON - timedelta(seconds=20), 3_620)
    async with backfilling(db_url) as backfill:
        await run(backfill, db_url)
    bars = select(db_url, "SELECT * FROM ibkeeper.backfill_bar ORDER BY kind, ts")
    minutes = [NOON + timedelta(minutes=n) for n in range(60)]
    assert [bar["ts"] for bar in bars if bar["kind"] == "trades"] == minutes
    assert [bar["ts"] for bar in bars if bar["kind"] == "midpoint"] == minutes
    assert all(bar["low"] <= min(bar["open"], bar["close"]) for bar in bars)
    assert all((bar["volume"] is None) == (bar["kind"] == "midpoint") for bar in bars)
    assert select(db_url, FILLS)[0]["source"] == "bars"


async def test_a_lost_session_is_a_gap_of_every_line_that_was_wanted(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"), (756733, "SPY"))
    with psycopg.connect(db_url) as conn:
        conn.execute(
            """INSERT INTO ibkeeper.sidecar (name, epoch, state, started_at, heartbeat_at)
               VALUES ('main', 1, 'running', now(), now())"""
        )
        for ready, closed in (
            (NOON - timedelta(hours=1), NOON),
            (NOON + timedelta(minutes=1), None),
        ):
            conn.execute(
                """INSERT INTO ibkeeper.session (sidecar, epoch, role, provider, host, port,
                       client_id, state, attempt, opened_at, ready_at, closed_at)
                   VALUES ('main', 1, 'stream', 'ib', 'h', 1, 1, %s, 1, %s, %s, %s)""",
                ["waiting" if closed else "ready", ready, ready, closed],
            )
    async with backfilling(db_url) as backfill:
        result = await run(backfill, db_url)
    assert result["filled"] == 2
    (seen,) = select(db_url, "SELECT * FROM ibkeeper.v_gap")
    assert (seen["cause"], seen["filled_by"]) == ("session_lost", "gap-backfill")
    assert (seen["instruments_filled"], seen["instruments_unfillable"]) == (2, 0)


async def test_what_ib_does_not_have_is_marked_and_told_once(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"), (123, "NOPE"))
    gap(db_url, NOON, 60)
    async with backfilling(db_url) as backfill:
        result = await run(backfill, db_url)
        assert (result["filled"], result["unfillable"], result["left"]) == (1, 1, 0)
        (marked,) = select(db_url, "SELECT * FROM ibkeeper.gap_fill WHERE state = 'unfillable'")
        assert "No security definition" in marked["reason"]
        (told,) = incidents(db_url)
        assert (told["kind"], told["closed_at"]) == (str(IncidentKind.gap_unfilled), None)
        assert "NOPE 123" in told["detail"]["unfilled"]
        await run(backfill, db_url)
    assert incidents(db_url)[0]["closed_at"] is not None


async def test_a_time_in_which_nothing_happened_is_empty_and_no_failure(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"))
    gap(db_url, datetime(2026, 11, 21, 17, tzinfo=timezone.utc), 60)  # a Saturday
    async with backfilling(db_url) as backfill:
        result = await run(backfill, db_url)
    assert (result["empty"], result["rows"]) == (1, 0)
    assert incidents(db_url) == []


async def test_a_run_asks_no_more_than_it_may_and_the_next_one_goes_on(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"), (756733, "SPY"))
    gap(db_url, NOON, 30)
    async with backfilling(db_url) as backfill:
        first = await run(backfill, db_url, questions=4)
        assert (first["filled"], first["left"]) == (1, 1)
        assert "3 questions were asked" in first["why_left"]
        assert select(db_url, FILLS)[0]["instrument_id"] == 1  # first things first
        assert incidents(db_url)[0]["detail"]["left"] == 1
        second = await run(backfill, db_url, questions=4)
    assert (second["filled"], second["left"]) == (1, 0)
    assert incidents(db_url)[0]["closed_at"] is not None


async def test_a_pacing_violation_ends_the_run_and_marks_nothing(
    db_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program of the same user has used the allowance up."""
    lines(db_url, (AAPL, "AAPL"))
    for minute in range(25):
        gap(db_url, NOON + timedelta(minutes=minute), 20)

    class Rash(backfill_handler.HistoryPacer):
        def wait_s(self, *_about: object, **_how: object) -> float:
            return 0.0

    monkeypatch.setattr(backfill_handler, "HistoryPacer", Rash)
    async with backfilling(db_url) as backfill:
        result = await run(backfill, db_url, questions=1000)
    assert "asked too fast" in result["why_left"]
    assert result["left"] > 0
    assert result["filled"] == 25 - result["left"]
    assert {row["state"] for row in select(db_url, FILLS)} <= {"filled"}


async def test_the_deadline_leaves_the_rest_for_the_next_run(db_url: str) -> None:
    """Five questions about one contract fit in two seconds, sixty in ten minutes."""
    lines(db_url, (AAPL, "AAPL"))
    for minute in range(25):
        gap(db_url, NOON + timedelta(minutes=minute), 20)
    async with backfilling(db_url) as backfill:
        result = await run(backfill, db_url, deadline_s=15)
    assert 0 < result["filled"] < 25
    assert result["filled"] + result["left"] == 25
    assert "pacing" in result["why_left"]


async def watch_says(url: str, state: str, reason: str | None = None) -> None:
    """Write a verdict as the sidecar does: by way of pending."""
    async with db.opened(url, application="test") as conn, conn.transaction():
        await conn.execute("UPDATE ibkeeper.watch SET state = 'pending' WHERE state <> 'pending'")
        await conn.execute("UPDATE ibkeeper.watch SET state = %s, reason = %s", [state, reason])


LINE_GAPS = """SELECT cause, instrument_id, to_ts IS NULL AS open, detail
                 FROM ibkeeper.v_gap ORDER BY from_ts"""


async def test_a_line_that_ib_refuses_is_a_gap_until_it_streams_again(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"))
    await watch_says(db_url, "active")
    assert select(db_url, LINE_GAPS) == []
    for _ in range(2):
        await watch_says(db_url, "failed", "IB 354: not subscribed")
    (gap_row,) = select(db_url, LINE_GAPS)
    assert (gap_row["cause"], gap_row["open"]) == ("line_refused", True)
    assert gap_row["detail"] == "IB 354: not subscribed"
    await watch_says(db_url, "over_budget", "all lines are in use")
    await watch_says(db_url, "active")
    assert [(row["cause"], row["open"]) for row in select(db_url, LINE_GAPS)] == [
        ("line_refused", False),
        ("over_budget", False),
    ]


async def test_a_line_that_nobody_wants_any_more_is_no_gap(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"))
    await watch_says(db_url, "over_budget", "all lines are in use")
    with psycopg.connect(db_url) as conn:
        conn.execute("DELETE FROM ibkeeper.watch")
    assert [row["open"] for row in select(db_url, LINE_GAPS)] == [False]


async def test_a_line_that_another_one_streams_is_no_gap(db_url: str) -> None:
    lines(db_url, (AAPL, "AAPL"))
    await watch_says(db_url, "active")
    with psycopg.connect(db_url) as conn:
        conn.execute(
            """INSERT INTO ibkeeper.watch (symbol, exchange, con_id, instrument_id)
               SELECT 'AAPL', 'NASDAQ', con_id, id FROM ibkeeper.instrument"""
        )
        conn.execute("UPDATE ibkeeper.watch SET state = 'failed' WHERE exchange = 'NASDAQ'")
    assert select(db_url, LINE_GAPS) == []


async def test_what_cannot_be_meant_is_refused(db_url: str) -> None:
    async with backfilling(db_url) as backfill:
        with pytest.raises(Refused, match="questions"):
            await run(backfill, db_url, questions=0)
