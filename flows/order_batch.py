"""Flow `order-batch`: a list of orders, checked, approved where money is real, and followed.

The orders are rows; the sidecar sends them. This flow may be killed or cancelled at any line: no
order is stranded, and running it again with the same batch key sends nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from prefect import State, flow
from prefect.artifacts import (
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.context import FlowRunContext
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import apause_flow_run
from prefect.input import RunInput
from prefect.states import Completed, Failed
from pydantic import BaseModel, ConfigDict, Field

from flows.orders_client import OrdersClient
from flows.telling import told, well
from ibcore.batch import csv_file
from ibcore.batch.csv_file import BatchRefused
from ibcore.batch.line import OrderLine
from ibcore.batch.preview import Preview, refuse_refused, totals
from ibcore.batch.submit import Batch, traded
from ibcore.errors import IbkeeperError
from ibcore.form import in_order
from ibcore.order_states import TERMINAL
from ibcore.risk import is_paper

RISK, RESULT, PROGRESS = "order-batch-risk", "order-batch-result", "order-batch-progress"
_ENDED: Final = frozenset(map(str, TERMINAL))
_BAD: Final = ("refused", "rejected", "unknown", "expired", "not_sent")


class OrderBatchParameters(BaseModel):
    """What to send, and how carefully."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=in_order)

    batch_key: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,119}$",
        title="Batch key",
        description="A name of your own. Running again with the same key never sends twice.",
    )
    orders: list[OrderLine] = Field(
        default_factory=list, title="Orders", description="One entry an order; or give a CSV file."
    )
    csv_path: str = Field(
        "",
        title="CSV file",
        description="Instead of the list: a file on the worker's machine, a column a field.",
    )
    account: str = Field(
        "", title="Account", description="Empty: the only account of the connected gateway."
    )
    dry_run: bool = Field(
        True, title="Dry run", description="Only show what risk and what-if say; send nothing."
    )
    what_if: bool = Field(
        True,
        title="Ask IB what-if",
        description="Show what each order would tie up, before it goes.",
    )
    cancel_batch: bool = Field(
        False,
        title="Cancel this batch",
        description="Cancel the batch of this key instead: what was not sent ends, the rest is"
        " cancelled at IB.",
    )
    valid_s: float = Field(
        600.0, ge=5, le=86_400, title="Valid for (s)",
        description="What could not be sent within this time expires unsent.",
    )  # fmt: skip
    follow_s: float = Field(
        300.0, ge=0, le=86_400, title="Follow for (s)",
        description="How long the run watches; the orders live on without it.",
    )  # fmt: skip
    approval_s: int = Field(
        900, ge=30, le=86_400, title="Wait for approval (s)",
        description="A live batch that nobody approves within this time is not sent.",
    )  # fmt: skip


class Approval(RunInput):
    """A person's word for a live batch. Nothing here has a default that means yes."""

    account: str = Field(description="Type the account's name to approve; anything else refuses.")
    approved_by: str = Field(min_length=1, description="Your name; it stays with the batch.")


@flow(name="order-batch", on_failure=[told], on_crashed=[told], on_completion=[well])
async def order_batch(request: OrderBatchParameters) -> State[Any] | list[dict[str, Any]]:
    """Check a batch of orders, send it (paper unless live is allowed), and follow it.

    A dry run unless told otherwise. The run's last artifact has one row a line: state, filled,
    average price, commission, slippage against the mid when it was submitted.

    Args:
        request: The orders or a file of them, and how carefully they go.
    """
    client = OrdersClient.from_settings()
    try:
        if request.cancel_batch:
            unsent, asked = await client.cancel(request.batch_key, by=_who())
            note = f"{unsent} ended unsent, {asked} cancels asked for. "
            return await _follow(client, request, note=note)
        batch = await client.prepare(
            request.batch_key, request.account, lines_of(request), by=_who(), ttl_s=request.valid_s
        )
        note = ""
        if await client.is_known(batch):
            note = "This batch was submitted before; nothing is sent twice. "
        elif (state := await _checked(client, request, batch)) is not None:
            return state
        return await _follow(client, request, note=note)
    except IbkeeperError as failure:
        return Failed(message=str(failure))


def lines_of(request: OrderBatchParameters) -> list[OrderLine]:
    """Return the orders of the form or of the file; both, or none, are refused."""
    if bool(request.orders) == bool(request.csv_path):
        raise BatchRefused(
            "Give either orders or a CSV file.", remedy="Nothing was sent. Fill in one of the two."
        )
    return list(request.orders) or csv_file.read(Path(request.csv_path))


async def _checked(
    client: OrdersClient, request: OrderBatchParameters, batch: Batch
) -> State[Any] | None:
    """Preview, have it approved where money is real, and submit; a state ends the run here."""
    found = await client.preview(batch, what_if=request.what_if)
    await _show_risk(batch, found)
    if request.dry_run:
        refused = sum(bool(each.refusals) for each in found)
        return Completed(
            name="DryRun",
            message=f"Dry run, nothing was sent: {totals(batch, found)}; risk accepts "
            f"{len(found) - refused} of {len(found)}. Run again with dry_run off to send it.",
        )
    refuse_refused(found)
    if not is_paper(batch.account):
        batch = batch._replace(approved_by=await _approved(request, batch, found))
        # Minutes may have passed: the market and the limits are looked at again.
        refuse_refused(await client.preview(batch, what_if=request.what_if))
    await client.submit(batch)
    return None


async def _approved(request: OrderBatchParameters, batch: Batch, found: Sequence[Preview]) -> str:
    """Wait for a person who types the account's name; everything else sends nothing."""
    text = f"**{totals(batch, found)}** (batch `{batch.key}`). Type the account to approve."
    asked = Approval.with_initial_data(description=text)
    try:
        said = await apause_flow_run(wait_for_input=asked, timeout=request.approval_s)
    except FlowPauseTimeout:
        raise BatchRefused(
            f"Nobody approved the batch within {request.approval_s} s.",
            remedy="Nothing was sent. Run it again.",
        ) from None
    if said.account != batch.account or not said.approved_by.strip():
        raise BatchRefused(
            f"The batch was not approved: {said.account!r} was typed, not {batch.account}.",
            remedy="Nothing was sent.",
        )
    return str(said.approved_by)


async def _follow(
    client: OrdersClient, request: OrderBatchParameters, *, note: str
) -> State[Any] | list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    bar: UUID | None = None
    async for rows in client.follow(request.batch_key, for_s=request.follow_s):
        bar = await _progress(bar, request.batch_key, rows)
    shown = [table_row(row) for row in rows]
    said = summary(rows)
    await acreate_table_artifact(table=shown, key=RESULT, description=f"{note}{said}")
    if any(row["state"] in _BAD for row in rows):
        reasons = "; ".join(f"line {r['line']}: {r['reason']}" for r in rows if r["state"] in _BAD)
        return Failed(message=f"{note}{said}. {reasons}")
    return Completed(message=f"{note}{said}", data=shown)


async def _progress(bar: UUID | None, key: str, rows: Sequence[Mapping[str, Any]]) -> UUID:
    """Show how many of a batch's orders have ended."""
    ended = sum(row["state"] in _ENDED for row in rows)
    percent = round(100.0 * ended / len(rows), 1) if rows else 100.0
    if bar is None:
        about = f"{key}: orders that have ended, of {len(rows)}."
        return await acreate_progress_artifact(percent, key=PROGRESS, description=about)
    await aupdate_progress_artifact(bar, progress=percent)
    return bar


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a batch in one line."""
    states = Counter(str(row["state"]) for row in rows if row["kind"] == "new")
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no orders"


def table_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an order as a person reads it."""
    numbers = ("filled", "average_price", "commission", "slippage")
    return {
        "line": row["line"],
        "kind": row["kind"],
        "order": f"{row['side']} {row['quantity'].normalize():f} {traded(row)} {row['order_type']}",
        "state": row["state"],
        **{n: None if row[n] is None else round(float(row[n]), 6) for n in numbers},
        "reason": row["reason"] or "",
    }


async def _show_risk(batch: Batch, found: Sequence[Preview]) -> None:
    await acreate_table_artifact(
        table=[each.as_row() for each in found],
        key=RISK,
        description=f"{totals(batch, found)}. Batch `{batch.key}`, in the account's currency.",
    )


def _who() -> str:
    run = FlowRunContext.get()
    return f"flow run {run.flow_run.id}" if run and run.flow_run else "flow order-batch"
