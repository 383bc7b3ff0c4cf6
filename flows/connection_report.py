"""Flow `connection-report`: the daily and the weekly report of connection-sla, by the schedule.

A deployment of its own, whose runs wait for one another: beside the looks, of which there are 720
a day and which are cancelled where two run already, a report that comes late after an outage of
Prefect would be cancelled with them.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from prefect import State, flow
from prefect.states import Failed
from pydantic import BaseModel, ConfigDict, Field

from flows import sla_report
from flows.form import in_order
from flows.telling import told, well
from ibcore.errors import IbkeeperError


class ConnectionReportParameters(BaseModel):
    """Which report."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=in_order)

    report: Literal["daily", "weekly"] = Field(
        "daily", title="Report", description="daily: of one day. weekly: of the seven until then."
    )
    day: date | None = Field(
        None,
        title="Day",
        description="The (last) day of the report, in New York; empty: yesterday.",
    )


@flow(name="connection-report", on_failure=[told], on_crashed=[told], on_completion=[well])
async def connection_report(
    request: ConnectionReportParameters = ConnectionReportParameters(),  # noqa: B008 (frozen)
) -> State[Any]:
    """Compute uptime, recovery, latency, coverage and the error budget of a day or a week.

    The report is an artifact with a picture and a row of `sla_report`, however late it is made:
    of the days before the one it was planned for.

    Args:
        request: Which report, of which days.
    """
    try:
        return await sla_report.make(request.report, request.day)
    except IbkeeperError as failure:
        return Failed(message=str(failure))
