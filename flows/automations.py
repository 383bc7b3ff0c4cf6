"""Prefect's automations, made in code: `python -m flows.automations`, as `ibkeeper up` does.

A run whose process was killed stays "Running" for ever and holds its place, unless somebody misses
its heartbeat: a server of one's own does that only by an automation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import anyio
from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture

NAME: Final = "ibkeeper: crash runs whose heartbeat is missed"
# Three heartbeats of PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30.
WITHIN: Final = timedelta(seconds=90)
_ENDS: Final = ("Completed", "Failed", "Cancelled", "Crashed")


def zombies() -> Automation:
    """Return the automation that crashes a run after three missed heartbeats."""
    heartbeat = "prefect.flow-run.heartbeat"
    return Automation(
        name=NAME,
        description="A killed run is crashed, so that it holds no place and people are told.",
        trigger=EventTrigger(
            after={heartbeat},
            expect={heartbeat, *(f"prefect.flow-run.{end}" for end in _ENDS)},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=WITHIN,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                state=StateType.CRASHED,
                message="Its heartbeat was missed: the process is gone.",
            )
        ],
    )


async def ensure() -> None:
    """Make the automation, or bring the one that is there up to date."""
    wanted = zombies()
    try:
        found = await Automation.aread(name=NAME)
    except ValueError:
        await wanted.acreate()
        return
    wanted.id = found.id
    await wanted.aupdate()


if __name__ == "__main__":
    anyio.run(ensure)
