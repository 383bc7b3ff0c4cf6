"""Chain snapshots: simulated gateway, real ib_async, real PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import anyio
import psycopg
import pytest
from ib_async import IB
from psycopg.rows import dict_row

from flows.client import Client
from ibcore import db
from ibcore.chain import KIND
from ibcore.clock import PG_EPOCH_UNIX_US, monotonic, us_from_datetime
from ibcore.config import GatewaySettings
from ibcore.errors import NotReady, RequestFailed
from ibcore.policy import LineBudget, Pacer
from ibcore.sim.board import Board
from ibcore.sim.contracts import Contract
from ibcore.sim.ledger import Ledger, SentTick, by_line
from ibcore.sim.lines import Line
from ibcore.sim.server import Gateway, SimConfig
from sidecar.chain_reading import Lane
from sidecar.chains import ChainSnapshots
from sidecar.job import Done, Job
from sidecar.requests import RequestWorker
from sidecar.session import Session
from sidecar.tap import LineTap
from tests.integration.gateways import Notebook, running, session_at
from tests.integration.hand_clock import OnMonday
from tests.integration.lateness import lateness
from tests.integration.sweeping import connected, silent_gateway
from tests.integration.test_requests import ALIVE, ask, until_state, working

pytestmark = pytest.mark.anyio

SUBSCRIBE, CANCEL = 1, 2
SHOWN = ("bid", "bid_size", "ask", "ask_size", "last", "iv", "delta")
FAST = 2_000  # messages a second, where pacing is not what a test is about
# On a day of expiry the options that end today have no bid any more, and are never complete.
MONDAY = OnMonday()
# IB would cut such a client off; a test that keeps to 50 a second takes a gateway with the limit.
UNPACED = SimConfig(messages_per_second=None, clock=MONDAY)


class Opened:
    """A session that is ready, or not."""

    def __init__(self, ib: IB | None) -> None:
        self.ib = ib

    async def ready(self) -> IB:
        if self.ib is None:
            await anyio.sleep_forever()
        assert self.ib is not None
        return self.ib


class Rig:
    """What a sidecar makes of the parts: one handler with its budget, pacer and tap."""

    url = ""

    def __init__(self, ib: IB | None, tap: LineTap, *, lines: int, messages_per_s: int) -> None:
        self.budget = LineBudget(lines)
        lane = Lane(Opened(ib), tap, Pacer(messages_per_s))
        self.take = ChainSnapshots([lane], budget=self.budget, url=self.url, now=MONDAY.utcnow)


@pytest.fixture(autouse=True)
def _database(db_url: str) -> None:
    Rig.url = db_url


@asynccontextmanager
async def rig_on(
    gateway: Gateway, *, lines: int = 100, messages_per_s: int = FAST
) -> AsyncIterator[Rig]:
    """Connect a handler to a gateway that does not pace either."""
    tap = LineTap()
    async with gateway, connected(gateway, tap) as ib:
        ib.client.MaxRequests = 0
        yield Rig(ib, tap, lines=lines, messages_per_s=messages_per_s)


async def until(there: Callable[[], bool]) -> None:
    """Wait for what happens inside the loop of this test and tells nobody."""
    with anyio.fail_after(10):
        while not there():  # noqa: ASYNC110
            await anyio.sleep(0.005)


def job(*, lasts_s: float = 30.0, **payload: Any) -> Job:
    """Return a claimed request."""
    return Job(uuid4(), KIND, payload, monotonic() + lasts_s)


def lines_held(ledger: Ledger) -> list[int]:
    """Return how many lines were open after each subscription and cancel that was accepted."""
    held, history = 0, [0]
    for request in ledger.requests:
        if request.msg_id in (SUBSCRIBE, CANCEL):
            held += 1 if request.msg_id == SUBSCRIBE else -1
            history.append(held)
    return history


async def stored(url: str, done: Done) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Store a finished snapshot without its request; return its rows."""
    async with db.opened(url, application="test") as conn:
        await conn.execute("ALTER TABLE ibkeeper.chain_snapshot DISABLE TRIGGER ALL")
        result = await done.store(conn)
        await conn.execute("ALTER TABLE ibkeeper.chain_snapshot ENABLE TRIGGER ALL")
        cursor = conn.cursor(row_factory=dict_row)
        await cursor.execute(
            "SELECT q.*, i.con_id, i.local_symbol, i.underlying_con_id"
            "  FROM ibkeeper.chain_quote q JOIN ibkeeper.instrument i ON i.id = q.instrument_id"
            ' ORDER BY expiry, strike, q."right"'
        )
        return result, await cursor.fetchall()


async def test_a_snapshot_holds_what_the_gateway_last_said_before_each_take(db_url: str) -> None:
    gateway = Gateway(UNPACED)
    async with rig_on(gateway) as rig:
        result, rows = await stored(db_url, await rig.take(job(underlying="SPY", strikes=6)))
        lines = lines_of(gateway.ledger)
    assert result["expected"] == len(rows) == 24
    assert result["complete"] == 24
    assert Counter(row["right"] for row in rows) == {"C": 12, "P": 12}
    assert len({row["expiry"] for row in rows}) == 2
    for row in rows:
        assert shown(row) in told(lines[row["con_id"]], row["right"]), row["local_symbol"]
    assert rig.budget.used == 0


@pytest.mark.alone  # a packet that waits for a processor is older than its stamp
async def test_the_newest_words_before_the_take_are_not_missed(db_url: str) -> None:
    gateway = Gateway(replace(UNPACED, cadence_scale=0.05))  # every option moves every 5 ms
    async with rig_on(gateway, lines=10, messages_per_s=100) as rig:
        _, rows = await stored(db_url, await rig.take(job(strikes=5)))
        lines = lines_of(gateway.ledger)
    for row in rows:
        arrived = us_from_datetime(row["recv_ts"])
        sent = [tick for tick in lines[row["con_id"]] if us(tick) <= arrived]
        assert shown(row) in told(sent, row["right"])[-12:], row["local_symbol"]


async def test_one_silent_strike_stalls_nobody_and_is_missing(db_url: str) -> None:
    silenced: set[int] = set()

    def silent(contract: Any) -> bool:
        if contract.is_option and len(silenced) < 3:
            silenced.add(contract.con_id)
        return contract.con_id in silenced

    async with rig_on(silent_gateway(UNPACED, silent), lines=4) as rig:
        began = monotonic()
        done = await rig.take(job(strikes=8, expiries=1, contract_deadline_s=2))
        took = monotonic() - began
        result, rows = await stored(db_url, done)
    assert (result["expected"], result["missing"], result["complete"]) == (16, 3, 13)
    assert took < 3 * 2 + 5  # far below 16 contracts after one another
    missing = [row for row in rows if row["state"] == "missing"]
    assert {row["con_id"] for row in missing} == silenced
    for row in missing:
        assert row["missing_fields"] == "bid,ask,model"
        assert (row["bid"], row["iv"], row["recv_ts"], row["quality"]) == (None,) * 4


async def test_never_more_lines_are_open_than_the_budget_gives(db_url: str) -> None:
    gateway = Gateway(replace(UNPACED, lines=7))
    async with rig_on(gateway, lines=7) as rig:
        rig.budget.take("watch", 3)
        result, _ = await stored(db_url, await rig.take(job(strikes=10)))
        refused = [r for r in gateway.ledger.requests if r.verdict != "ok"]
    assert max(lines_held(gateway.ledger)) == 4
    assert lines_held(gateway.ledger)[-1] == 0
    assert refused == []
    assert (result["complete"], rig.budget.used) == (40, 3)


async def test_a_sweep_leaves_at_the_pace_of_its_pacer(db_url: str) -> None:
    gateway = Gateway(SimConfig(clock=MONDAY))
    async with rig_on(gateway, messages_per_s=40) as rig, lateness() as late_s:
        await rig.take(job(strikes=20, expiries=1))
    sent = [request.at_ns for request in gateway.ledger.requests]
    ours = len(sent) - 2  # two start-up messages are not paced
    assert ours > 80
    # Counted from the first one's arrival, which a busy machine reads late.
    assert (sent[-1] - sent[0]) / 1e9 >= (ours - Pacer(40).burst) / 40 - max(late_s)


async def test_nearest_the_money_comes_first() -> None:
    gateway = Gateway(UNPACED)
    async with rig_on(gateway) as rig:
        await rig.take(job(strikes=9, expiries=1))
    asked = [float(r.fields[5]) for r in gateway.ledger.requests if _is_option_line(r)]
    spot = asked[0]
    assert [abs(strike - spot) for strike in asked[:2]] == [0.0, 0.0]
    away = [abs(strike - spot) for strike in asked]
    assert max(away[:6]) < min(away[-6:]) + 5.0
    assert len(asked) == 18


async def test_a_listing_costs_one_message_per_expiry_and_right_once_a_day() -> None:
    gateway = Gateway(UNPACED)
    async with rig_on(gateway) as rig:
        await rig.take(job(strikes=2, expiries=3))
        first = _details_asked(gateway.ledger)
        await rig.take(job(strikes=4, expiries=3))
        second = _details_asked(gateway.ledger)
    assert first == 1 + 3 * 2
    assert second == first + 1  # the underlying only


@pytest.mark.parametrize(
    ("payload", "kind", "text"),
    [
        ({"underlying": "NOPE"}, "unknown_underlying", "IB knows no contract NOPE STK SMART"),
        ({"exchange": "NYSE"}, "no_chain", "There are no options SPY on NYSE; IB lists SPY on"),
        ({"trading_class": "SPXW"}, "no_chain", "no options SPXW on SMART"),
        ({"window_percent": 0.0001}, "no_contracts", "No listed option of SPY lies in the window"),
        ({"expiries": 0}, "invalid_request", "expiries: Input should be greater than or equal"),
        ({"underlying": "SP\0Y"}, "invalid_request", "underlying: String should match pattern"),
        ({"underlying": "'; drop"}, "invalid_request", "underlying: String should match pattern"),
        ({"colour": "red"}, "invalid_request", "colour: Extra inputs are not permitted"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_the_reason(
    payload: dict[str, Any], kind: str, text: str
) -> None:
    async with rig_on(Gateway(UNPACED)) as rig:
        with pytest.raises(RequestFailed, match=text) as refusal:
            await rig.take(job(**payload))
    assert refusal.value.kind == kind  # type: ignore[attr-defined]
    assert "Nothing was stored." in str(refusal.value)
    assert rig.budget.used == 0


async def test_a_sweep_that_cannot_end_in_time_does_not_begin() -> None:
    gateway = Gateway(SimConfig(clock=MONDAY))
    async with rig_on(gateway, messages_per_s=45) as rig:
        with pytest.raises(RequestFailed, match="148 contracts take at least 7 s at 45 messages"):
            await rig.take(job(lasts_s=6, strikes=500))
    assert [r for r in gateway.ledger.requests if _is_option_line(r)] == []


async def test_a_chain_without_a_single_quote_is_a_failure_that_says_why_that_may_be() -> None:
    gateway = silent_gateway(UNPACED, lambda contract: contract.is_option)
    async with rig_on(gateway) as rig:
        with pytest.raises(RequestFailed, match="None of 4 contracts of SPY has a quote") as empty:
            await rig.take(job(strikes=2, expiries=1, contract_deadline_s=0.2))
    assert "market" in str(empty.value)


async def test_without_a_free_line_the_request_fails_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sidecar.chain_sweep.STARVED_S", 0.1)
    async with rig_on(Gateway(UNPACED), lines=3) as rig:
        rig.budget.take("watch", 3)
        with pytest.raises(RequestFailed, match="All 3 market-data lines are in use"):
            await rig.take(job())


async def test_without_a_session_the_request_fails_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.chain_reading.SESSION_S", 0.1)
    rig = Rig(None, LineTap(), lines=1, messages_per_s=FAST)
    with pytest.raises(NotReady, match="sweep session to the gateway was not ready"):
        await rig.take(job())


def usual_session(gateway: Gateway, tap: LineTap) -> Session:
    """Return a session with the usual heartbeat: ten a second and a sweep are too many for IB."""
    usual = GatewaySettings()
    beats = {"heartbeat_s": usual.heartbeat_s, "heartbeat_timeout_s": usual.heartbeat_timeout_s}
    return session_at(gateway.port, Notebook(), sink=tap, gateway=beats)


async def test_a_session_lost_half_way_is_waited_for_and_only_the_rest_is_read() -> None:
    gateway = Gateway(UNPACED)
    tap, budget = LineTap(), LineBudget(100)
    async with gateway, running(session := usual_session(gateway, tap)):
        lane = Lane(session, tap, Pacer(60))
        take = ChainSnapshots([lane], budget=budget, url=Rig.url, now=MONDAY.utcnow)
        request = job(underlying="TSLA", strikes=20)

        async def drop_half_way() -> None:
            await until(lambda: request.progress.done >= 30)
            gateway.drop_all()

        async with anyio.create_task_group() as group:
            group.start_soon(drop_half_way)
            result, rows = await stored(Rig.url, await take(request))
        asked = [r.fields[1] for r in gateway.ledger.requests if _is_option_line(r)]
    assert len(rows) == result["complete"] == 80
    again = len(asked) - 80
    assert 0 <= again < 30, "only what was open when the session was lost is read again"
    assert budget.used == 0


@pytest.mark.alone  # a figure
async def test_silent_options_lost_greeks_and_a_reconnect_cost_at_most_a_quarter_of_the_floor(
    db_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(contract: Contract) -> bool:
        return contract.is_option and contract.con_id % 10 == 3

    def without_greeks(con_id: int) -> bool:
        return con_id % 20 == 7

    as_ever = Line._computations

    def told_no_greeks(line: Line, board: Board) -> Iterator[bytes]:
        hidden = without_greeks(line.contract.con_id)
        return iter(()) if hidden else as_ever(line, board)

    monkeypatch.setattr(Line, "_computations", told_no_greeks)
    gateway = silent_gateway(SimConfig(clock=MONDAY), silent)
    tap, budget = LineTap(), LineBudget(100)
    budget.take("streams", 50)
    async with gateway, running(session := usual_session(gateway, tap)):
        lane = Lane(session, tap, Pacer(45))
        take = ChainSnapshots([lane], budget=budget, url=Rig.url, now=MONDAY.utcnow)
        request = job(underlying="SPY", expiries=7, strikes=36, min_dte=14, lasts_s=55)

        async def drop_half_way() -> None:
            with anyio.fail_after(40):
                while request.progress.done < 250:  # noqa: ASYNC110
                    await anyio.sleep(0.005)
            gateway.drop_all()

        async with anyio.create_task_group() as group:
            group.start_soon(drop_half_way)
            result, rows = await stored(db_url, await take(request))
    assert result["seconds"] <= 1.25 * result["floor_s"]
    assert len(rows) == result["expected"] > 480
    for row in rows:
        state = (row["state"], row["missing_fields"])
        if row["con_id"] % 10 == 3:
            assert state[0] == "missing", row["local_symbol"]
        elif without_greeks(row["con_id"]):
            assert state[0] == "partial", row["local_symbol"]
            assert "model" in state[1]
        else:
            assert state[0] in ("complete", "partial"), row["local_symbol"]
            assert "model" not in (state[1] or "")
    assert not [r for r in gateway.ledger.requests if r.verdict != "ok"], "no error 100 or 101"


async def test_a_cancelled_sweep_leaves_no_line_behind() -> None:
    gateway = Gateway(UNPACED)
    async with rig_on(gateway) as rig:
        request = job(strikes=400)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(rig.take, request)
                await until(lambda: request.progress.done >= 5)
                scope.cancel()
        await until(lambda: lines_held(gateway.ledger)[-1] == 0)
    assert rig.budget.used == 0


async def test_from_the_request_row_to_the_snapshot_in_one_transaction(db_url: str) -> None:
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute(ALIVE)
    moved: list[int] = []

    async def on_progress(done: int, _total: int) -> None:
        moved.append(done)

    async with rig_on(Gateway(UNPACED), messages_per_s=60) as rig:
        worker = RequestWorker(
            db_url, sidecar="main", epoch=7, handlers={KIND: rig.take}, poll_s=0.2
        )
        async with working(worker):
            question = ask(KIND, payload={"underlying": "AAPL", "strikes": 8})
            result = await Client(db_url).ask(question, on_progress=on_progress)
            quotes = await Client(db_url).chain(result["snapshot_id"])
    with psycopg.connect(db_url, row_factory=dict_row) as conn:
        snapshot = conn.execute("SELECT * FROM ibkeeper.chain_snapshot").fetchone()
    assert snapshot is not None
    assert len(quotes) == result["expected"] == snapshot["expected"] == 32
    assert str(snapshot["id"]) == result["snapshot_id"]
    assert snapshot["params"]["underlying"] == "AAPL"
    assert moved == sorted(moved)
    assert moved[-1] == 32
    assert moved[0] < 32


async def test_a_deadline_in_the_middle_leaves_no_snapshot_and_no_line(db_url: str) -> None:
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute(ALIVE)
    gateway = silent_gateway(UNPACED, lambda contract: contract.is_option)
    async with rig_on(gateway) as rig:
        worker = RequestWorker(
            db_url, sidecar="main", epoch=7, handlers={KIND: rig.take}, poll_s=0.2
        )
        async with working(worker):
            payload = {"strikes": 4, "expiries": 1, "contract_deadline_s": 15}
            with pytest.raises(RequestFailed, match="deadline passed with 0 of 8 done"):
                await Client(db_url).ask(ask(KIND, payload=payload, deadline_s=6.0))
            assert (await until_state(db_url, "expired"))["error_kind"] == "deadline"
    with psycopg.connect(db_url) as conn:
        assert conn.execute("SELECT count(*) FROM ibkeeper.chain_snapshot").fetchone() == (0,)
    assert rig.budget.used == 0


# -- the oracle: what the ledger says that the gateway has said ------------------------------


def lines_of(ledger: Ledger) -> Mapping[int, Sequence[SentTick]]:
    """Return the ticks of each option's line, by contract id."""
    return {ticks[0].con_id: ticks for ticks in by_line(ledger.sent_ticks).values()}


def us(tick: SentTick) -> int:
    """Return when a tick was sent, as rows count time."""
    return tick.at_ns // 1_000 - PG_EPOCH_UNIX_US


def shown(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a row says of price and model."""
    return tuple(
        row[name] for name in ("bid", "bid_size", "ask", "ask_size", "last", "iv", "delta")
    )


def told(ticks: Sequence[SentTick], right: str) -> list[tuple[Any, ...]]:
    """Return what could be shown after each tick of a line, in order."""
    assert right in "CP"
    now: dict[str, float | None] = dict.fromkeys(SHOWN)
    history = []
    for tick in ticks:
        now |= _said(tick)
        history.append(tuple(now.values()))
    return history


def _said(tick: SentTick) -> dict[str, float | None]:
    if tick.msg_id not in (1, 2, 21):
        return {}
    numbers = [float(text) if text else 0.0 for text in tick.fields[:3]]
    match tick.msg_id, tick.tick_type:
        case 1, (1 | 2) as side:
            name = "bid" if side == 1 else "ask"
            there = numbers[0] > 0
            return {
                name: numbers[0] if there else None,
                f"{name}_size": numbers[1] if there else None,
            }
        case 1, 4:
            return {"last": numbers[0]}
        case 2, (0 | 3) as side:
            return {"bid_size" if side == 0 else "ask_size": numbers[0] or None}
        case 21, 13:
            return {"iv": numbers[1], "delta": numbers[2]}
    return {}


def _is_option_line(request: Any) -> bool:
    return request.msg_id == SUBSCRIBE and "OPT" in request.fields


def _details_asked(ledger: Ledger) -> int:
    return sum(request.msg_id == 9 for request in ledger.requests)
