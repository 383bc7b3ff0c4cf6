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
    """What is done to the sidecar's own connections; nothing is done to a gateway.

    `drop`: the socket is cut. `refuse`: it is cut, and every attempt to connect is refused for a
    while. `mute`: it stays, and nothing is read from it (half-open). `stale`: the session stays,
    and the ticks of the primary are not heard. `standby`: the socket of the standby is cut, and
    its reconnects are refused. `alert`: an incident is opened and told; nothing else is touched.
    """

    drop = "drop"
    refuse = "refuse"
    mute = "mute"
    stale = "stale"
    standby = "standby"
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
        " stale: ticks unheard. standby: the backup is lost. alert: only the way of an alert.",
    )
    hold_s: float = Field(
        10.0,
        ge=1,
        le=600,
        title="Hold for (s)",
        description="How long connections are refused or nothing is heard; the sidecar ends it."
        " A failover needs longer than its staleness (60 s).",
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
    failover_within_s: float = Field(
        65.0,
        gt=0,
        le=600,
        title="Fail over within (s)",
        description="Objective of stale, from the fault until the backup is taken.",
    )
    backup_tick_within_s: float = Field(
        2.0,
        gt=0,
        le=60,
        title="Backup ticks within (s)",
        description="Objective where it fails over: the first row of the backup after that.",
    )
    failback_within_s: float = Field(
        150.0,
        gt=0,
        le=900,
        title="Back within (s)",
        description="Objective where it fails over: the primary is taken again after the fault.",
    )
    market_open_allowed: bool = Field(
        False, title="Even while the market is open", description="Ticks are missed meanwhile."
    )
    working_orders_allowed: bool = Field(
        False, title="Even with working orders", description="They work on at IB, unseen."
    )

    @property
    def patience_s(self) -> float:
        """Return after how long a drill that has not failed over is over, whatever it waits for."""
        over = self.failover_within_s if self.scenario is Scenario.stale else 0.0
        return max(self.hold_s, over) + self.detect_within_s + self.recover_within_s

    @property
    def longest_s(self) -> float:
        """Return how long it may take in all."""
        back = 0.0 if self.scenario is Scenario.alert else self.failback_within_s
        return self.patience_s + back


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
    failover_s: float | None = None
    backup_tick_s: float | None = None
    failback_s: float | None = None


# Scenarios that hold their fault for as long as they were asked to, whatever is noticed.
HELD: Final = frozenset({Scenario.refuse, Scenario.stale, Scenario.standby})


def judge(wanted: DrillRequest, steps: Sequence[Step]) -> Outcome:
    """Hold the steps against the objectives."""
    at = {step.name: step.seconds for step in steps}
    detect = at.get("noticed")
    back = at.get("first tick", at.get("delivered"))
    # The time that the drill itself kept the connection away is not recovery.
    held = wanted.hold_s if wanted.scenario in HELD else detect or 0.0
    recover = None if back is None else max(0.0, back - held)
    over, backup, again = (at.get(name) for name in ("failed over", "backup tick", "failed back"))
    backup_s = None if over is None or backup is None else backup - over
    failback = None if again is None else max(0.0, again - held)
    why = [*_basic(wanted, detect, recover), *_failover(wanted, over, backup_s, failback)]
    said = " ".join(text for text in why if text)
    verdict = DrillVerdict.failed if said else DrillVerdict.passed
    return Outcome(verdict, said, detect, recover, over, backup_s, failback)


def _basic(wanted: DrillRequest, detect: float | None, recover: float | None) -> list[str]:
    noticed = _late("noticed", detect, wanted.detect_within_s)
    # An alert is not noticed but delivered; silence is noticed by failing over.
    unjudged = wanted.scenario in (Scenario.alert, Scenario.stale)
    return ["" if unjudged else noticed, _late("back", recover, wanted.recover_within_s)]


def _failover(
    wanted: DrillRequest, over: float | None, backup_s: float | None, failback: float | None
) -> list[str]:
    if wanted.scenario is Scenario.standby:
        lost = "Rows went to a backup although the primary was well."
        return [] if over is None else [lost]
    must = wanted.scenario is Scenario.stale
    if over is None and not must:
        return []
    return [
        _late("failed over", over, wanted.failover_within_s) if must else "",
        _late("ticking at the backup", backup_s, wanted.backup_tick_within_s),
        _late("failed back", failback, wanted.failback_within_s),
    ]


def _late(what: str, took_s: float | None, within_s: float) -> str:
    if took_s is None:
        return f"It was not {what} at all."
    return "" if took_s <= within_s else f"It was {what} after {took_s:.2f} s, not {within_s:g} s."
