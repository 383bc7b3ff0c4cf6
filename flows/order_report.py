"""Flow `order-report`: the day's intents, executions, commissions and positions against IB."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from prefect import State, flow
from prefect.artifacts import acreate_table_artifact
from prefect.states import Completed, Failed
from pydantic import BaseModel, ConfigDict, Field

from flows.lateness import planned_or_now
from flows.orders_client import OrdersClient
from flows.telling import told, well
from ibcore.batch.report import table
from ibcore.calendar import trading_date
from ibcore.errors import IbkeeperError
from ibcore.form import in_order

ARTIFACT: Final = "order-report"


class OrderReportParameters(BaseModel):
    """Which day to report."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=in_order)

    day: date | None = Field(
        None,
        title="Day",
        description="In New York; empty: today, or the day that a scheduled run was planned for.",
    )


@flow(name="order-report", on_failure=[told], on_crashed=[told], on_completion=[well])
async def order_report(
    request: OrderReportParameters = OrderReportParameters(),  # noqa: B008 (frozen)
) -> State[Any]:
    """Compare what was ordered, executed, charged and held; a break opens an incident.

    A scheduled run reports the day it was planned for, however late it starts.

    Args:
        request: Which day; as it stands: today.
    """
    day = request.day or trading_date(planned_or_now())
    try:
        made = await OrdersClient.from_settings().report(day)
    except IbkeeperError as failure:
        return Failed(message=str(failure))
    # Kept in Prefect's database, not in ours: whoever rewrites a trail would have to reach both.
    noted = f"**{made.summary}**\n\nHeads of the audit trail: {made.heads}."
    await acreate_table_artifact(table=table(made.breaks), key=ARTIFACT, description=noted)
    if made.breaks:
        return Failed(message=made.summary)
    return Completed(message=made.summary)
