"""Flow `failover-drill`: a real failure of the connection, made on purpose, measured and judged.

The sidecar makes the failure and ends it by its own clock: this run may be killed at any line. It
does nothing to the gateway, so it works on a real one as on the simulator.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import anyio.to_thread
from prefect import State, flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.states import Completed, Failed
from pydantic import ConfigDict, Field

from flows.chain_plot import markdown as inline
from flows.client import Ask, Client
from flows.form import in_order
from flows.lateness import flow_run, too_late
from flows.telling import told, well
from flows.withdrawal import asker, withdraw
from ibcore.drill import KIND, DrillRequest
from ibcore.errors import IbkeeperError

ARTIFACT: Final = "failover-drill"
# For the request to be claimed and its rows to be written.
MARGIN_S: Final = 20.0
LATE_S: Final = 900.0


class FailoverDrillParameters(DrillRequest):
    """What to drill, and of which sidecar."""

    model_config = ConfigDict(json_schema_extra=in_order)

    sidecar: str | None = Field(
        None, title="Sidecar", description="Which one, by its name; empty: any one that runs."
    )


@flow(
    name="failover-drill",
    on_failure=[withdraw, told],
    on_crashed=[withdraw, told],
    on_cancellation=[withdraw],
    on_completion=[well],
)
async def failover_drill(
    request: FailoverDrillParameters = FailoverDrillParameters(),  # noqa: B008 (frozen)
) -> State[Any]:
    """Break the connection on purpose and measure how it comes back.

    Refused while the market is open or orders work, unless allowed. Writes `drill` and
    `drill_step`, shows both as a table and a picture, and fails when an objective was not kept.

    Args:
        request: What to break, for how long, and what is promised.
    """
    if (late := too_late(LATE_S, "nobody expects a drill at another hour")) is not None:
        return late
    run = flow_run()
    who = asker(run.id if run else None)
    payload = request.model_dump(mode="json", include=set(DrillRequest.model_fields))
    deadline_s = request.longest_s + MARGIN_S
    try:
        client = Client.from_settings()
        result = await client.ask(Ask(KIND, payload, deadline_s, who, request.sidecar))
    except IbkeeperError as failure:
        return Failed(message=str(failure))
    png = await anyio.to_thread.run_sync(lambda: picture(result["steps"], title=_title(result)))
    await acreate_markdown_artifact(
        key=ARTIFACT, markdown=text(result, request, png), description=_title(result)
    )
    if result["verdict"] != "passed":
        return Failed(message=f"The drill failed. {result['why']}")
    return Completed(message=_title(result), data=result)


def text(result: Mapping[str, Any], request: DrillRequest, png: bytes) -> str:
    """Return a drill as markdown: its figures, its moments, its picture."""
    figures = [
        ("noticed", result["detect_s"], request.detect_within_s),
        ("recovered", result["recover_s"], request.recover_within_s),
    ]
    if result.get("failover_s") is not None:
        figures += [
            ("failed over", result["failover_s"], request.failover_within_s),
            ("backup ticks", result["backup_tick_s"], request.backup_tick_within_s),
            ("failed back", result["failback_s"], request.failback_within_s),
        ]
    lines = ["| figure | measured (s) | objective (s) |", "| --- | --- | --- |"]
    lines += [f"| {name} | {_seconds(took)} | {within:g} |" for name, took, within in figures]
    if result.get("ticks_lost") is not None:
        lines += ["", f"{result['ticks_lost']:,} messages of the primary were not heard."]
    lines += ["", "| moment | at (UTC) | after (s) |", "| --- | --- | --- |"]
    for one in result["steps"]:
        at = datetime.fromisoformat(one["at"]).isoformat(" ", "milliseconds").removesuffix("+00:00")
        lines.append(f"| {one['name']} | {at} | {one['seconds']:.3f} |")
    return "\n".join([*lines, "", inline(png, caption=_title(result))])


def picture(steps: Sequence[Mapping[str, Any]], *, title: str) -> bytes:
    """Return a PNG of the moments on a line of time."""
    # Not at import: matplotlib takes a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 2.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    at = [step["seconds"] for step in steps]
    for begin, end, step in zip(at, at[1:], steps[1:], strict=False):
        up = step["name"] in ("first tick", "delivered", "backup tick", "failed back")
        axes.barh(0, end - begin, left=begin, color="tab:orange" if up else "tab:red", alpha=0.6)
    for number, step in enumerate(steps):
        label = f"{step['name']} {step['seconds']:.2f}"
        place = (step["seconds"], 0.5 + 0.25 * (number % 3))
        axes.axvline(step["seconds"], color="black", lw=0.8)
        late = step["seconds"] > 0.85 * at[-1]
        axes.annotate(
            label,
            place,
            xytext=(-4 if late else 4, 0),
            textcoords="offset points",
            ha="right" if late else "left",
            fontsize="small",
        )
    axes.set(yticks=[], ylim=(-0.5, 1.5), xlabel="seconds since the fault began", title=title)
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110)
    return held.getvalue()


def _title(result: Mapping[str, Any]) -> str:
    return (
        f"{result['scenario']} on {result['sidecar']}: {result['verdict']}, noticed after "
        f"{_seconds(result['detect_s'])} s, recovered after {_seconds(result['recover_s'])} s"
    )


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
