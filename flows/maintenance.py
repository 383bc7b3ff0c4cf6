"""Flow `maintenance`: what the database needs every day, and Prefect's own history.

Each step may be run at any time and twice. A run says in an artifact what it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from prefect import State, flow
from prefect.artifacts import acreate_table_artifact
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.exceptions import ObjectNotFound
from prefect.states import Failed

from flows.client import Client
from flows.lateness import too_late
from flows.telling import told, well
from ibcore import config
from ibcore.clock import utcnow
from ibcore.errors import IbkeeperError
from ibcore.upkeep import Done

ARTIFACT: Final = "maintenance"
PAGE: Final = 100
# A history that was never trimmed goes over several nights.
MOST_RUNS: Final = 2_000
# However late, it is worth doing; twice it is not.
LATE_S: Final = 23 * 3600.0
_IDLE: Final = ("exists", "unchanged", "0 ")


@flow(name="maintenance", on_failure=[told], on_crashed=[told], on_completion=[well])
async def maintenance() -> State[Any] | dict[str, int]:
    """Make days ahead, keep bars, drop what is too old, set policies, trim Prefect's history.

    What is kept, and for how long: the settings `IBKEEPER_MAINTENANCE__*`.
    """
    if (late := too_late(LATE_S, "the next day's run does the same")) is not None:
        return late
    settings = config.load().maintenance
    try:
        done = await Client.from_settings().upkeep(settings)
    except IbkeeperError as failure:
        return Failed(message=str(failure))
    if settings.keep_runs_days is not None:
        done.append(await trim_history(settings.keep_runs_days))
    await acreate_table_artifact(
        table=[each._asdict() for each in done if not _idle(each)],
        key=ARTIFACT,
        description=summary(done),
    )
    return dict(Counter(each.step for each in done if not _idle(each)))


async def trim_history(keep_days: int) -> Done:
    """Delete Prefect's flow runs that ended more than `keep_days` ago, up to MOST_RUNS."""
    old = FlowRunFilter(
        end_time=FlowRunFilterEndTime(before_=utcnow() - timedelta(days=keep_days)),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
    )
    deleted = 0
    async with get_client() as client:
        while deleted < MOST_RUNS and (count := await _delete_page(client, old)):
            deleted += count
    return Done("history", "Prefect flow runs", f"{deleted} deleted")


async def _delete_page(client: PrefectClient, which: FlowRunFilter) -> int:
    runs = await client.read_flow_runs(flow_run_filter=which, limit=PAGE)
    for run in runs:
        try:
            await client.delete_flow_run(run.id)
        except ObjectNotFound:  # another run of this flow was faster
            continue
    return len(runs)


def _idle(each: Done) -> bool:
    return each.outcome.startswith(_IDLE) or each.outcome.endswith("unchanged")


def summary(done: Sequence[Done]) -> str:
    """Return one line a step: how much was looked at, and how much of it had to be done."""
    steps = Counter(each.step for each in done)
    acted = Counter(each.step for each in done if not _idle(each))
    busy = sum(each.outcome == "busy" for each in done)
    lines = [f"* {step}: {acted[step]} of {count} had to be done" for step, count in steps.items()]
    if busy:
        lines.append(f"* {busy} were locked by somebody and wait for the next run")
    return "\n".join(lines)
