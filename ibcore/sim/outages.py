"""Outages: lines that fall silent, farms that break, a link to IB that goes and comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from ibcore.sim import farms
from ibcore.sim.disturbances import Disturbance, Stage, told
from ibcore.sim.plans import Plan

_COMPETING: Final = 10197
_COMPETING_TEXT: Final = "No market data during competing live session"

Step: TypeAlias = tuple[float, Callable[[], None]]


def lose_lines(stage: Stage) -> int:
    """Forget every line and stream, as the gateway does before 1101; return how many there were."""
    count = stage.subscriptions.count + len(list(stage.data.streams))
    for session in stage.connections:
        stage.subscriptions.drop_all(session)
        stage.data.streams.drop_all(session)
    return count


def kill_lines(stage: Stage) -> int:
    """Let every line and stream go silent for good; return how many that were."""
    lines = stage.subscriptions.kill(list(stage.subscriptions))
    return lines + stage.data.streams.kill(stage.data.streams)


class Silent(Disturbance):
    """Lines say nothing, and nobody says why."""

    def start(self) -> str:
        self.stage.subscriptions.silences.append(self.aimed_at_line)
        return told(len(self.lines()), "lines", "are silent")

    def stop(self) -> None:
        self.stage.subscriptions.silences.remove(self.aimed_at_line)


class Competing(Silent):
    """A competing session takes the data: 10197 in bunches, over and over."""

    def start(self) -> str:
        self._due = self.stage.clock.monotonic()
        self._place = 0
        return super().start()

    def turn(self, now: float) -> None:
        if now < self._due:
            return
        self._due = now + float(self.plan.values["every"])
        live = self.lines()
        for _ in range(int(self.plan.values["bunch"]) if live else 0):
            line = live[self._place % len(live)]
            self._place += 1
            line.session.error(line.req_id, _COMPETING, _COMPETING_TEXT)


class FarmDown(Disturbance):
    """A farm breaks and comes back."""

    def start(self) -> str:
        self.stage.farms.lose(str(self.plan.values["farm"]))
        return f"{self.plan.values['farm']} is broken"

    def stop(self) -> None:
        farm = str(self.plan.values["farm"])
        if self.plan.values["dead"]:
            lines = self.stage.subscriptions
            lines.kill([line for line in lines if farms.farm_of(line.contract) == farm])
            streams = self.stage.data.streams
            streams.kill(stream for stream in streams if farms.farm_of(stream.contract) == farm)
        self.stage.farms.mend(farm)


class LinkDown(Disturbance):
    """The link to IB goes, and comes back with 1101, with 1102 or without a word."""

    def start(self) -> str:
        self._due = self.stage.clock.monotonic() + float(self.plan.values["every"])
        self.stage.farms.lose_link()
        return "the link to IB is lost"

    def turn(self, now: float) -> None:
        if now >= self._due:
            self._due = now + float(self.plan.values["every"])
            self.stage.farms.say_lost()

    def stop(self) -> None:
        restore(self.stage, str(self.plan.values["then"]), dead=bool(self.plan.values["dead"]))


def restore(stage: Stage, then: str, *, dead: bool = False) -> None:
    """Bring the link back and say how."""
    stage.farms.restore_link()
    if then == "1101":
        lose_lines(stage)
    elif dead:
        kill_lines(stage)
    if then != "none":
        stage.farms.say_restored(int(then))


class DataLost(Disturbance):
    """1101: every line is gone until it is asked for again."""

    def start(self) -> str:
        count = lose_lines(self.stage)
        self.stage.farms.say_restored(farms.DATA_LOST)
        return told(count, "lines", "are gone")


class DataKept(Disturbance):
    """1102, and it is true or not."""

    def start(self) -> str:
        count = kill_lines(self.stage) if self.plan.values["dead"] else 0
        self.stage.farms.say_restored(farms.DATA_KEPT)
        return told(count, "lines", "are dead")


class Nightly(Disturbance):
    """The nightly reset, as one was recorded (IbcAlpha/IBC#143), in the time it is given."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        super().__init__(plan, stage)
        self._steps: list[Step] = []
        self._link_lost = False

    def start(self) -> str:
        began, lasts = self.stage.clock.monotonic(), self.plan.for_s or 0.0
        self._steps = [(began + share * lasts, act) for share, act in self._timeline()]
        self.turn(began)
        return f"the nightly reset takes {lasts:g} s"

    def _timeline(self) -> list[Step]:
        market = self.stage.farms
        count = int(self.plan.values["notices"])
        lost = [(0.35 + 0.25 * number / count, self._lose) for number in range(count)]
        return [
            (0.0, lambda: market.lose(farms.STOCKS)),
            (0.02, lambda: market.mend(farms.STOCKS)),
            *lost,
            (0.65, lambda: market.lose(farms.STOCKS)),
            (0.65, lambda: market.lose(farms.OPTIONS)),
            (1.0, self._restore),
            (1.0, lambda: market.mend(farms.STOCKS)),
            (1.0, lambda: market.mend(farms.OPTIONS)),
        ]

    def _lose(self) -> None:
        if self._link_lost:
            self.stage.farms.say_lost()
        else:
            self._link_lost = True
            self.stage.farms.lose_link()

    def _restore(self) -> None:
        restore(self.stage, str(self.plan.values["then"]))

    def turn(self, now: float) -> None:
        while self._steps and self._steps[0][0] <= now:
            self._steps.pop(0)[1]()

    def stop(self) -> None:
        """Do at once what is left to do."""
        for _at, act in self._steps:
            act()
        self._steps.clear()
