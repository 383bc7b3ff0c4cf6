"""Every type of order through the whole path; the gateway's book and ledger are the judge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from ibcore import db
from ibcore.batch import submit
from ibcore.batch.csv_file import BatchRefused
from ibcore.sim.server import Gateway, SimConfig
from ibcore.sim.tickets import Ticket
from tests.integration.gateways import eventually
from tests.integration.trading import ACCOUNT, Trading, fresh_quote, know_spy, line, trading

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


def tickets(desk: Trading, key: str) -> list[Ticket]:
    """Return a batch's orders as the gateway has them, by line."""
    ids = desk.ask(
        "SELECT order_id FROM ibkeeper.v_order WHERE batch = %s AND kind = 'new' ORDER BY line",
        key,
    )
    book = {ticket.order_id: ticket for ticket in desk.gateway.trading.book.live}
    return [book[row["order_id"]] for row in ids]


async def fill(desk: Trading, ticket: Ticket) -> None:
    await desk.gateway.fault("fill", order=ticket.order_id)


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"order_type": "STP", "stop_price": 9000}, {"aux_price": 9000}),
        (
            {"order_type": "STP LMT", "stop_price": 9000, "limit_price": 9001},
            {"aux_price": 9000, "lmt_price": 9001},
        ),
        ({"order_type": "TRAIL", "trail_amount": 500}, {"aux_price": 500}),
        ({"order_type": "TRAIL", "trail_percent": 50}, {"trailing_percent": 50}),
        ({"tif": "GTC", "outside_rth": True}, {"outside_rth": 1, "lmt_price": 1}),
    ],
)
async def test_a_resting_order_of_every_type_is_at_ib_as_it_was_written(
    desk: Trading, values: dict[str, Any], fields: dict[str, float]
) -> None:
    fresh_quote(desk.url, 600, 700)  # a trailing stop leans on it
    await desk.submit("one", line(5, **values))
    await desk.until("one", "acked")
    (ticket,) = tickets(desk, "one")
    assert ticket.order.order_type == values.get("order_type", "LMT")
    assert ticket.order.text("tif") == values.get("tif", "DAY")
    assert {name: ticket.order.number(name) for name in fields} == fields
    await fill(desk, ticket)
    await desk.until("one", "filled")


BRACKET = (
    line(5),
    line(5, side="SELL", limit_price=9000, parent=1),
    line(5, side="SELL", order_type="STP", stop_price="0.5", parent=1),
)


async def test_a_bracket_goes_whole_and_its_target_ends_its_stop(desk: Trading) -> None:
    await desk.submit("one", *BRACKET)
    await desk.until("one", "acked", "acked", "acked")
    parent, target, stop = tickets(desk, "one")
    assert {o.order.integer("parent_id") for o in (target, stop)} == {parent.order_id}
    await fill(desk, parent)
    await desk.until("one", "filled", "acked", "acked")
    await fill(desk, target)
    await desk.until("one", "filled", "filled", "cancelled")


async def test_a_bracket_is_refused_whole_for_one_of_its_orders(desk: Trading) -> None:
    market = line(5, side="SELL", order_type="MKT", parent=1)  # and there is no quote
    await desk.submit("one", BRACKET[0], market)
    await desk.until("one", "refused", "refused")
    parent, child = desk.ask("SELECT reason FROM ibkeeper.v_order ORDER BY line")
    assert parent["reason"] == "another order of its bracket was refused"
    assert child["reason"].startswith("max_quote_age_s: ")
    assert desk.placed() == []


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        ((None, 2), "line 2, column parent: 2 is no line before it"),
        ((None, 7), "line 2, column parent: 7 is no line before it"),
        ((None, 1, 2), "line 3, column parent: 2 is a child itself"),
    ],
)
async def test_a_parent_that_cannot_be_one_is_named_and_nothing_is_sent(
    desk: Trading, parents: tuple[int | None, ...], said: str
) -> None:
    with pytest.raises(BatchRefused, match=said):
        await desk.submit("one", *(line(5, parent=parent) for parent in parents))
    assert desk.ask("SELECT id FROM ibkeeper.order_batch") == []


async def test_one_cancels_all_in_its_batch_and_nothing_in_another_of_the_same_name(
    desk: Trading,
) -> None:
    pair = (line(5, oca_group="exit"), line(6, oca_group="exit"))
    await desk.submit("one", *pair)
    await desk.submit("two", *pair)
    await desk.until("one", "acked", "acked")
    await desk.until("two", "acked", "acked")
    await fill(desk, tickets(desk, "one")[0])
    await desk.until("one", "filled", "cancelled")
    assert desk.states("two") == ["acked", "acked"]
    groups = {ticket.order.text("oca_group") for ticket in tickets(desk, "two")}
    assert len(groups) == 1
    assert groups.pop().startswith("exit.")


async def test_an_algorithm_and_its_parameters_reach_ib_and_a_change_keeps_them(
    desk: Trading,
) -> None:
    await desk.submit("one", line(5, algo="Adaptive", algo_params="adaptivePriority=Patient"))
    await desk.until("one", "acked")
    async with db.opened(desk.url, application="test") as conn:
        assert await submit.modify(conn, "one", 1, limit_price=2) == 1
    await eventually(lambda: desk.states("one", "modify") == ["done"])
    (ticket,) = tickets(desk, "one")
    assert ticket.order.text("algo_strategy") == "Adaptive"
    assert ticket.order.algo_params == (("adaptivePriority", "Patient"),)
    assert ticket.order.number("lmt_price") == 2


async def test_an_order_waits_for_its_time_and_is_valid_from_then_on(desk: Trading) -> None:
    soon = datetime.now(timezone.utc) + timedelta(seconds=2)
    await desk.submit("one", line(5, not_before=soon), line(6), ttl_s=5.0)
    await desk.until("one", "acked", "acked")
    (row,) = desk.ask(
        "SELECT submitting_at >= not_before AS waited, not_after - not_before AS valid"
        " FROM ibkeeper.order_intent WHERE not_before IS NOT NULL"
    )
    assert (row["waited"], row["valid"]) == (True, timedelta(seconds=5))


async def test_a_change_of_an_order_that_ib_has_not_confirmed_is_refused(desk: Trading) -> None:
    await desk.gateway.fault("lost-ack", 60)
    await desk.submit("one", line(5))
    await eventually(lambda: len(desk.placed()) == 1)
    async with db.opened(desk.url, application="test") as conn:
        assert await submit.modify(conn, "one", 1, limit_price=2) == 1
    await eventually(lambda: desk.states("one", "modify") == ["refused"])
    await desk.gateway.fault("clear")
    await desk.until("one", "acked", within_s=20)
    whats = [e.what for e in desk.gateway.ledger.orders.events if e.what in {"placed", "modified"}]
    assert whats == ["placed"]


async def test_a_spread_is_one_order_and_its_legs_are_no_fills_of_it(desk: Trading) -> None:
    calls = [
        contract.con_id
        for contract in desk.gateway.source.universe.by_id.values()
        if (contract.symbol, contract.sec_type, contract.right) == ("SPY", "OPT", "C")
    ]
    await desk.submit("one", line(1))
    await desk.until("one", "acked")
    legs = [
        {"con_id": con_id, "ratio": 1, "action": action}
        for con_id, action in zip(calls[:2], ("BUY", "SELL"), strict=True)
    ]
    spread = submit.intent_values(
        submit.Batch("one", ACCOUNT, [], "a test"), submit.Order(line(2, limit_price=-50), 0), 2
    )
    async with db.opened(desk.url, application="test") as conn:
        (batch,) = desk.ask("SELECT id FROM ibkeeper.order_batch")
        await conn.execute(
            db.QUERIES["batch_intent_insert"],
            spread
            | {"batch_id": batch["id"], "instrument_id": None, "sec_type": "BAG"}
            | {"legs": Jsonb(legs), "algo_params": None},
        )
    await desk.until("one", "acked", "acked")
    (ticket,) = [t for t in desk.gateway.trading.book.live if t.contract.legs]
    assert [leg.contract.con_id for leg in ticket.contract.legs] == calls[:2]
    await fill(desk, ticket)
    await desk.until("one", "acked", "filled")
    (row,) = desk.ask("SELECT filled FROM ibkeeper.v_order WHERE line = 2")
    assert row["filled"] == 2
