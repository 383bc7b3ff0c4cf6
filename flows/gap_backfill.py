"""Flow `gap-backfill`: what was not recorded is asked for again, as history, and kept apart.

The sidecar does the work, as far as IB's pacing of history allows in one run; the next run goes on
where this one stopped. May be run at any time and twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from prefect import State, flow
from prefect.artifacts import acreate_table_artifact
from prefect.states import Failed
from pydantic import ConfigDict, Field

from flows.client import Ask, Client
from flows.form import in_order
from flows.lateness import flow_run, planned, skipped
from flows.telling import told, well
from flows.withdrawal import asker, withdraw
from ibcore.backfill import KIND, BackfillRequest
from ibcore.calendar import is_open
from ibcore.clock import utcnow
from ibcore.errors import IbkeeperError

ARTIFACT: Final = "gap-backfill"


class GapBackfillParameters(BackfillRequest):
    """Which gaps to fill, of which sidecar."""

    model_config = ConfigDict(json_schema_extra=in_order)

    sidecar: str | None = Field(
        None, title="Sidecar", description="Whose gaps, by its name; empty: of any one that runs."
    )


@flow(
    name="gap-backfill",
    on_failure=[withdraw, told],
    on_crashed=[withdraw, told],
    on_cancellation=[withdraw],
    on_completion=[well],
)
async def gap_backfill(
    request: GapBackfillParameters = GapBackfillParameters(),  # noqa: B008 (frozen)
) -> State[Any] | dict[str, Any]:
    """Ask IB for the history of every gap that nobody asked for yet.

    Writes `gap_fill` and `backfill_quote`, `backfill_trade` or `backfill_bar`; what cannot be
    filled is marked with IB's reason and is an incident. Shows in a table what became of each.

    Args:
        request: Which gaps, asked for as what; as it stands: every gap that is open.
    """
    run = flow_run()
    if planned(run) is not None and is_open(utcnow()):
        return skipped("the market is open, and its sessions go first; the evening's runs do it")
    try:
        return await _backfill(request, who=asker(run.id if run else None))
    except IbkeeperError as failure:
        return Failed(message=str(failure))


async def _backfill(request: GapBackfillParameters, *, who: str) -> dict[str, Any]:
    client = Client.from_settings()
    payload = request.model_dump(mode="json", include=set(BackfillRequest.model_fields))
    result = await client.ask(Ask(KIND, payload, request.deadline_s, who, request.sidecar))
    fills = await client.gap_fills(result["request_id"])
    await acreate_table_artifact(
        table=[table_row(fill) for fill in fills], key=ARTIFACT, description=summary(result)
    )
    return result


def table_row(fill: Mapping[str, Any]) -> dict[str, Any]:
    """Return what became of one instrument of a gap, as a person reads it."""
    return {
        "instrument": fill["local_symbol"] or fill["symbol"],
        "from (UTC)": f"{fill['from_ts']:%Y-%m-%d %H:%M:%S}",
        "seconds": round((fill["to_ts"] - fill["from_ts"]).total_seconds(), 1),
        "cause": fill["cause"],
        "asked for": fill["source"],
        "became": fill["state"],
        "rows": fill["quotes"] + fill["trades"] + fill["bars"],
        "why not all": fill["reason"] or "",
    }


_STATES: Final[Sequence[str]] = ("filled", "partial", "empty", "unfillable")


def summary(result: Mapping[str, Any]) -> str:
    """Return in words what a run brought and what it left."""
    counts = ", ".join(f"{result[state]} {state}" for state in _STATES)
    where = "`ibkeeper.gap_fill`, `v_quote_filled`, `v_bar_1m_filled`"
    text = f"{counts}; {result['rows']:,} rows. In SQL: {where}."
    if result["left"]:
        text += f" {result['left']} wait for the next run: {result['why_left']}"
    return text
