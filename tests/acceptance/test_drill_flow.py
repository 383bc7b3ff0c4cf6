"""The flow `failover-drill` in Prefect: it asks, the sidecar drills, the run shows and judges."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
import pytest

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
