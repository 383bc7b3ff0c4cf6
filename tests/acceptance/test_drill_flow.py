"""The flow `failover-drill` in Prefect: it asks, the sidecar drills, the run shows and judges."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
import pytest

from ibcore.clock import monotonic
from ibcore.domain import ContractSpec
from tests.acceptance.prefect_runs import MARKS, artifact
from tests.acceptance.system import System, running_system

pytestmark = [*MARKS, pytest.mark.usefixtures("leave_nothing_to_collect")]
QUOTES = "SELECT count(*) FROM ibkeeper.quote"


@pytest.fixture(scope="module")
def system(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run a gateway and a sidecar with one line."""
    with running_system(postgres_url, tmp_path_factory.mktemp("drilled")) as running:
        running.name = "drilled"
        running.start_gateway()
        running.wait_for(running.gateway_listens, within_s=30, what="the gateway listens")
        running.start_sidecar()
        running.watch(ContractSpec("AAPL"))
        running.ask(
            "UPDATE ibkeeper.watch SET sidecar = 'drilled' WHERE sidecar = 'main' RETURNING id"
        )
        running.wait_for(lambda: running.value(QUOTES) > 3, within_s=30, what="a quote")
        yield running


def run_flow(**parameters: Any) -> Any:
    """Run the flow as its worker would; return its final state."""
    from flows.failover_drill import FailoverDrillParameters, failover_drill

    given = {"sidecar": "drilled", "market_open_allowed": True} | parameters
    asked = FailoverDrillParameters(**given)
    return anyio.run(partial(failover_drill, asked, return_state=True))


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_drill_shows_its_moments_its_figures_and_its_verdict(system: System) -> None:
    state = run_flow(scenario="drop")
    assert state.is_completed(), state.message
    assert "passed, noticed after 0." in state.message
    shown = artifact("failover-drill")["data"]
    assert "| first tick |" in shown
    assert "| noticed | 0." in shown
    assert "](data:image/png;base64," in shown
    moments = "SELECT count(*) FROM ibkeeper.drill_step JOIN ibkeeper.drill d ON d.id = drill_id"
    assert system.value(moments) == 4


@pytest.mark.usefixtures("prefect_server", "settings", "system")
def test_a_drill_that_misses_an_objective_or_is_refused_fails_with_the_reason() -> None:
    late = run_flow(scenario="drop", recover_within_s=0.01)
    assert late.is_failed()
    assert (
        "The drill failed. It was not back at all." in late.message or "back after" in late.message
    )
    refused = run_flow(scenario="alert")
    assert refused.is_failed()
    assert "No alert target is set" in refused.message


STATE = """
SELECT new_state FROM ibkeeper.session_event WHERE role = 'stream' ORDER BY id DESC LIMIT 1"""


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_run_killed_half_way_leaves_a_connection_that_is_back_by_its_deadline(
    system: System,
) -> None:
    from prefect.settings import PREFECT_API_URL

    hold_s = 4.0
    asked = {"scenario": "refuse", "hold_s": hold_s, "sidecar": "drilled"}
    body = json.dumps({**asked, "market_open_allowed": True})
    code = (
        "import anyio, json, sys; from functools import partial;"
        "from flows.failover_drill import FailoverDrillParameters, failover_drill;"
        "anyio.run(partial(failover_drill, FailoverDrillParameters(**json.loads(sys.argv[1]))))"
    )
    environ = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    worker = subprocess.Popen([sys.executable, "-c", code, body], env=environ)
    system.wait_for(lambda: system.value(STATE) != "ready", within_s=60, what="the drill has begun")
    began = monotonic()
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    # Attempts come 1, 3 and 7 s after the loss; the first after the hold is let in.
    system.wait_for(
        lambda: system.value(STATE) == "ready", within_s=hold_s + 6, what="the session is back"
    )
    assert monotonic() - began > hold_s - 1
