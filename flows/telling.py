"""Runs that fail or crash are incidents, until the flow completes again: hooks of every flow.

The first opens the incident; every further one happens again, which people are told in growing
intervals (`retell_incident`).

A run whose process was killed has nobody to call a hook: Prefect crashes it when its heartbeat is
missed (`flows.automations`), and connection-sla finds it (`tell_of_crashed`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from prefect import Flow, State
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType

from flows.client import Client
from ibcore import db
from ibcore.clock import utcnow
from ibcore.errors import IbkeeperError
from ibcore.incidents import Incident, IncidentKind, key_of
from ibcore.log import get_logger, mask
from ibcore.sla.reading import rows

log = get_logger(__name__)

LOOK_BACK: Final = timedelta(hours=1)
MOST: Final = 100


async def told(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Open the incident of a run that failed or crashed."""
    # Prefect passes these three by name.
    incident = of_run(flow.name, flow_run, str(state.name), state.message)
    await _say(flow.name, "retell_incident", incident.row())


async def well(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Close it: the flow completed."""
    because = f"the run {flow_run.name} ended as {state.name}"
    over = {"key": key_of(IncidentKind.flow_failed, flow.name), "reason": because}
    await _say(flow.name, "close_incident", over)


def of_run(flow: str, run: FlowRun, state: str, message: str | None) -> Incident:
    """Return the incident of one run; `detail` names every run it was opened for."""
    return Incident(
        IncidentKind.flow_failed,
        flow,
        f"The run {run.name} of the flow {flow} {state.lower()}: "
        f"{mask(message or 'nothing says why')[:500]}",
        "prefect",
        {str(run.id): state},
    )


async def tell_of_crashed(conn: db.Connection) -> int:
    """Open the incident of every run that crashed of late and was not told of; return how many."""
    crashed = FlowRunFilter(
        end_time=FlowRunFilterEndTime(after_=utcnow() - LOOK_BACK),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED])),
    )
    count = 0
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=crashed, limit=MOST):
            (known,) = await rows(conn, "flow_run_told", {"run": str(run.id)})
            if not known["told"]:
                flow = await client.read_flow(run.flow_id)
                message = run.state.message if run.state else None
                incident = of_run(flow.name, run, "Crashed", message)
                await rows(conn, "retell_incident", incident.row())
                count += 1
    return count


async def _say(flow: str, query: str, row: dict[str, Any]) -> None:
    try:
        async with Client.from_settings().opened() as conn:
            await rows(conn, query, row)
    except IbkeeperError as failure:
        log.warning("run_not_told", flow=flow, query=query, why=str(failure))
