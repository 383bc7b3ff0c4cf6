"""Silent lines of a real session against the simulator: found, named, cured, told; never a fight.

The simulator's ledger says what was sent and asked for; rows and incidents are read from SQL.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from ibcore.clock import monotonic
from ibcore.config import LivenessSettings
from ibcore.domain import SessionState
from ibcore.link_states import LinkState
from ibcore.liveness.health import LineCause
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import stock
from ibcore.sim.server import Gateway, SimConfig
from sidecar.app import Parts
from tests.integration.gateways import eventually
from tests.integration.lateness import lateness
from tests.integration.streaming import streaming, watch

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

SYMBOLS = ("AAPL", "MSFT", "SPY")
FAST = SimConfig(symbols=SYMBOLS, cadence_scale=0.1, farm_wake_s=0)
QUICK = LivenessSettings(every_s=0.1, verify_s=1.0, silence_s=3.0, hours="always")
REQ_MKT_DATA, CANCEL_MKT_DATA, START_API = 1, 2, 71
STEPS = (
    "SELECT code, reason FROM ibkeeper.session_event"
    " WHERE code IS NOT NULL AND role = 'stream' ORDER BY at"
)
TICKING = {LineCause.ticking}


@asynccontextmanager
async def ticking(url: str, config: SimConfig = FAST) -> AsyncIterator[tuple[Gateway, Parts]]:
    """Run a sidecar whose lines tick."""
    watch(url, [stock(CATALOGUE[symbol]) for symbol in config.symbols])
    async with Gateway(config) as gateway, streaming(url, gateway, liveness=QUICK) as parts:
        health = parts.streaming.liveness.health
        await eventually(lambda: len(health()) == len(config.symbols))
        await eventually(lambda: all(line.last_event_at for line in health()))
        yield gateway, parts


async def rhythm_known(parts: Parts) -> None:
    """Wait until each line has spoken often enough to be told dead by its silence."""
    health = parts.streaming.liveness.health
    await eventually(lambda: all(line.expected_s for line in health()), within_s=20)


def causes(parts: Parts) -> set[LineCause]:
    return {health.cause for health in parts.streaming.liveness.health()}


def asked(gateway: Gateway, message: int = REQ_MKT_DATA) -> int:
    return sum(request.msg_id == message for request in gateway.ledger.requests)


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute(query).fetchall()


def cures(url: str) -> Counter[tuple[str, str, str]]:
    return Counter(rows(url, "SELECT cause, cure, state FROM ibkeeper.line_cure"))


def incidents(url: str) -> list[tuple[str, bool]]:
    query = "SELECT kind, closed_at IS NULL FROM ibkeeper.incident ORDER BY opened_at"
    return [tuple(row) for row in rows(url, query)]


async def test_a_link_that_is_lost_puts_every_line_out_within_100_ms_and_keeps_the_socket(
    db_url: str,
) -> None:
    async with ticking(db_url) as (gateway, parts), lateness() as late_s:
        began = monotonic()
        await gateway.fault("1100", 1.0)
        while causes(parts) != {LineCause.link}:
            assert monotonic() - began < 0.1 + max(late_s)
            await asyncio.sleep(0.001)
        assert parts.stream.link is LinkState.lost
        await eventually(lambda: causes(parts) == TICKING)
        await eventually(lambda: parts.stream.link is LinkState.up)
        assert asked(gateway, START_API) == 3
        assert asked(gateway) == len(SYMBOLS), "lines that were kept are not asked for again"
    steps = rows(db_url, STEPS)
    assert [code for code, _ in steps] == [1100, 1102, 1102]
    assert steps[-1][1] == "every line ticks"


async def test_after_1101_every_line_is_asked_for_exactly_once(db_url: str) -> None:
    async with ticking(db_url) as (gateway, parts):
        await gateway.fault("1100", 0.3, then=1101)
        await eventually(lambda: parts.stream.link is LinkState.suspect)
        await eventually(lambda: parts.stream.link is LinkState.up)
        await asyncio.sleep(1.5)
        assert asked(gateway) == 2 * len(SYMBOLS)
        assert causes(parts) == TICKING


@pytest.mark.parametrize(
    ("fault", "values", "cause"),
    [("farm", {"for_s": 0.5, "dead": "yes"}, "farm"), ("1102", {"dead": "yes"}, "link")],
    ids=["2103 and 2104", "1102"],
)
async def test_lines_that_came_back_dead_are_found_and_asked_for_again_on_the_same_socket(
    db_url: str, fault: str, values: dict[str, Any], cause: str
) -> None:
    async with ticking(db_url) as (gateway, parts):
        began = monotonic()
        await gateway.fault(fault, values.pop("for_s", None), **values)
        await eventually(lambda: asked(gateway) == 2 * len(SYMBOLS))
        await eventually(lambda: causes(parts) == TICKING and not gateway.faults.active)
        assert monotonic() - began < 5.0
        await eventually(lambda: parts.stream.link is LinkState.up)
        assert asked(gateway, START_API) == 3, "the sockets of all three sessions stayed"
        await eventually(lambda: cures(db_url) == {(cause, "re_request", "cured"): len(SYMBOLS)})


async def test_one_dead_line_is_found_by_its_own_silence_and_the_others_are_left_alone(
    db_url: str,
) -> None:
    async with ticking(db_url) as (gateway, parts):
        await rhythm_known(parts)
        (apple,) = [line for line in gateway.subscriptions if line.contract.symbol == "AAPL"]
        gateway.subscriptions.kill([apple])
        await eventually(lambda: asked(gateway) == len(SYMBOLS) + 1, within_s=20)
        await eventually(lambda: causes(parts) == TICKING)
        await eventually(lambda: cures(db_url) == {("dead_line", "re_request", "cured"): 1})
        assert asked(gateway, CANCEL_MKT_DATA) == 1


async def test_what_asking_again_does_not_help_ends_in_one_reconnect_and_a_call_for_a_backup(
    db_url: str,
) -> None:
    async with ticking(db_url) as (gateway, parts):
        await rhythm_known(parts)
        await gateway.fault("silent", 60)
        done = {("farm", "re_request", "failed"), ("dead_line", "re_request", "failed")}
        await eventually(lambda: done & cures(db_url).keys(), within_s=20)
        await eventually(lambda: asked(gateway, START_API) == 4, within_s=20)
        await eventually(
            lambda: any(cure == "fail_over" for _, cure, _ in cures(db_url)), within_s=20
        )
        await gateway.fault("clear")
        await eventually(lambda: causes(parts) == TICKING)
        assert asked(gateway, START_API) == 4, "one reconnect in five minutes"
    told = rows(db_url, "SELECT DISTINCT reason FROM ibkeeper.line_cure WHERE cure = 'fail_over'")
    assert told == [("there is no backup provider",)]


async def test_a_competing_session_is_one_incident_and_no_fight(db_url: str) -> None:
    async with ticking(db_url) as (gateway, parts):
        before = asked(gateway)
        await gateway.fault("10197", 6.0, bunch=12, every=0.2)
        await eventually(lambda: causes(parts) == {LineCause.competing_session})
        await eventually(lambda: incidents(db_url) == [("competing_session", True)])
        await eventually(lambda: not gateway.faults.active)
        assert asked(gateway) - before <= 1, "one line may ask, once a minute"
        await eventually(lambda: causes(parts) == TICKING)
        await eventually(lambda: incidents(db_url) == [("competing_session", False)])
        assert parts.stream.state is SessionState.ready
        assert asked(gateway, START_API) == 3


async def test_how_each_line_is_can_be_read_in_sql(db_url: str) -> None:
    async with ticking(db_url):
        query = "SELECT cause, last_event_at, rate_per_min FROM ibkeeper.line_state"
        await eventually(lambda: len(rows(db_url, query)) == len(SYMBOLS))
        await eventually(lambda: {row[0] for row in rows(db_url, query)} == {"ticking"})
        await eventually(lambda: all(row[1] and (row[2] or 0) > 10 for row in rows(db_url, query)))
