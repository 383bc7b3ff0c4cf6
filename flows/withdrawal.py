"""What nobody waits for any more is taken back: hooks of every flow that asks the sidecar."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import Flow, State
from prefect.client.schemas import FlowRun

from flows.client import Client
from ibcore.errors import IbkeeperError
from ibcore.log import get_logger

log = get_logger(__name__)


def asker(flow_run_id: UUID | None) -> str:
    """Return who asks, as the request says it."""
    return f"flow run {flow_run_id}"


async def withdraw(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Take back what a crashed or cancelled run still asks for: it must not keep lines busy."""
    # Prefect passes these three by name.
    try:
        count = await Client.from_settings().withdraw(asker(flow_run.id))
        log.info("requests_withdrawn", flow=flow.name, state=state.name, count=count)
    except IbkeeperError as failure:
        log.warning("requests_not_withdrawn", flow=flow.name, reason=str(failure))
