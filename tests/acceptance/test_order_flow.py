"""The flow `order-batch` in Prefect: real server, real sidecar, the gateway's ledger as judge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from ibcore.domain import ContractSpec
from tests.acceptance.gateway_orders import placed, two_calls
from tests.acceptance.prefect_runs import MARKS, artifact
from tests.acceptance.system import System, running_system

pytestmark = [*MARKS, pytest.mark.usefixtures("leave_nothing_to_collect", "prefect_server")]


@pytest.fixture(scope="module")
def system(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run a gateway and a sidecar that may send orders."""
    with running_system(postgres_url, tmp_path_factory.mktemp("orders")) as running:
        running.start_gateway()
        running.wait_for(running.gateway_listens, within_s=30, what="the gateway listens")
        running.start_sidecar()
        running.watch(ContractSpec("SPY"))
        streams = "SELECT count(*) FROM ibkeeper.quote_latest WHERE bid IS NOT NULL"
        known = "SELECT count(*) FROM ibkeeper.account_state"
        running.wait_for(lambda: running.value(streams) > 0, within_s=30, what="a quote")
        running.wait_for(lambda: running.value(known) == 1, within_s=30, what="the account")
        yield running


@pytest.fixture(autouse=True)
def _settings(settings: None, system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBKEEPER_HOME", str(system.home))


def order(**values: Any) -> dict[str, Any]:
    return {"symbol": "SPY", "side": "BUY", "quantity": 1, "limit_price": 1.0} | values


def run_flow(**parameters: Any) -> Any:
    """Run the flow as its worker would; return its final state."""
    from flows.order_batch import OrderBatchParameters, order_batch

    request = OrderBatchParameters(**({"dry_run": False, "follow_s": 3} | parameters))
    return anyio.run(partial(order_batch, request, return_state=True))


def test_a_dry_run_shows_risk_and_what_if_and_sends_nothing(system: System) -> None:
    before = placed(system)
    state = run_flow(batch_key="dry", orders=[order(), order(quantity=2)], dry_run=True)
    assert state.is_completed(), state.message
    assert "Dry run, nothing was sent: 2 orders for paper account DU1234567" in state.message
    shown = artifact("order-batch-risk")
    rows = json.loads(shown["data"])
    assert [row["what-if"] for row in rows] == ["passed", "passed"]
    assert rows[0]["risk"] == "accepted"
    assert placed(system) == before


def test_a_dry_run_shows_every_leg_and_why_an_exit_is_not_asked_about(system: System) -> None:
    before = placed(system)
    low, high = two_calls()
    spread = {"symbol": "AAPL", "sec_type": "BAG", "legs": f"+1 {low}; -2 {high}"}
    exit_ = order(side="SELL", limit_price=9000, parent=2)
    state = run_flow(batch_key="legs", orders=[order(**spread), order(), exit_], dry_run=True)
    assert state.is_completed(), state.message
    rows = json.loads(artifact("order-batch-risk")["data"])
    legs = rows[0]["legs"].split("; ")
    assert [leg.split(" AAPL ")[0] for leg in legs] == ["BUY 1", "SELL 2"]
    assert [leg.split(", ", 1)[1] for leg in legs] == ["0 held, 1 after", "0 held, -2 after"]
    closing = "not asked: closes the parent's position"
    assert [row["what-if"] for row in rows] == ["passed", "passed", closing]
    assert rows[0]["mid"] is not None
    kept = system.value(
        "SELECT result -> 'margins' -> 2 ->> 'outcome' FROM ibkeeper.request"
        " WHERE kind = 'what_if' ORDER BY requested_at DESC LIMIT 1"
    )
    assert kept == "closes_parent"
    bad = run_flow(
        batch_key="bad leg", orders=[order(**spread | {"legs": f"+1 {low}; -1 AAPL 20151224 C 5"})]
    )
    assert "line 1, column legs, leg 2, AAPL OPT 20151224 5 C SMART: IB knows" in bad.message
    assert placed(system) == before


def states(system: System, key: str) -> list[str]:
    found = system.ask("SELECT state FROM ibkeeper.v_order WHERE batch = %s ORDER BY line", (key,))
    return [state for (state,) in found]


def test_a_batch_is_sent_once_however_often_it_is_run(system: System) -> None:
    before = placed(system)
    lines = [order(order_type="MKT", limit_price=None), order(limit_price=2.0)]
    first = run_flow(batch_key="twice", orders=lines)
    system.wait_for(
        lambda: states(system, "twice") == ["filled", "acked"], within_s=10, what="answers"
    )
    again = run_flow(batch_key="twice", orders=lines)
    assert first.is_completed(), first.message
    assert "nothing is sent twice. 1 acked, 1 filled" in again.message
    assert placed(system) == before + 2
    rows = json.loads(artifact("order-batch-result")["data"])
    assert [row["state"] for row in rows] == ["filled", "acked"]
    assert rows[0]["slippage"] is not None
    other = run_flow(batch_key="twice", orders=[order(quantity=9)])
    assert other.is_failed()
    assert "with other lines" in other.message
    cancelled = run_flow(batch_key="twice", cancel_batch=True)
    assert "1 cancels asked for. 1 cancelled, 1 filled" in cancelled.message


def test_a_bad_csv_names_line_and_column_and_sends_nothing(system: System, tmp_path: Path) -> None:
    before = placed(system)
    file = tmp_path / "orders.csv"
    file.write_text("symbol,side,quantity,limit_price\nSPY,BUY,1,1\nSPY,BUY,-1,1\n")
    state = run_flow(batch_key="bad", csv_path=str(file))
    assert state.is_failed()
    assert "line 3, column quantity: '-1'" in state.message
    assert placed(system) == before


def test_an_unknown_symbol_and_a_refusal_send_nothing_of_the_batch(system: System) -> None:
    before = placed(system)
    unknown = run_flow(batch_key="nope", orders=[order(), order(symbol="NOPE")])
    assert "line 2, NOPE STK SMART: IB knows no such contract" in unknown.message
    system.ask(
        "INSERT INTO ibkeeper.risk_limit (name, value, set_by) VALUES ('max_quantity', '5', 'ann')"
        " RETURNING id"
    )
    refused = run_flow(batch_key="large", orders=[order(), order(quantity=6)])
    system.ask(
        "INSERT INTO ibkeeper.risk_limit (name, value, set_by) VALUES ('max_quantity', NULL, 'ann')"
        " RETURNING id"
    )
    assert refused.is_failed()
    assert "line 2: max_quantity: 6; allowed: 5. Change the order" in refused.message
    assert placed(system) == before


def test_a_worker_killed_half_way_strands_nothing_and_its_next_run_sends_nothing_twice(
    system: System,
) -> None:
    from prefect.settings import PREFECT_API_URL

    before = placed(system)
    lines = [order(limit_price=3.0 + number) for number in range(60)]
    body = {"batch_key": "killed", "orders": lines, "dry_run": False, "follow_s": 60}
    code = (
        "import anyio, json, sys; from functools import partial;"
        "from flows.order_batch import OrderBatchParameters, order_batch;"
        "anyio.run(partial(order_batch, OrderBatchParameters(**json.loads(sys.argv[1]))))"
    )
    api = str(PREFECT_API_URL.value())
    environ = {**os.environ, "PREFECT_API_URL": api}
    worker = subprocess.Popen([sys.executable, "-c", code, json.dumps(body)], env=environ)
    system.wait_for(lambda: placed(system) > before, within_s=60, what="the first order")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    system.wait_for(lambda: placed(system) == before + 60, within_s=20, what="all sixty")
    acked = ["acked"] * 60
    system.wait_for(lambda: states(system, "killed") == acked, within_s=20, what="sixty answers")
    again = run_flow(**(body | {"follow_s": 3}))
    assert again.is_completed(), again.message
    assert "nothing is sent twice. 60 acked" in again.message
    assert placed(system) == before + 60
    run_flow(batch_key="killed", cancel_batch=True)


def test_the_report_of_the_day_agrees(system: System) -> None:
    from flows.order_report import order_report

    state = anyio.run(partial(order_report, return_state=True))
    assert state.is_completed(), state.message
    assert "everything agrees" in artifact("order-report")["description"]


def test_the_ui_is_given_a_help_text_for_every_parameter() -> None:
    from prefect.utilities.callables import parameter_schema

    from flows.order_batch import OrderBatchParameters, order_batch
    from ibcore.batch.line import OrderLine

    schema = parameter_schema(order_batch).model_dump()
    for model in (OrderBatchParameters, OrderLine):
        fields = schema["definitions"][model.__name__]["properties"]
        assert set(fields) == set(model.model_fields)
        assert all(field["title"] and field["description"] for field in fields.values())
    assert schema["definitions"]["OrderBatchParameters"]["required"] == ["batch_key"]
