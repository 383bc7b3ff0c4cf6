"""Orders from rows to a simulated gateway and back: its ledger is the judge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ib_async import LimitOrder, Stock
from psycopg.types.json import Jsonb

from ibcore import db
from ibcore.batch import submit
from ibcore.batch.csv_file import BatchRefused
from ibcore.batch.submit import BatchConflict
from ibcore.sim.server import Gateway, SimConfig
from tests.integration.gateways import eventually
from tests.integration.sim_client import ib_client
from tests.integration.trading import Trading, fresh_quote, know_spy, line, trading

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


async def test_an_order_is_filled_and_everything_about_it_is_in_sql(desk: Trading) -> None:
    fresh_quote(desk.url, 600, 700)
    await desk.submit("one", line(100, order_type="MKT"))
    await desk.until("one", "filled")
    (fill,) = desk.gateway.ledger.orders.fills
    await eventually(
        lambda: desk.ask("SELECT commission FROM ibkeeper.v_order")[0]["commission"] is not None
    )
    (row,) = desk.ask("SELECT * FROM ibkeeper.v_order")
    assert (row["filled"], float(row["average_price"])) == (100, fill.price)
    assert float(row["commission"]) == fill.commission
    assert row["slippage"] == pytest.approx(fill.price - 650)
    await eventually(lambda: desk.ask("SELECT quantity FROM ibkeeper.position"))
    kinds = [r["kind"] for r in desk.ask("SELECT kind FROM ibkeeper.order_event ORDER BY id")]
    assert {"sent", "open", "status", "execution", "commission"} <= set(kinds)
    assert desk.ask("SELECT account FROM ibkeeper.account_state") == [{"account": "DU1234567"}]


async def test_the_same_batch_again_changes_nothing_and_another_body_is_refused(
    desk: Trading,
) -> None:
    first = await desk.submit("one", line(1), line(2))
    again = await desk.submit("one", line(1), line(2))
    assert (first.new, first.known, again.new, again.known) == (2, 0, 0, 2)
    await desk.until("one", "acked", "acked")
    with pytest.raises(BatchConflict, match="with other lines"):
        await desk.submit("one", line(1), line(3))
    assert len(desk.placed()) == 2


async def test_a_cancel_is_an_intent_of_its_own(desk: Trading) -> None:
    await desk.submit("one", line(1), line(2))
    await desk.until("one", "acked", "acked")
    assert await desk.cancel("one") == (0, 2)
    await desk.until("one", "cancelled", "cancelled")
    await eventually(lambda: desk.states("one", "cancel") == ["done", "done"])
    assert await desk.cancel("one") == (0, 0)
    with pytest.raises(BatchRefused, match="There is no batch two"):
        await desk.cancel("two")


async def test_a_rejected_order_says_why_and_opens_an_incident(desk: Trading) -> None:
    await desk.submit("one", line(10_000_000, limit_price=500))
    await desk.until("one", "rejected")
    (row,) = desk.ask("SELECT reason FROM ibkeeper.v_order")
    assert row["reason"].startswith("IB 201: ")
    (incident,) = desk.ask("SELECT kind, severity FROM ibkeeper.incident")
    assert incident == {"kind": "order_rejected", "severity": "warning"}


async def test_risk_refuses_before_anything_is_sent(desk: Trading) -> None:
    desk.ask(
        "INSERT INTO ibkeeper.risk_limit (name, value, set_by) VALUES ('max_quantity', '5', 'ann')"
        " RETURNING id"
    )
    await desk.submit("one", line(5), line(6), line(5, order_type="MKT"))
    await desk.until("one", "acked", "refused", "refused")
    rows = desk.ask("SELECT reason FROM ibkeeper.v_order ORDER BY line")
    assert rows[1]["reason"].startswith("max_quantity: 6; allowed: 5. Change the order, or")
    assert rows[2]["reason"].startswith("max_quote_age_s: no quote of SPY")
    assert len(desk.placed()) == 1


async def test_a_live_account_is_refused(desk: Trading) -> None:
    await desk.submit("one", line(5), account="U1234567")
    desk.desk.engine.gate.accounts = ("DU1234567", "U1234567")
    await desk.until("one", "refused")
    (row,) = desk.ask("SELECT reason FROM ibkeeper.v_order")
    for name in ("live_trading", "max_notional: not set", "arming: armed never"):
        assert name in row["reason"]
    assert desk.placed() == []


async def test_a_modify_is_an_intent_of_its_own(desk: Trading) -> None:
    await desk.submit("one", line(10))
    await desk.until("one", "acked")
    async with db.opened(desk.url, application="test") as conn:
        assert await submit.modify(conn, "one", 1, limit_price=2, quantity=7) == 1
    await eventually(lambda: desk.states("one", "modify") == ["done"])
    (event,) = [e for e in desk.gateway.ledger.orders.events if e.what == "modified"]
    assert event.remaining == 7


async def test_with_the_margin_check_on_ib_is_asked_before_the_order_goes(desk: Trading) -> None:
    desk.ask(
        "INSERT INTO ibkeeper.risk_limit (name, value, set_by) VALUES ('margin_check', 'on', 'ann')"
        " RETURNING id"
    )
    await desk.submit("one", line(5), line(9_000_000, limit_price=500))
    await desk.until("one", "acked", "refused")
    (row,) = desk.ask("SELECT reason FROM ibkeeper.v_order WHERE state = 'refused'")
    assert row["reason"].startswith("margin_check: ")
    whats = [e.what for e in desk.gateway.ledger.orders.events if e.what in {"what_if", "placed"}]
    assert whats == ["what_if", "placed", "what_if"]


async def test_orders_of_others_are_recorded_and_told(desk: Trading, gateway: Gateway) -> None:
    async with ib_client(gateway, 33) as ib:
        (spy,) = await ib.qualifyContractsAsync(Stock("SPY", "SMART", "USD"))
        ib.placeOrder(spy, LimitOrder("BUY", 3, 1.0, tif="DAY"))
        await eventually(lambda: (33, 1) in {(c, 1) for c, _ in desk.placed()})
        desk.desk.engine.reconciler.doubt("a test")
        await eventually(lambda: desk.ask("SELECT kind FROM ibkeeper.incident"))
    assert desk.ask("SELECT kind FROM ibkeeper.incident") == [{"kind": "order_external"}]
    assert desk.ask("SELECT intent_id FROM ibkeeper.order_event WHERE kind = 'external'") == [
        {"intent_id": None}
    ]


async def test_an_order_of_an_earlier_start_can_be_changed(
    db_url: str, tmp_path: Path, gateway: Gateway
) -> None:
    async with trading(db_url, tmp_path, gateway) as before:
        await before.submit("one", line(10))
        await before.until("one", "acked")
    async with trading(db_url, tmp_path, gateway) as after:
        async with db.opened(after.url, application="test") as conn:
            assert await submit.modify(conn, "one", 1, limit_price=2) == 1
        await eventually(lambda: after.states("one", "modify") == ["done"])


async def test_what_cannot_be_understood_is_set_aside_and_the_rest_goes(desk: Trading) -> None:
    await desk.submit("one", line(1))
    await desk.until("one", "acked")
    made = await desk.submit("two", line(2), line(3), ttl_s=60)
    assert made.new == 2
    await desk.until("two", "acked", "acked")
    desk.desk.engine.gate.accounts = ()  # nobody takes it yet
    await desk.submit("three", line(4, order_type="TRAIL", trail_percent=1), line(5))
    fresh_quote(desk.url, 600, 700)
    desk.ask(
        "UPDATE ibkeeper.order_intent SET algo = 'Adaptive', algo_params = '[1]'"
        " WHERE order_type = 'TRAIL' RETURNING id"
    )
    desk.desk.engine.gate.accounts = ("DU1234567",)
    await desk.until("three", "not_sent", "acked")


INSERT = """
INSERT INTO ibkeeper.order_intent (batch_id, line, parent_id, account, instrument_id, legs, symbol,
       sec_type, side, quantity, order_type, limit_price, stop_price, tif, oca_group, algo,
       algo_params, not_after)
SELECT %s, %s, %s, 'DU1234567', CASE WHEN %s::jsonb IS NULL THEN i.id END, %s, 'SPY', %s, %s, 10,
       %s, %s, %s, 'DAY', %s, %s, %s, now() + interval '1 minute'
  FROM ibkeeper.instrument i WHERE i.symbol = 'SPY' RETURNING id"""


def a_row(desk: Trading, batch: object, number: int, **values: Any) -> Any:
    """Insert an intent with what only rows can say."""
    row = {"parent": None, "legs": None, "sec_type": "STK", "side": "BUY", "type": "LMT"}
    row |= {"limit": 1, "stop": None, "oca": None, "algo": None, "params": None, **values}
    legs = None if row["legs"] is None else Jsonb(row["legs"])
    params = None if row["params"] is None else Jsonb(row["params"])
    (made,) = desk.ask(
        INSERT, batch, number, row["parent"], legs, legs, row["sec_type"], row["side"],
        row["type"], row["limit"], row["stop"], row["oca"], row["algo"], params,
    )  # fmt: skip
    return made["id"]


def a_batch(desk: Trading) -> Any:
    (made,) = desk.ask(
        "INSERT INTO ibkeeper.order_batch (key, body_hash, submitted_by)"
        " VALUES ('rows', '', 'a test') RETURNING id"
    )
    return made["id"]


async def test_a_bracket_goes_together_and_its_children_wait_for_the_parent(desk: Trading) -> None:
    accounts, desk.desk.engine.gate.accounts = desk.desk.engine.gate.accounts, ()
    batch = a_batch(desk)
    parent = a_row(desk, batch, 1, limit=3)
    a_row(desk, batch, 2, parent=parent, side="SELL", limit=5000)
    a_row(desk, batch, 3, parent=parent, side="SELL", type="STP", limit=None, stop=1)
    desk.desk.engine.gate.accounts = accounts
    await desk.until("rows", "acked", "acked", "acked")
    assert len(desk.placed()) == 3
    await desk.gateway.fault("fill", order=desk.placed()[0][1])
    await desk.until("rows", "filled", "acked", "acked")
    await desk.gateway.fault("fill", order=desk.placed()[1][1])
    await desk.until("rows", "filled", "filled", "cancelled")  # one takes the other with it


async def test_a_bracket_is_refused_as_a_whole(desk: Trading) -> None:
    desk.ask(
        "INSERT INTO ibkeeper.risk_limit (name, value, set_by) VALUES ('denied_instruments',"
        " 'SPY', 'ann') RETURNING id"
    )
    accounts, desk.desk.engine.gate.accounts = desk.desk.engine.gate.accounts, ()
    batch = a_batch(desk)
    a_row(desk, batch, 2, parent=a_row(desk, batch, 1), side="SELL", limit=5000)
    desk.desk.engine.gate.accounts = accounts
    await desk.until("rows", "refused", "refused")
    assert desk.placed() == []


async def test_algorithms_groups_and_combinations_are_passed_through(desk: Trading) -> None:
    batch = a_batch(desk)
    a_row(desk, batch, 1, algo="Adaptive", params={"adaptivePriority": "Normal"})
    a_row(desk, batch, 2, limit=2, oca="either")
    a_row(desk, batch, 3, limit=3, oca="either")
    legs = [
        {"con_id": 756733, "ratio": 1, "action": "BUY"},
        {"con_id": 265598, "ratio": 1, "action": "SELL"},
    ]
    a_row(desk, batch, 4, legs=legs, sec_type="BAG", limit=-5000)
    await desk.until("rows", "acked", "acked", "acked", "acked")
    await desk.gateway.fault("fill", order=desk.placed()[1][1])
    await desk.until("rows", "acked", "filled", "cancelled", "acked")
