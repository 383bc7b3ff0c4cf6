"""The watch list against a simulated gateway and a real database, all parts but the process."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from psycopg.rows import dict_row

from ibcore.clock import monotonic, unix_ns
from ibcore.config import Settings
from ibcore.sim.server import Gateway, SimConfig
from sidecar.app import Parts, assemble
from tests.integration.gateways import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.paired]

REQ_MKT_DATA, CANCEL_MKT_DATA, MARKET_DATA_TYPE = 1, 2, 59
ADD = "INSERT INTO ibkeeper.watch (symbol, sec_type, priority) VALUES (%s, %s, %s) RETURNING id"
ADD_OPTION = (
    'INSERT INTO ibkeeper.watch (symbol, sec_type, expiry, strike, "right")'
    " VALUES (%s, 'OPT', %s, %s, %s)"
)


class List:
    """The watch list as a person edits and reads it."""

    def __init__(self, url: str) -> None:
        self._conn = psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        self._conn.close()

    def add(self, symbol: str, *, sec_type: str = "STK", priority: int = 100) -> int:
        row = self._conn.execute(ADD, (symbol, sec_type, priority)).fetchone()
        return int(row["id"])

    def do(self, statement: str, *values: object) -> None:
        self._conn.execute(statement, values)

    def value(self, query: str, *values: object) -> Any:
        row = self._conn.execute(query, values).fetchone()
        return None if row is None else next(iter(row.values()))

    def line(self, watch_id: int) -> tuple[str, str | None]:
        query = "SELECT state, reason FROM ibkeeper.watch WHERE id = %s"
        row = self._conn.execute(query, (watch_id,)).fetchone()
        return row["state"], row["reason"]

    def states(self) -> dict[str, int]:
        query = "SELECT state, count(*) AS n FROM ibkeeper.watch GROUP BY state"
        return {row["state"]: row["n"] for row in self._conn.execute(query)}


@pytest.fixture
def listed(db_url):
    made = List(db_url)
    yield made
    made.close()


@asynccontextmanager
async def sidecar(url: str, port: int, **gateway: Any) -> AsyncIterator[Parts]:
    with tempfile.TemporaryDirectory(prefix="ibk-home-") as home:
        settings = Settings(
            home=Path(home),
            database_url=url,
            gateway={"host": "127.0.0.1", "port": port, **gateway},
            sidecar={"poll_s": 30.0},
        )
        parts = assemble(settings, url, 1)
        async with anyio.create_task_group() as group:
            for name, task in {**parts.keepers(), **parts.workers()}.items():
                group.start_soon(task, name=name)
            yield parts
            await parts.recorder.drain(5.0)
            group.cancel_scope.cancel()


def is_state(listed: List, watch_id: int, state: str) -> Callable[[], bool]:
    return lambda: listed.line(watch_id)[0] == state


async def test_a_watched_stock_becomes_active_and_its_quotes_are_in_sql(db_url, listed):
    watch_id = listed.add("AAPL")
    async with Gateway(SimConfig()) as gateway, sidecar(db_url, gateway.port):
        await eventually(is_state(listed, watch_id, "active"))
        await eventually(lambda: listed.value("SELECT count(*) FROM ibkeeper.quote"))
    assert listed.value("SELECT symbol FROM ibkeeper.instrument") == "AAPL"
    same = "SELECT count(*) FROM ibkeeper.quote q JOIN ibkeeper.watch USING (instrument_id)"
    assert listed.value(same) == listed.value("SELECT count(*) FROM ibkeeper.quote")


async def test_what_ib_does_not_know_or_cannot_tell_apart_fails_in_words(db_url, listed):
    unknown, vague = listed.add("NOPE"), listed.add("SPY", sec_type="OPT")
    async with Gateway(SimConfig()) as gateway, sidecar(db_url, gateway.port):
        await eventually(is_state(listed, unknown, "failed"))
        await eventually(is_state(listed, vague, "failed"))
    assert listed.line(unknown)[1] == "IB knows no such contract"
    assert "contracts match, e.g. SPY" in listed.line(vague)[1]


async def test_a_row_added_later_is_noticed_long_before_the_poll(db_url, listed):
    async with Gateway(SimConfig()) as gateway, sidecar(db_url, gateway.port) as parts:
        await parts.stream.ready()
        began = monotonic()
        watch_id = listed.add("MSFT")
        await eventually(is_state(listed, watch_id, "active"))
        assert monotonic() - began < 3.0


async def test_a_removed_row_gives_its_line_back(db_url, listed):
    keep, drop = listed.add("AAPL"), listed.add("MSFT")
    async with Gateway(SimConfig()) as gateway, sidecar(db_url, gateway.port) as parts:
        await eventually(is_state(listed, drop, "active"))
        listed.do("DELETE FROM ibkeeper.watch WHERE id = %s", drop)
        await eventually(lambda: parts.budget.used == 1)
        await eventually(
            lambda: [r for r in gateway.ledger.requests if r.msg_id == CANCEL_MKT_DATA]
        )
        assert listed.line(keep)[0] == "active"


async def test_rows_beyond_the_allowance_wait_and_move_up_by_priority(db_url, listed):
    first, second = listed.add("AAPL", priority=1), listed.add("MSFT", priority=2)
    async with Gateway(SimConfig()) as gateway, sidecar(db_url, gateway.port, lines=2):
        await eventually(is_state(listed, second, "active"))
        third = listed.add("NVDA", priority=3)
        await eventually(is_state(listed, third, "over_budget"))
        assert listed.line(third)[1] == "all 2 market-data lines are in use"
        listed.do("DELETE FROM ibkeeper.watch WHERE id = %s", first)
        await eventually(is_state(listed, third, "active"))


async def test_ibs_own_allowance_fails_the_line_with_its_words(db_url, listed):
    ids = [listed.add(symbol) for symbol in ("AAPL", "MSFT", "NVDA")]
    async with Gateway(SimConfig(lines=2)) as gateway, sidecar(db_url, gateway.port):
        await eventually(lambda: listed.states() == {"active": 2, "failed": 1})
    (failed,) = [listed.line(one) for one in ids if listed.line(one)[0] == "failed"]
    assert failed[1].startswith("IB 101: ")


async def test_a_failed_row_is_tried_again_when_a_person_asks(db_url, listed):
    watch_id = listed.add("NOPE")
    async with Gateway(SimConfig()) as gateway, sidecar(db_url, gateway.port):
        await eventually(is_state(listed, watch_id, "failed"))
        listed.do("UPDATE ibkeeper.watch SET symbol = 'META' WHERE id = %s", watch_id)
        await eventually(is_state(listed, watch_id, "active"))


def told(listed: List) -> dict[str, str | None]:
    """Return the incidents of refused lines: what they say, and why they are over."""
    query = (
        "SELECT jsonb_object_agg(summary, closed_because) FROM ibkeeper.incident"
        " WHERE kind = 'line_refused'"
    )
    return dict(listed.value(query) or {})


async def test_a_line_that_is_wanted_and_not_streamed_is_told_until_it_streams(db_url, listed):
    unknown, streams = listed.add("NOPE"), listed.add("AAPL")
    what, others = "is on the watch list and not streamed:", "The other lines go on."
    async with Gateway(SimConfig()) as gateway, sidecar(db_url, gateway.port, lines=1):
        await eventually(is_state(listed, unknown, "failed"))
        await eventually(is_state(listed, streams, "active"))
        extra = listed.add("SPY", priority=200)
        await eventually(is_state(listed, extra, "over_budget"))
        assert told(listed) == {
            f"NOPE STK SMART {what} IB knows no such contract. {others}": None,
            f"SPY STK SMART {what} all 1 market-data lines are in use. {others}": None,
        }
        listed.do("DELETE FROM ibkeeper.watch WHERE id = ANY(%s)", [unknown, streams])
        await eventually(is_state(listed, extra, "active"))
    assert set(told(listed).values()) == {
        "it was taken off the watch list",
        "the line streams, or another sidecar has it",
    }


async def test_the_market_data_type_is_asked_for_before_the_first_line(db_url, listed):
    watch_id = listed.add("AAPL")
    async with (
        Gateway(SimConfig()) as gateway,
        sidecar(db_url, gateway.port, market_data_type=3),
    ):
        await eventually(is_state(listed, watch_id, "active"))
        await eventually(lambda: asked_since(gateway, 0))
        stream = [r for r in gateway.ledger.requests if r.client_id == 10]
        about = [r for r in stream if r.msg_id in {MARKET_DATA_TYPE, REQ_MKT_DATA}]
        assert [r.msg_id for r in about] == [MARKET_DATA_TYPE, REQ_MKT_DATA]
        assert about[0].fields[-1] == "3"


async def test_lines_are_pending_while_the_session_is_lost(db_url, listed):
    watch_id = listed.add("AAPL")
    async with Gateway(SimConfig()) as gateway, sidecar(db_url, gateway.port):
        await eventually(is_state(listed, watch_id, "active"))
        gateway.refusing = True
        gateway.drop_all()
        await eventually(is_state(listed, watch_id, "pending"))
        assert "closed the connection" in listed.line(watch_id)[1]
        gateway.refusing = False
        await eventually(is_state(listed, watch_id, "active"))


@pytest.mark.alone
async def test_a_hundred_lines_are_subscribed_again_within_5_seconds(db_url, listed):
    async with Gateway(SimConfig(cadence_scale=20.0)) as gateway:
        for contract in one_hundred(gateway):
            if contract.is_option:
                terms = (contract.symbol, contract.expiry, contract.strike, contract.right)
                listed.do(ADD_OPTION, *terms)
            else:
                listed.add(contract.symbol)
        async with sidecar(db_url, gateway.port) as parts:
            await eventually(lambda: listed.states() == {"active": 100}, within_s=30.0)
            session, dropped_at = parts.stream.ib, unix_ns()
            gateway.drop_all()
            await eventually(lambda: parts.stream.ib not in (None, session))
            await eventually(lambda: len(asked_since(gateway, dropped_at)) == 100)
            times = [r.at_ns for r in asked_since(gateway, dropped_at)]
            # 1 s of backoff, and 100 requests at 45 a second.
            assert (times[-1] - dropped_at) / 1e9 < 5.0
            assert (times[-1] - times[0]) / 1e9 > 2.0, "never faster than 45 a second"
            assert {r.verdict for r in asked_since(gateway, dropped_at)} == {"ok"}
            assert parts.budget.used == 100


def one_hundred(gateway: Gateway) -> list[Any]:
    every = list(gateway.source.universe.by_id.values())
    stocks = [one for one in every if not one.is_option][:10]
    options = [one for one in every if one.is_option]
    return stocks + options[: 100 - len(stocks)]


def asked_since(gateway: Gateway, at_ns: int) -> list[Any]:
    return [r for r in gateway.ledger.requests if r.msg_id == REQ_MKT_DATA and r.at_ns >= at_ns]
