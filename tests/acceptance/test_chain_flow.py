"""The flow `chain-snapshot` in Prefect: real server, real sidecar, simulated gateway, real rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest

from tests.acceptance.prefect_runs import MARKS, artifact
from tests.acceptance.system import System, running_system

pytestmark = [*MARKS, pytest.mark.usefixtures("leave_nothing_to_collect")]

SIDECAR = "flows"


@pytest.fixture(scope="module")
def system(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run a gateway and a sidecar of our own name."""
    with running_system(postgres_url, tmp_path_factory.mktemp("flows")) as running:
        running.name = SIDECAR
        running.start_gateway()
        running.wait_for(running.gateway_listens, within_s=30, what="the gateway listens")
        running.start_sidecar()
        ready = "SELECT count(*) FROM ibkeeper.sidecar WHERE name = %s AND state = 'running'"
        running.wait_for(
            lambda: running.value(ready, (SIDECAR,)) == 1, within_s=30, what="the sidecar runs"
        )
        yield running


def run_flow(**parameters: Any) -> Any:
    """Run the flow as its worker would; return its final state."""
    from flows.chain_snapshot import ChainSnapshotParameters, chain_snapshot

    request = ChainSnapshotParameters(**({"sidecar": SIDECAR} | parameters))
    return anyio.run(partial(chain_snapshot, request, return_state=True))


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_run_without_parameters_takes_spy_and_shows_the_table(system: System) -> None:
    import orjson

    state = run_flow()
    assert state.is_completed(), state.message
    result = anyio.run(partial(state.aresult))
    table = artifact("chain-snapshot-spy")
    rows = orjson.loads(table["data"])
    assert len(rows) == result["expected"] == 64
    assert rows == sorted(rows, key=lambda row: (row["expiry"], row["strike (USD)"], row["right"]))
    assert {"bid (USD)", "IV (% a year)", "theta (USD a day)"} <= set(rows[0])
    assert f"{result['complete']} of 64 contracts complete" in table["description"]
    assert artifact("chain-snapshot-spy-progress")["data"] == 100.0
    assert artifact("chain-snapshot-spy-smile")["data"].startswith("![SPY at"), (
        "the picture needs nothing from outside"
    )
    stored = system.value(
        "SELECT count(*) FROM ibkeeper.chain_quote WHERE snapshot_id = %s", (result["snapshot_id"],)
    )
    assert stored == 64


@pytest.mark.usefixtures("prefect_server", "settings", "system")
def test_several_underlyings_are_one_run_and_a_bad_one_spoils_no_other(tmp_path: Path) -> None:
    few = {"expiries": 1, "strikes": 2, "min_dte": 7, "export_folder": str(tmp_path)}
    state = run_flow(underlyings=("QQQ", "AMD", "NOPE"), export="csv", **few)
    assert state.is_failed()
    assert "NOPE: IB knows no contract NOPE STK SMART." in state.message
    assert "Stored: AMD, QQQ." in state.message
    assert "data:image/png;base64," in artifact("chain-snapshot-qqq-smile")["data"]
    (amd, qqq) = sorted(tmp_path.iterdir())
    assert (amd.suffix, qqq.name.startswith("chain-snapshot-qqq-")) == (".csv", True)
    with amd.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {"underlying", "own_iv", "forward", "local_symbol", "state"} <= set(rows[0])


@pytest.mark.usefixtures("prefect_server", "settings", "system")
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"underlying": "NOPE"}, "IB knows no contract NOPE STK SMART. Nothing was stored."),
        (
            {"expiries": 8, "strikes": 60, "deadline_s": 5},
            "messages a second, and",
        ),
        ({"sidecar": "nobody"}, "The sidecar nobody has never run on this database."),
    ],
)
def test_a_failed_run_says_why_in_one_line(parameters: dict[str, Any], message: str) -> None:
    state = run_flow(**parameters)
    assert state.is_failed()
    assert message in state.message
    assert "Traceback" not in state.message


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_stopped_sidecar_fails_the_run_and_names_the_remedy(system: System) -> None:
    system.ask(
        "INSERT INTO ibkeeper.sidecar (name, epoch, pid, host, version, state, started_at,"
        " heartbeat_at) VALUES ('gone', 1, 1, 'here', '0', 'running', now(),"
        " now() - '1 hour'::interval) RETURNING name"
    )
    state = run_flow(sidecar="gone")
    assert state.is_failed()
    assert "The sidecar gone is down: no heartbeat for 36" in state.message
    assert "Start it with `ibkeeper up`" in state.message


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_crashed_or_cancelled_run_takes_back_what_it_asked_for(system: System) -> None:
    from prefect.client.schemas import FlowRun
    from prefect.states import Crashed

    from flows.chain_snapshot import chain_snapshot, withdraw

    run = FlowRun(id=uuid4(), flow_id=uuid4())
    (row,) = system.ask(
        "INSERT INTO ibkeeper.request (kind, requested_by, deadline_at, sidecar)"
        " VALUES ('chain_snapshot', %s, now() + '1 minute'::interval, 'gone') RETURNING id",
        (f"flow run {run.id}",),
    )
    anyio.run(partial(withdraw, flow=chain_snapshot, flow_run=run, state=Crashed()))
    state, why = system.ask("SELECT state, error FROM ibkeeper.request WHERE id = %s", row)[0]
    assert (state, why) == ("expired", "Withdrawn: nobody waits for it any more.")


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("scheduled", "late", "skips"),
    [(True, timedelta(hours=2), True), (False, timedelta(hours=2), False)],
)
def test_only_a_scheduled_run_skips_itself_when_it_is_late(
    scheduled: bool, late: timedelta, skips: bool
) -> None:
    from prefect.client.schemas import FlowRun

    from flows.chain_snapshot import ChainSnapshotParameters, why_not

    expected = datetime.now(timezone.utc) - late
    run = FlowRun(flow_id=uuid4(), auto_scheduled=scheduled, expected_start_time=expected)
    reason = why_not(run, ChainSnapshotParameters())
    assert (reason is not None) is skips
    if skips:
        assert "it starts 2:00:00 late, more than the 300 s allowed" in str(reason)


@pytest.mark.usefixtures("prefect_server")
def test_the_ui_is_given_a_help_text_for_every_parameter() -> None:
    from prefect.utilities.callables import parameter_schema

    from flows.chain_snapshot import ChainSnapshotParameters, chain_snapshot

    schema = parameter_schema(chain_snapshot).model_dump()
    model = schema["definitions"]["ChainSnapshotParameters"]["properties"]
    assert set(model) == set(ChainSnapshotParameters.model_fields)
    assert all(field["title"] and field["description"] for field in model.values())
    assert schema.get("required", []) == []
    # Prefect forgets the order of keys; its UI sorts by this.
    by_place = sorted(model, key=lambda name: model[name]["position"])
    assert by_place == list(ChainSnapshotParameters.model_fields)
