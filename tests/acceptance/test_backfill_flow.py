"""The flow `gap-backfill` in Prefect: a sidecar was down, and IB still has what happened then."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
import orjson
import pytest

from ibcore.domain import ContractSpec
from tests.acceptance.prefect_runs import MARKS, artifact
from tests.acceptance.system import System, running_system

pytestmark = [*MARKS, pytest.mark.usefixtures("leave_nothing_to_collect")]
SIDECAR = "holes"


@pytest.fixture(scope="module")
def system(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run a gateway and a sidecar of our own name, with one line."""
    with running_system(postgres_url, tmp_path_factory.mktemp("holes")) as running:
        running.name = SIDECAR
        running.start_gateway()
        running.wait_for(running.gateway_listens, within_s=30, what="the gateway listens")
        running.start_sidecar()
        running.watch(ContractSpec("AAPL"))
        running.ask(
            "UPDATE ibkeeper.watch SET sidecar = %s WHERE sidecar = 'main' RETURNING id", (SIDECAR,)
        )
        until_active(running)
        yield running


def until_active(system: System) -> None:
    """Wait until the line streams, and the database knows of the session it streams on."""
    active = "SELECT count(*) FROM ibkeeper.watch WHERE sidecar = %s AND state = 'active'"
    system.wait_for(
        lambda: system.value(active, (SIDECAR,)) == 1, within_s=30, what="the line is active"
    )
    # Written beside the watch list, by another task: without it a killed sidecar leaves no gap.
    ready = """SELECT count(*) FROM ibkeeper.session WHERE sidecar = %s AND role = 'stream'
                AND ready_at IS NOT NULL AND closed_at IS NULL"""
    system.wait_for(
        lambda: system.value(ready, (SIDECAR,)) == 1, within_s=30, what="the session is known"
    )


def run_flow(**parameters: Any) -> Any:
    """Run the flow as its worker would; return its final state."""
    from flows.gap_backfill import GapBackfillParameters, gap_backfill

    request = GapBackfillParameters(sidecar=SIDECAR, shortest_s=0.0, **parameters)
    return anyio.run(partial(gap_backfill, request, return_state=True))


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_sidecar_that_was_killed_leaves_a_gap_that_a_run_asks_for_once(system: System) -> None:
    system.kill("sidecar")
    system.start_sidecar()
    down = """SELECT count(*) FROM ibkeeper.v_gap
               WHERE sidecar = %s AND cause = 'sidecar_down' AND to_ts IS NOT NULL"""
    system.wait_for(
        lambda: system.value(down, (SIDECAR,)) == 1, within_s=30, what="the gap is over"
    )
    until_active(system)
    first, second = run_flow(), run_flow()
    assert first.is_completed(), first.message
    assert second.is_completed(), second.message
    result = anyio.run(partial(first.aresult))
    assert result["left"] == 0
    assert sum(result[state] for state in ("filled", "partial", "empty", "unfillable")) == 1
    again = anyio.run(partial(second.aresult))
    assert (again["rows"], again["left"]) == (0, 0)
    shown = artifact("gap-backfill")
    assert orjson.loads(shown["data"]) == []
    assert "0 filled" in shown["description"]
    stored = "SELECT count(*) FROM ibkeeper.gap_fill WHERE sidecar = %s"
    assert system.value(stored, (SIDECAR,)) == 1


def test_the_table_of_a_run_names_the_instrument_and_why_it_is_not_all() -> None:
    from datetime import datetime, timezone

    from flows.gap_backfill import table_row

    begin = datetime(2026, 11, 20, 17, tzinfo=timezone.utc)
    fill = {
        "symbol": "AAPL", "local_symbol": None, "from_ts": begin,
        "to_ts": begin.replace(minute=1), "cause": "session_lost", "source": "ticks",
        "state": "partial", "quotes": 5, "trades": 0, "bars": 0, "reason": "prints: refused",
    }  # fmt: skip
    assert table_row(fill) == {
        "instrument": "AAPL",
        "from (UTC)": "2026-11-20 17:00:00",
        "seconds": 60.0,
        "cause": "session_lost",
        "asked for": "ticks",
        "became": "partial",
        "rows": 5,
        "why not all": "prints: refused",
    }
