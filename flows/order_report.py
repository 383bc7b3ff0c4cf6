"""Flow `order-report`: the day's intents, executions, commissions and positions against IB."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from prefect import State, flow
from prefect.artifacts import acreate_table_artifact
from prefect.states import Completed, Failed
from pydantic import BaseModel, ConfigDict, Field

from flows.orders_client import OrdersClient
from flows.telling import told, well
from ibcore.batch.report import table
from ibcore.calendar import trading_date
from ibcore.clock import utcnow
from ibcore.errors import IbkeeperError
from ibcore.form import in_order

ARTIFACT: Final = "order-report"


class OrderReportParameters(BaseModel):
    """Which day to report."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=in_order)

    day: date | None = Field(
        None, title="Day", description="In New York; empty: today. Breaks open one incident."
    )


@flow(name="order-report", on_failure=[told], on_crashed=[told], on_completion=[well])
async def order_report(
    request: OrderReportParameters = OrderReportParameters(),  # noqa: B008 (frozen)
) -> State[Any]:
    """Compare what was ordered, executed, charged and held; a break opens an incident."""
    try:
        made = await OrdersClient.from_settings().report(request.day or trading_date(utcnow()))
    except IbkeeperError as failure:
        return Failed(message=str(failure))
    await acreate_table_artifact(
        table=table(made.breaks), key=ARTIFACT, description=f"**{made.summary}**"
    )
    if made.breaks:
        return Failed(message=made.summary)
    return Completed(message=made.summary)
