"""Flow `chain-snapshot`: quotes and greeks of an option chain, now, as rows and as a table.

The sidecar does the work; this flow asks, shows how far it is, and says how it ended. A
scheduled run that is late or meets a closed market skips itself; a run by hand always runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from prefect import State, flow
from prefect.artifacts import (
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.client.schemas import FlowRun
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed
from pydantic import ConfigDict, Field

from flows.client import Ask, Client
from flows.form import in_order
from flows.withdrawal import asker, withdraw
from ibcore.calendar import skip_reason
from ibcore.chain import KIND, ChainRequest
from ibcore.clock import utcnow
from ibcore.errors import IbkeeperError


class ChainSnapshotParameters(ChainRequest):
    """What to quote, and when not to."""

    model_config = ConfigDict(json_schema_extra=in_order)

    sidecar: str | None = Field(
        None, title="Sidecar", description="Name of the sidecar that shall do it; empty: any."
    )
    lateness_limit_s: float = Field(
        300.0,
        ge=0,
        title="Lateness limit (s)",
        description="A scheduled run that starts later than this skips itself.",
    )


@flow(
    name="chain-snapshot", on_failure=[withdraw], on_crashed=[withdraw], on_cancellation=[withdraw]
)
async def chain_snapshot(
    request: ChainSnapshotParameters = ChainSnapshotParameters(),  # noqa: B008 (frozen)
) -> State[Any] | dict[str, Any]:
    """Quote the options of an underlying around its price: bid, ask, greeks, open interest.

    Writes one row to `chain_snapshot` and one a contract to `chain_quote`; publishes the table
    as an artifact. Run it by hand at any time; scheduled runs keep to market hours.
    """
    run = FlowRunContext.get()
    flow_run = run.flow_run if run else None
    if (reason := why_not(flow_run, request)) is not None:
        return Completed(name="Skipped", message=f"Skipped: {reason}.")
    try:
        return await _snapshot(request, asker=asker(flow_run.id if flow_run else None))
    except IbkeeperError as failure:
        return Failed(message=str(failure))


async def _snapshot(request: ChainSnapshotParameters, *, asker: str) -> dict[str, Any]:
    client = Client.from_settings()
    payload = request.model_dump(mode="json", include=set(ChainRequest.model_fields))
    what = Ask(KIND, payload, request.deadline_s, asker, request.sidecar)
    bar = _Bar(artifact_key(request.underlying, "progress"), request.underlying)
    result = await client.ask(what, on_progress=bar.move)
    await _publish(request, result, await client.chain(result["snapshot_id"]))
    return result


class _Bar:
    """A progress artifact, made when the first progress is known."""

    def __init__(self, key: str, symbol: str) -> None:
        self._key = key
        self._symbol = symbol
        self._id: UUID | None = None
        self._shown = -1.0

    async def move(self, done: int, total: int) -> None:
        """Show that `done` of `total` contracts are taken."""
        percent = round(100.0 * done / total, 1)
        if self._id is None:
            about = f"{self._symbol}: contracts taken, of {total}."
            self._id = await acreate_progress_artifact(percent, key=self._key, description=about)
        elif percent - self._shown >= 1.0 or done == total:
            await aupdate_progress_artifact(self._id, progress=percent)
        self._shown = percent


async def _publish(
    request: ChainSnapshotParameters, result: Mapping[str, Any], quotes: Sequence[dict[str, Any]]
) -> None:
    await acreate_table_artifact(
        table=[table_row(quote, request.currency) for quote in quotes],
        key=artifact_key(request.underlying),
        description=(
            f"**{request.underlying}** at {result['spot']:g} {request.currency}: "
            f"{result['complete']} of {result['expected']} contracts complete, "
            f"{result['partial']} partial, {result['missing']} missing; "
            f"{result['seconds']:.1f} s, {result['quality']} data. "
            f"In SQL: `ibkeeper.chain_quote`, `snapshot_id` {result['snapshot_id']}."
        ),
    )


_COLUMNS: Final[Mapping[str, tuple[str, float, int]]] = {
    # column of chain_quote: name with its unit, factor, digits
    "bid": ("bid ({currency})", 1, 4),
    "ask": ("ask ({currency})", 1, 4),
    "last": ("last ({currency})", 1, 4),
    "iv": ("IV (% a year)", 100, 2),
    "delta": ("delta (per 1 of underlying)", 1, 4),
    "gamma": ("gamma (delta per 1 of underlying)", 1, 5),
    "vega": ("vega ({currency} per vol point)", 1, 4),
    "theta": ("theta ({currency} a day)", 1, 4),
    "volume": ("volume (contracts)", 1, 0),
    "open_interest": ("open interest (contracts)", 1, 0),
}


def table_row(quote: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Return a quote as a person reads it: names with units, rounded numbers."""
    row: dict[str, Any] = {
        "expiry": f"{quote['expiry']:%Y-%m-%d}",
        f"strike ({currency})": float(quote["strike"]),
        "right": "call" if quote["right"] == "C" else "put",
    }
    for column, (name, factor, digits) in _COLUMNS.items():
        value = quote[column]
        row[name.format(currency=currency)] = (
            None if value is None else round(value * factor, digits)
        )
    return row | {"state": quote["state"], "missing": quote["missing_fields"] or ""}


def artifact_key(symbol: str, *parts: str) -> str:
    """Return an artifact key as Prefect allows it: lower case, digits, dashes."""
    plain = re.sub(r"[^a-z0-9]+", "-", symbol.lower()).strip("-")
    return "-".join(("chain-snapshot", plain, *parts))


def why_not(flow_run: FlowRun | None, request: ChainSnapshotParameters) -> str | None:
    """Return why a scheduled run must not run now; a run by hand always may."""
    if flow_run is None or not flow_run.auto_scheduled or flow_run.expected_start_time is None:
        return None
    return skip_reason(utcnow(), flow_run.expected_start_time, limit_s=request.lateness_limit_s)
