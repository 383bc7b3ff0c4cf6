"""Flow `chain-snapshot`: quotes and greeks of an option chain, now, as rows and as a table.

The sidecar does the work; this flow asks, shows how far it is, and says how it ended. A
scheduled run that is late or meets a closed market skips itself; a run by hand always runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import anyio
import anyio.to_thread
from prefect import State, flow
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.client.schemas import FlowRun
from prefect.states import Completed, Failed
from pydantic import ConfigDict, Field

from flows import chain_export, chain_plot
from flows.client import Ask, Client
from flows.form import in_order
from flows.lateness import flow_run, planned, skipped
from flows.telling import told, well
from flows.withdrawal import asker, withdraw
from ibcore.calendar import skip_reason
from ibcore.chain import KIND, ChainRequest, Symbol
from ibcore.clock import utcnow
from ibcore.errors import IbkeeperError

# The sidecar works at two requests at a time.
AT_ONCE: Final = 2


class ChainSnapshotParameters(ChainRequest):
    """What to quote, and when not to."""

    model_config = ConfigDict(json_schema_extra=in_order)

    underlyings: tuple[Symbol, ...] = Field(
        (),
        max_length=20,
        title="Several underlyings",
        description="Instead of the one above: all of them in one run, two at a time; they share "
        "the market-data lines and the messages a second.",
    )
    export: Literal["", "csv", "parquet"] = Field(
        "",
        title="Export",
        description="Also write a file: csv or parquet (needs ibkeeper[parquet]). Empty: none.",
    )
    export_folder: str = Field(
        "exports",
        title="Folder of the export",
        description="On the machine of the worker; relative to the folder of the deployment.",
    )
    sidecar: str | None = Field(
        None, title="Sidecar", description="Name of the sidecar that shall do it; empty: any."
    )
    lateness_limit_s: float = Field(
        300.0,
        ge=0,
        title="Lateness limit (s)",
        description="A scheduled run that starts later than this skips itself.",
    )

    def each(self) -> list[ChainSnapshotParameters]:
        """Return one set of parameters an underlying."""
        names = self.underlyings or (self.underlying,)
        return [self.model_copy(update={"underlying": name.strip().upper()}) for name in names]


@flow(
    name="chain-snapshot",
    on_failure=[withdraw, told],
    on_crashed=[withdraw, told],
    on_cancellation=[withdraw],
    on_completion=[well],
)
async def chain_snapshot(
    request: ChainSnapshotParameters = ChainSnapshotParameters(),  # noqa: B008 (frozen)
) -> State[Any]:
    """Quote the options of underlyings around its price: bid, ask, greeks, open interest.

    Writes one row to `chain_snapshot` and one a contract to `chain_quote`; publishes the table,
    the smile and the term structure as artifacts. Run it by hand at any time; scheduled runs
    keep to market hours.

    Args:
        request: What to quote, and when not to; as it stands: SPY, its two nearest expiries.
    """
    run = flow_run()
    if (reason := why_not(run, request)) is not None:
        return skipped(reason)
    try:
        return await _snapshots(request, asker=asker(run.id if run else None))
    except IbkeeperError as failure:
        return Failed(message=str(failure))


async def _snapshots(request: ChainSnapshotParameters, *, asker: str) -> State[Any]:
    client = Client.from_settings()
    found: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    room = anyio.CapacityLimiter(AT_ONCE)

    async def one(wanted: ChainSnapshotParameters) -> None:
        async with room:
            try:
                found[wanted.underlying] = await _snapshot(client, wanted, asker=asker)
            except IbkeeperError as failure:
                failed[wanted.underlying] = str(failure)

    async with anyio.create_task_group() as group:
        for wanted in request.each():
            group.start_soon(one, wanted, name=f"chain {wanted.underlying}")
    if not failed:
        single = next(iter(found.values())) if len(found) == 1 else found
        return Completed(data=single, message=_said(found))
    text = " ".join(failed.values())
    if len(failed) + len(found) > 1:
        text = " ".join(f"{name}: {why}" for name, why in failed.items())
    done = f" Stored: {', '.join(sorted(found))}." if found else ""
    return Failed(message=f"{text}{done}")


def _said(found: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{name}: {result['complete']} of {result['expected']} complete, {result['seconds']:.1f} s"
        for name, result in sorted(found.items())
    )


async def _snapshot(
    client: Client, request: ChainSnapshotParameters, *, asker: str
) -> dict[str, Any]:
    payload = request.model_dump(mode="json", include=set(ChainRequest.model_fields))
    what = Ask(KIND, payload, request.deadline_s, asker, request.sidecar)
    bar = _Bar(artifact_key(request.underlying, "progress"), request.underlying)
    result = await client.ask(what, on_progress=bar.move)
    await _publish(request, result, await client.chain(result["snapshot_id"]))
    await _draw(request, result, await client.smile(result["snapshot_id"]))
    if request.export:
        result["file"] = await _export(request, await client.chain_export(result["snapshot_id"]))
    return result


async def _draw(
    request: ChainSnapshotParameters, result: Mapping[str, Any], rows: Sequence[dict[str, Any]]
) -> None:
    title = f"{request.underlying} at {result['spot']:g} {request.currency}"
    png = await anyio.to_thread.run_sync(lambda: chain_plot.picture(rows, title=title))
    if png is None:
        return
    caption = (
        f"{title}: {result['complete']} of {result['expected']} contracts complete. "
        f"In SQL: `ibkeeper.v_chain_smile`, `v_chain_term`."
    )
    await acreate_markdown_artifact(
        chain_plot.markdown(png, caption=caption),
        key=artifact_key(request.underlying, "smile"),
        description=f"Smile and term structure of {request.underlying}.",
    )


async def _export(request: ChainSnapshotParameters, rows: Sequence[dict[str, Any]]) -> str:
    name = f"{artifact_key(request.underlying)}-{utcnow():%Y%m%dT%H%M%SZ}"
    file = await anyio.to_thread.run_sync(
        lambda: chain_export.export(
            rows, Path(request.export_folder), name=name, kind=request.export
        )
    )
    return str(file)


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
            f"{result['partial']} partial, {result['missing']} missing ({_states(result)}); "
            f"{result['seconds']:.1f} s, {result['quality']} data. "
            f"In SQL: `ibkeeper.chain_quote`, `snapshot_id` {result['snapshot_id']}."
        ),
    )


def _states(result: Mapping[str, Any]) -> str:
    named = {name: count for name, count in result["states"].items() if count}
    return ", ".join(f"{count} {name}" for name, count in sorted(named.items()))


_COLUMNS: Final[Mapping[str, tuple[str, float, int]]] = {
    # column of chain_quote: name with its unit, factor, digits
    "bid": ("bid ({currency})", 1, 4),
    "ask": ("ask ({currency})", 1, 4),
    "last": ("last ({currency})", 1, 4),
    "iv": ("IV (% a year)", 100, 2),
    "own_iv": ("IV of mid (% a year)", 100, 2),
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


def why_not(run: FlowRun | None, request: ChainSnapshotParameters) -> str | None:
    """Return why a scheduled run must not run now; a run by hand always may."""
    expected = planned(run)
    if expected is None:
        return None
    return skip_reason(utcnow(), expected, limit_s=request.lateness_limit_s)
