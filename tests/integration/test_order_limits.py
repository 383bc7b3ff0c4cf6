"""What limits count of orders that belong together: brackets, one-cancels-all, combinations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import inf
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from ibcore import db
from ibcore.batch import preview, submit
from ibcore.batch.line import OrderLine
from ibcore.batch.submit import Batch, Order
from ibcore.sim.server import Gateway, SimConfig
from sidecar.job import Job
from sidecar.orders.what_if_request import WhatIfRequests
from tests.integration.gateways import eventually
from tests.integration.trading import ACCOUNT, Trading, know_spy, line, trading

pytestmark = pytest.mark.anyio


@pytest.fixture
async def gateway(db_url: str) -> AsyncIterator[Gateway]:
    async with Gateway(SimConfig(cadence_scale=0.1)) as running:
        await know_spy(running, db_url)
        yield running


@pytest.fixture
async def desk(db_url: str, tmp_path: Path, gateway: Gateway) -> AsyncIterator[Trading]:
    async with trading(db_url, tmp_path, gateway) as running:
        yield running


def limit(desk: Trading, name: str, value: str) -> None:
    desk.ask(
        "INSERT INTO ibkeeper.risk_limit (name, value, set_by) VALUES (%s, %s, 'ann') RETURNING id",
        name,
        value,
    )


def sell(quantity: int, **values: Any) -> OrderLine:
    """Return an order that stays: a sale far above the market."""
    return line(quantity, side="SELL", **({"limit_price": 9000} | values))


def reason(desk: Trading, key: str, number: int = 1) -> str:
    (row,) = desk.ask(
        "SELECT reason FROM ibkeeper.v_order WHERE batch = %s AND line = %s", key, number
    )
    return str(row["reason"])


async def fill(desk: Trading, key: str, number: int) -> None:
    (row,) = desk.ask(
        "SELECT order_id FROM ibkeeper.v_order WHERE batch = %s AND line = %s", key, number
    )
    await desk.gateway.fault("fill", order=row["order_id"])


BRACKET = (
    line(10),
    sell(10, parent=1),
    sell(10, order_type="STP", stop_price="0.5", limit_price=None, parent=1),
)


async def shown(desk: Trading, *lines: OrderLine) -> list[preview.Preview]:
    (spy,) = desk.ask("SELECT id FROM ibkeeper.instrument WHERE symbol = 'SPY'")
    batch = Batch("dry", ACCOUNT, [Order(each, spy["id"]) for each in lines], "a test")
    async with db.opened(desk.url, application="test") as conn:
        return await preview.preview(conn, batch, live_enabled=False)


async def test_of_orders_that_cancel_each_other_only_the_larger_counts(desk: Trading) -> None:
    limit(desk, "max_position", "10")
    pair = (sell(6, oca_group="exit"), sell(8, oca_group="exit"))
    assert [each.refusals for each in await shown(desk, *pair)] == [(), ()]
    await desk.submit("pair", *pair)
    await desk.until("pair", "acked", "acked")
    await desk.submit("more", sell(2), sell(1))
    await desk.until("more", "acked", "refused")
    assert reason(desk, "more", 2).startswith("max_position: -11 after the fill; allowed: 10.")


async def test_a_bracket_counts_once_before_its_parent_is_filled_and_after(desk: Trading) -> None:
    limit(desk, "max_position", "10")
    assert [each.refusals for each in await shown(desk, *BRACKET)] == [(), (), ()]
    await desk.submit("bracket", *BRACKET)
    await desk.until("bracket", "acked", "acked", "acked")
    # The exits give back what the parent opens: nothing of the sales is taken yet.
    await desk.submit("sale", sell(10), sell(1))
    await desk.until("sale", "acked", "refused")
    assert reason(desk, "sale", 2).startswith("max_position: -11 after the fill")
    await desk.submit("buy", line(1))
    await desk.until("buy", "refused")
    assert reason(desk, "buy").startswith("max_position: 11 after the fill")
    await fill(desk, "bracket", 1)
    await desk.until("bracket", "filled", "acked", "acked")
    # 10 are held; of the two exits one will be executed, and the sale beside it: that is -10.
    await desk.submit("late", sell(1, limit_price=8000))
    await desk.until("late", "refused")
    assert reason(desk, "late").startswith("max_position: -11 after the fill")


async def test_an_exit_larger_than_its_entry_counts_for_what_is_beyond_it(desk: Trading) -> None:
    limit(desk, "max_position", "10")
    large = (BRACKET[0], sell(21, parent=1))
    found = await shown(desk, *large)
    assert found[1].refusals[0].startswith("max_position: -11 after the fill")
    await desk.submit("large", *large)
    await desk.until("large", "refused", "refused")
    assert desk.placed() == []
    await desk.submit("fits", BRACKET[0], sell(20, parent=1))
    await desk.until("fits", "acked", "acked")


async def test_two_exits_that_do_not_cancel_each_other_are_covered_once(desk: Trading) -> None:
    limit(desk, "max_position", "9")
    both = (line(9), sell(9, parent=1, oca_group="a"), sell(10, parent=1, oca_group="b"))
    assert (await shown(desk, *both))[2].refusals[0].startswith("max_position: -10 after")
    await desk.submit("both", *both)
    await desk.until("both", "refused", "refused", "refused")
    assert reason(desk, "both", 3).startswith("max_position: -10 after the fill")


async def change(desk: Trading, key: str, number: int, quantity: int, ends: str) -> None:
    """Change the quantity of an order and wait for how that ends."""
    before = desk.states(key, "modify")
    async with db.opened(desk.url, application="test") as conn:
        assert await submit.modify(conn, key, number, quantity=quantity) == 1
    await eventually(lambda: desk.states(key, "modify") == [*before, ends])


async def test_a_change_counts_instead_of_the_order_that_it_changes(desk: Trading) -> None:
    limit(desk, "max_position", "10")
    await desk.submit("pair", sell(6, oca_group="exit"), sell(8, oca_group="exit"))
    await desk.until("pair", "acked", "acked")
    await change(desk, "pair", 1, 11, "refused")
    assert reason(desk, "pair", 3).startswith("max_position: -11 after the fill")
    await change(desk, "pair", 2, 10, "done")
    await desk.submit("buy", line(6))
    await desk.until("buy", "acked")
    await change(desk, "buy", 1, 11, "refused")
    await change(desk, "buy", 1, 10, "done")


async def test_an_order_counts_as_it_was_changed(desk: Trading) -> None:
    limit(desk, "max_position", "10")
    await desk.submit("one", sell(6))
    await desk.until("one", "acked")
    await change(desk, "one", 1, 10, "done")
    await desk.submit("more", sell(1, limit_price=8000))
    await desk.until("more", "refused")
    assert reason(desk, "more").startswith("max_position: -11 after the fill")
    await change(desk, "one", 1, 3, "done")
    await desk.submit("now", sell(7), sell(1, limit_price=8000))
    await desk.until("now", "acked", "refused")


async def margins(desk: Trading, *lines: OrderLine) -> list[str]:
    """Ask the request `what_if` as the flow does; return the outcomes by line."""
    (spy,) = desk.ask("SELECT id FROM ibkeeper.instrument WHERE symbol = 'SPY'")
    batch = Batch("dry", ACCOUNT, [Order(each, spy["id"]) for each in lines], "a test")
    async with db.opened(desk.url, application="test") as conn:
        payload = preview.what_if_payload(await preview.rows_of(conn, batch))
        done = await WhatIfRequests(desk.url, desk.desk.engine)(
            Job(uuid4(), "what_if", payload, inf)
        )
        answers = (await done.store(conn))["margins"]
        found = await preview.preview(conn, batch, live_enabled=False, margins=answers)
    return [each.as_row()["what-if"] for each in found]


async def test_a_child_that_closes_its_parent_is_not_asked_about_and_the_table_says_so(
    desk: Trading,
) -> None:
    closing = "not asked: closes the parent's position"
    assert await margins(desk, *BRACKET) == ["passed", closing, closing]
    assert await margins(desk, BRACKET[0], sell(11, parent=1)) == ["passed", "passed"]
    assert await margins(desk, BRACKET[0], line(10, parent=1)) == ["passed", "passed"]
    asked = [e.what for e in desk.gateway.ledger.orders.events]
    assert asked == ["what_if"] * 5


async def test_the_answer_to_the_what_if_of_every_order_stays_with_it(desk: Trading) -> None:
    limit(desk, "margin_check", "on")
    await desk.submit("bracket", *BRACKET)
    await desk.until("bracket", "acked", "acked", "acked")
    await desk.submit("more", BRACKET[0], sell(15, parent=1), line(9_000_000, limit_price=500))
    await desk.until("more", "acked", "acked", "refused")
    rows = desk.ask(
        "SELECT b.key, i.line, e.raw ->> 'outcome' AS outcome, e.detail FROM ibkeeper.order_event e"
        " JOIN ibkeeper.order_intent i ON i.id = e.intent_id"
        " JOIN ibkeeper.order_batch b ON b.id = i.batch_id WHERE e.kind = 'what_if' ORDER BY e.id"
    )
    assert [(row["key"], row["line"], row["outcome"]) for row in rows] == [
        ("bracket", 1, "passed"),
        ("bracket", 2, "closes_parent"),
        ("bracket", 3, "closes_parent"),
        ("more", 1, "passed"),
        ("more", 2, "passed"),
        ("more", 3, "refused"),
    ]
    assert rows[1]["detail"] == "closes_parent: not asked: closes the parent's position"
    assert rows[5]["detail"].startswith("refused: ")


INSERT = """
INSERT INTO ibkeeper.order_intent (batch_id, line, account, legs, symbol, sec_type, side, quantity,
       order_type, limit_price, tif, not_after)
SELECT id, 99, 'DU1234567', %s, 'SPY', 'BAG', %s, %s, 'LMT', -5000, 'DAY', now() + interval '1 min'
  FROM ibkeeper.order_batch WHERE key = %s RETURNING id"""
LEGS = [
    {"con_id": 756733, "ratio": 1, "action": "BUY"},
    {"con_id": 265598, "ratio": 3, "action": "SELL"},
]


def spread(desk: Trading, key: str, quantity: int, side: str = "BUY") -> None:
    desk.ask(
        "INSERT INTO ibkeeper.order_batch (key, body_hash, submitted_by) VALUES (%s, '', 'a test')"
        " RETURNING id",
        key,
    )
    desk.ask(INSERT, Jsonb(LEGS), side, quantity, key)


async def test_legs_of_a_combination_count_with_everything_else_in_their_contracts(
    desk: Trading,
) -> None:
    limit(desk, "max_position", "30")
    spread(desk, "large", 11)
    await desk.until("large", "refused")
    assert "max_position: -33 of an unknown contract (con id 265598) after" in reason(
        desk, "large", 99
    )
    spread(desk, "fits", 10)
    await desk.until("fits", "acked")
    spread(desk, "second", 1)  # thirty of its second leg are on their way
    await desk.until("second", "refused")
    assert "-33 of an unknown contract" in reason(desk, "second", 99)
    await desk.submit("plain", line(20), line(1, limit_price=2))
    await desk.until("plain", "acked", "refused")
    assert reason(desk, "plain", 2).startswith("max_position: 31 after the fill")
    spread(desk, "other side", 10, "SELL")
    await desk.until("other side", "filled")


async def test_executions_of_legs_are_positions_of_their_contracts(desk: Trading) -> None:
    limit(desk, "max_position", "30")
    spread(desk, "one", 10)
    await desk.until("one", "acked")
    await fill(desk, "one", 99)
    await desk.until("one", "filled")
    legs = "SELECT count(*)::int AS n FROM ibkeeper.execution WHERE sec_type <> 'BAG'"
    await eventually(lambda: desk.ask(legs)[0]["n"] == 2)
    spread(desk, "more", 1)
    await desk.until("more", "refused")
    assert "-33 of an unknown contract" in reason(desk, "more", 99)
    await desk.submit("plain", line(20), line(1, limit_price=2))
    await desk.until("plain", "acked", "refused")


async def test_a_leg_that_nobody_knows_is_no_allowed_one(desk: Trading) -> None:
    limit(desk, "denied_instruments", "QQQ")
    spread(desk, "one", 1)
    await desk.until("one", "refused")
    assert "a leg (con id 265598): nobody knows what it is" in reason(desk, "one", 99)
    assert desk.placed() == []
