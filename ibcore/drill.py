"""What a drill is asked for, and its verdict: one model, rendered in the Prefect UI. Pure.

Flows and sidecar meet in the `request` table; `DrillRequest` is the shape of its payload for the
kind `drill`. What was measured stands in `drill` and `drill_step`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ibcore.domain import StrEnum

KIND: Final = "drill"


class Scenario(StrEnum):
    """What is done to the sidecar's own connection; nothing is done to the gateway.

    `drop`: the socket is cut. `refuse`: it is cut, and every attempt to connect is refused for a
    while. `mute`: it stays, and nothing is read from it (half-open). `alert`: an incident is
    opened and told; the connection is left alone.
    """

    drop = "drop"
    refuse = "refuse"
    mute = "mute"
    alert = "alert"


class DrillVerdict(StrEnum):
    """How a drill ended."""

    passed = "passed"
    failed = "failed"


class DrillRequest(BaseModel):
    """What to drill, and what must be kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: Scenario = Field(
        Scenario.drop,
        title="Scenario",
        description="drop: cut the socket. refuse: cut it and refuse to reconnect. mute: half-open."
        " alert: only the way of an alert to its people.",
    )
    hold_s: float = Field(
        10.0,
        ge=1,
        le=120,
        title="Hold for (s)",
        description="How long connections are refused or nothing is read; the sidecar ends it.",
    )
    detect_within_s: float = Field(
        10.0, gt=0, le=300, title="Detect within (s)", description="Objective."
    )
    recover_within_s: float = Field(
        20.0,
        gt=0,
        le=300,
        title="Recover within (s)",
        description="Objective: the first tick after the end of the fault, or the alert's arrival.",
    )
    market_open_allowed: bool = Field(
        False, title="Even while the market is open", description="Ticks are missed meanwhile."
    )
    working_orders_allowed: bool = Field(
        False, title="Even with working orders", description="They work on at IB, unseen."
    )

    @property
    def longest_s(self) -> float:
        """Return after how long a drill has failed, whatever it waits for."""
        return self.hold_s + self.detect_within_s + self.recover_within_s


class Step(NamedTuple):
    """One moment of a drill."""

    name: str
    at: datetime
    seconds: float


class Outcome(NamedTuple):
    """What a drill showed. `why`: what was not kept, for a person."""

    verdict: DrillVerdict
    why: str
    detect_s: float | None
    recover_s: float | None


def judge(wanted: DrillRequest, steps: Sequence[Step]) -> Outcome:
    """Hold the steps against the objectives."""
    at = {step.name: step.seconds for step in steps}
    detect = at.get("noticed")
    back = at.get("first tick", at.get("delivered"))
    # The time that the drill itself kept the connection away is not recovery.
    held = wanted.hold_s if wanted.scenario is Scenario.refuse else detect or 0.0
    recover = None if back is None else max(0.0, back - held)
    why = [
        _late("noticed", detect, wanted.detect_within_s)
        if wanted.scenario is not Scenario.alert
        else "",
        _late("back", recover, wanted.recover_within_s),
    ]
    said = " ".join(text for text in why if text)
    return Outcome(DrillVerdict.failed if said else DrillVerdict.passed, said, detect, recover)


def _late(what: str, took_s: float | None, within_s: float) -> str:
    if took_s is None:
        return f"It was not {what} at all."
    return "" if took_s <= within_s else f"It was {what} after {took_s:.2f} s, not {within_s:g} s."
