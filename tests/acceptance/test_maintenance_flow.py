"""The flow `maintenance` in Prefect: what it did stands in an artifact, and old runs are gone."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import anyio
import orjson
import pytest

from tests.acceptance.prefect_runs import MARKS, artifact

pytestmark = [*MARKS, pytest.mark.usefixtures("leave_nothing_to_collect")]


def run_flow() -> Any:
    from flows.maintenance import maintenance

    return anyio.run(partial(maintenance, return_state=True))


async def make_runs() -> list[UUID]:
    """Make three runs of a flow: completed, crashed, running."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Completed, Crashed, Running

    ids = []
    async with get_client() as client:
        for state in (Completed(), Crashed(), Running()):
            run = await client.create_flow_run(flow(name="old")(lambda: None))
            await client.set_flow_run_state(run.id, state, force=True)
            ids.append(run.id)
    return ids


async def left(ids: list[UUID]) -> list[bool]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    async with get_client() as client:
        found = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids))
        )
    return [run_id in {run.id for run in found} for run_id in ids]


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_run_says_what_it_did_and_a_second_has_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IBKEEPER_MAINTENANCE__DAYS_AHEAD", "40")
    first, second = run_flow(), run_flow()
    assert first.is_completed(), first.message
    assert second.is_completed(), second.message
    made = anyio.run(first.aresult)
    assert made["days ahead"] >= 4
    assert "days ahead" not in anyio.run(second.aresult)
    shown = artifact("maintenance")
    assert "* days ahead: 0 of " in shown["description"]
    assert not [row for row in orjson.loads(shown["data"]) if row["step"] == "days ahead"]


@pytest.mark.usefixtures("prefect_server")
def test_runs_that_ended_long_enough_ago_are_deleted_and_no_others() -> None:
    from flows.maintenance import trim_history

    ids = anyio.run(make_runs)

    anyio.run(trim_history, 1)
    assert anyio.run(left, ids) == [True, True, True]
    anyio.run(trim_history, 0)
    assert anyio.run(left, ids) == [False, False, True]


@pytest.mark.usefixtures("prefect_server")
def test_without_a_database_the_run_fails_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBKEEPER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    state = run_flow()

    assert state.is_failed()
    assert "Check that the server runs" in state.message
