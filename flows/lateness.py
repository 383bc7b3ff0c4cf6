"""How late a scheduled run starts, and what it was planned for.

A worker that was away gets every run it missed, oldest first: Prefect drops none. So each
scheduled run says here what it does when it is late; docs/operations.md has the table. A run by
hand is never late.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import State
from prefect.client.schemas import FlowRun
from prefect.context import FlowRunContext
from prefect.states import Completed

from ibcore.calendar import lateness_s, spoken
from ibcore.clock import utcnow


def flow_run() -> FlowRun | None:
    """Return the run that this code is in, None outside of one."""
    context = FlowRunContext.get()
    return context.flow_run if context else None


def planned(run: FlowRun | None) -> datetime | None:
    """Return when the schedule meant a run to start; None: a person started it."""
    return run.expected_start_time if run is not None and run.auto_scheduled else None


def planned_or_now() -> datetime:
    """Return the moment that "today" and "yesterday" of this run are counted from."""
    return planned(flow_run()) or utcnow()


def too_late(limit_s: float, because: str) -> State[Any] | None:
    """Return the state of a scheduled run that starts later than `limit_s`, or None: go on."""
    expected = planned(flow_run())
    late_s = lateness_s(utcnow(), expected) if expected is not None else 0.0
    if late_s <= limit_s:
        return None
    return skipped(f"it starts {spoken(late_s)} late, and {because}")


def skipped(reason: str) -> State[Any]:
    """Return the state of a run that did nothing, and why."""
    return Completed(name="Skipped", message=f"Skipped: {reason}.")
