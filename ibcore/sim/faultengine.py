"""The engine of faults: plans them, starts them when their time comes, and ends them.

Time is the gateway's injected clock, and every fault's dice are thrown from its seed: the plan
that the ledger keeps, given again, does the same to the same requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from ibcore.sim import disturbances, faults, orderfaults, outages, plans
from ibcore.sim.config import Clock, SimConfig
from ibcore.sim.disturbances import Disturbance
from ibcore.sim.ledger import FaultRecord, Ledger
from ibcore.sim.plans import Plan
from ibcore.sim.poison import Poison

if TYPE_CHECKING:
    from ibcore.sim.session import Session

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class Stage(orderfaults.TradingStage, Protocol):
    """What the engine needs of the gateway."""

    config: SimConfig
    wall: Clock
    ledger: Ledger


# `accept` and `clear` are not here: they end others, which only the engine can.
EFFECTS: Final[dict[str, Callable[[Plan, Any], Disturbance]]] = {
    "refuse": disturbances.Refuse,
    "deaf": disturbances.Deaf,
    "drop": disturbances.Drop,
    "reset": disturbances.Reset,
    "freeze": disturbances.Freeze,
    "slow": disturbances.Shaping,
    "slice": disturbances.Shaping,
    **dict.fromkeys(
        ("mute", "garble", "truncate", "lost-ack", "lost-fill", "duplicate", "reorder"),
        disturbances.Filtering,
    ),
    "notice": disturbances.Notice,
    "burst": disturbances.Burst,
    "skew": disturbances.Skew,
    "silent": outages.Silent,
    "farm": outages.FarmDown,
    "1100": outages.LinkDown,
    "1101": outages.DataLost,
    "1102": outages.DataKept,
    "10197": outages.Competing,
    "nightly": outages.Nightly,
    "poison": Poison,
    "fill": orderfaults.FillNow,
    "correct": orderfaults.Correct,
    "rollback": orderfaults.Rollback,
}


@dataclass(frozen=True)
class Done:
    """What came of an order to the engine; `repeat` are the arguments that do it again."""

    done: str
    number: int
    seed: int
    repeat: str


@dataclass
class _Running:
    work: Disturbance
    ends_at: float


class FaultEngine:
    """The faults of one gateway."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._planned: list[tuple[float, Plan]] = []
        self._running: list[_Running] = []
        self._count = 0

    @property
    def active(self) -> list[str]:
        """The names of the faults that are on."""
        return [running.work.plan.name for running in self._running]

    def order(self, name: str, for_s: float | None, given: Mapping[str, Any]) -> Done:
        """Plan a fault; start it at once unless it comes after a while."""
        number = self._count + 1
        seed = self._stage.config.seed * 1_000 + number
        plan = plans.plan(name, for_s, given, number=number, seed=seed)
        work = EFFECTS[name](plan, self._stage) if name in EFFECTS else None
        ended = str(plan.values.get("fault", ""))
        if ended and ended not in faults.CATALOGUE:
            raise ValueError(f"no fault is named {ended!r}; {faults.nearest(ended, EFFECTS)}")
        self._count = number
        if plan.after_s:
            self._planned.append((self._stage.clock.monotonic() + plan.after_s, plan))
            self._planned.sort(key=lambda planned: (planned[0], planned[1].number))
            done = self._note(plan, "planned", f"in {plan.after_s:g} s")
        else:
            done = self._begin(plan, work)
        return Done(done, number, plan.seed, plan.command())

    def _begin(self, plan: Plan, work: Disturbance | None) -> str:
        now = self._stage.clock.monotonic()
        if work is None:
            return self._note(plan, "started", self._end_others(plan))
        done = work.start()
        if plan.for_s is not None:
            self._running.append(_Running(work, now + plan.for_s))
        return self._note(plan, "started", done)

    def _end_others(self, plan: Plan) -> str:
        if plan.name == "accept":
            self.clear("refuse")
            self.clear("deaf")
            return "connections are accepted"
        name = str(plan.values["fault"])
        return f"{self.clear(name)} faults ended"

    def turn(self, now: float) -> None:
        """Start, turn and end what is due."""
        while self._planned and self._planned[0][0] <= now:
            self._begin_late(self._planned.pop(0)[1])
        for running in list(self._running):
            if running.ends_at <= now:
                self._end(running)
            else:
                self._turn(running, now)

    def _turn(self, running: _Running, now: float) -> None:
        """Turn one fault; one that fails ends, and must not end the others."""
        try:
            running.work.turn(now)
        except Exception as error:
            log.exception("sim_fault_failed", fault=running.work.plan.name)
            self._stage.ledger.counts["faults_failed"] += 1
            self._note(running.work.plan, "failed", repr(error))
            self._end(running)

    def _begin_late(self, plan: Plan) -> None:
        """Start what was planned; what is impossible by now is noted, nobody waits for an error."""
        try:
            self._begin(
                plan, EFFECTS[plan.name](plan, self._stage) if plan.name in EFFECTS else None
            )
        except ValueError as error:
            self._note(plan, "impossible", str(error))

    def admit(self, session: Session) -> None:
        """Show every fault that is on a session that came or started."""
        for running in list(self._running):
            running.work.admit(session)

    def clear(self, name: str = "") -> int:
        """End the faults of one name, or all; forget the planned ones too."""
        ended = [run for run in self._running if not name or run.work.plan.name == name]
        for running in ended:
            self._end(running)
        dropped = [plan for _at, plan in self._planned if not name or plan.name == name]
        self._planned = [planned for planned in self._planned if planned[1] not in dropped]
        for plan in dropped:
            self._note(plan, "forgotten", "before it began")
        return len(ended) + len(dropped)

    def _end(self, running: _Running) -> None:
        self._running.remove(running)
        running.work.stop()
        self._note(running.work.plan, "ended", "")

    def _note(self, plan: Plan, event: str, detail: str) -> str:
        at_ns = self._stage.wall.unix_ns()
        self._stage.ledger.fault(
            FaultRecord(at_ns, plan.number, plan.name, event, plan.command(), detail)
        )
        return detail
