"""What faults do: to the door, to connections, to the gateway as a whole.

A disturbance is one fault at work. The engine starts it, shows it every session that comes while
it is on, turns it with the pump and stops it; everything random in it is drawn from its seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ibcore.sim import filters
from ibcore.sim.clocks import SkewedClock
from ibcore.sim.config import Clock
from ibcore.sim.farms import Farms
from ibcore.sim.listener import Listener
from ibcore.sim.plans import Plan
from ibcore.sim.shaper import Shape

if TYPE_CHECKING:
    from ibcore.sim.datadesk import DataDesk
    from ibcore.sim.lines import Line
    from ibcore.sim.outlet import Filter
    from ibcore.sim.session import Session
    from ibcore.sim.streams import Stream
    from ibcore.sim.subscriptions import Subscriptions

Undo: TypeAlias = Callable[[], None]


class Stage(Protocol):
    """What faults need of the gateway."""

    clock: Clock
    skewed: SkewedClock  # the same clock, as what it is
    subscriptions: Subscriptions
    data: DataDesk
    farms: Farms
    listener: Listener
    speeds: list[float]  # how much faster the market runs; the product counts
    standstills: int  # faults that let the whole gateway stand still

    @property
    def connections(self) -> list[Session]:
        """Every connection, started or not, in the order in which they came."""


class Disturbance:
    """One fault at work."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        self.plan = plan
        self.stage = stage

    def start(self) -> str:
        """Begin; return what was done."""
        raise NotImplementedError

    def admit(self, session: Session) -> None:
        """See a session that came, or started, while this is on."""

    def turn(self, now: float) -> None:
        """Do what is due (monotonic seconds)."""

    def stop(self) -> None:
        """End it."""

    def aimed_at(self, session: Session) -> bool:
        """Whether the plan is aimed at this session."""
        return self.plan.client is None or session.client_id == self.plan.client

    def aimed_at_line(self, line: Line | Stream) -> bool:
        """Whether the plan is aimed at this line, or stream of ticks, depth or bars."""
        wanted = self.plan.line
        named = wanted is None or wanted in (line.contract.symbol, str(line.req_id))
        return named and self.aimed_at(line.session)

    def sessions(self, *, started: bool = False) -> list[Session]:
        """Return the sessions that the plan is aimed at."""
        return [
            session
            for session in self.stage.connections
            if self.aimed_at(session) and (session.started or not started)
        ]

    def lines(self) -> list[Line]:
        """Return the lines that the plan is aimed at, in the order of sessions and requests."""
        return [
            line
            for session in self.sessions()
            for line in session.lines.values()
            if self.aimed_at_line(line)
        ]

    def random(self, session: Session) -> random.Random:
        """Return the dice of one session: the same seed and session throw the same."""
        return random.Random(self.plan.seed * 1_000_003 + session.number)


def told(count: int, what: str, done: str) -> str:
    """Say how many of something had something done to them."""
    return f"{count} {what} {done}"


class Refuse(Disturbance):
    """Nobody is let in."""

    def start(self) -> str:
        self.stage.listener.refusals += 1
        self.stage.listener.settle()
        cut = [] if self.plan.values["keep"] else self.stage.connections
        for session in cut:
            session.abort(self.plan.name)
        return f"{len(cut)} connections cut, none accepted for {self.plan.for_s:g} s"

    def stop(self) -> None:
        self.stage.listener.refusals -= 1
        self.stage.listener.settle()


class Deaf(Disturbance):
    """Nobody is accepted, and the kernel hides it."""

    def start(self) -> str:
        self.stage.listener.deafnesses += 1
        self.stage.listener.settle()
        return f"connections are not accepted for {self.plan.for_s:g} s"

    def stop(self) -> None:
        self.stage.listener.deafnesses -= 1
        self.stage.listener.settle()


class Drop(Disturbance):
    """Connections are cut."""

    def start(self) -> str:
        cut = self.sessions()
        for session in cut:
            self.cut(session)
        return told(len(cut), "connections", self.done)

    done = "cut"

    def admit(self, session: Session) -> None:
        if session.started and self.aimed_at(session):
            self.cut(session)

    def cut(self, session: Session) -> None:
        """End one connection."""
        session.abort(self.plan.name)


class Reset(Drop):
    """Connections are cut with a reset."""

    done = "reset"

    def cut(self, session: Session) -> None:
        session.reset(self.plan.name)


class OnSessions(Disturbance):
    """Something is attached to every session that the plan is aimed at, old and new."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        super().__init__(plan, stage)
        self._undo: dict[Session, Undo] = {}

    def start(self) -> str:
        for session in self.stage.connections:
            self.admit(session)
        return told(len(self._undo), "connections", f"under {self.plan.name}")

    def admit(self, session: Session) -> None:
        if self.aimed_at(session) and session not in self._undo:
            self._undo[session] = self.attach(session)

    def attach(self, session: Session) -> Undo:
        """Begin with one session; return how to end."""
        raise NotImplementedError

    def stop(self) -> None:
        for undo in self._undo.values():
            undo()
        self._undo.clear()


class Freeze(OnSessions):
    """Nothing is read and nothing sent; with no session named, the gateway stands still."""

    def start(self) -> str:
        self.stage.standstills += self.plan.client is None
        return super().start()

    def attach(self, session: Session) -> Undo:
        session.freeze()
        return session.thaw

    def stop(self) -> None:
        self.stage.standstills -= self.plan.client is None
        super().stop()


class Shaping(OnSessions):
    """Bytes are let out late, slowly or in pieces."""

    def attach(self, session: Session) -> Undo:
        shaper = session.out.shape(self._shape(session.number))
        return lambda: session.out.unshape(shaper)

    def _shape(self, number: int) -> Shape:
        given = self.plan.values
        return Shape(
            latency_s=float(given.get("latency_ms", 0.0)) / 1000,
            jitter_s=float(given.get("jitter_ms", 0.0)) / 1000,
            bytes_s=float(given.get("bytes_s", 0.0)),
            piece=int(given.get("bytes", 0)),
            gap_s=float(given.get("gap_ms", 0.0)) / 1000,
            seed=self.plan.seed * 1_000_003 + number,
        )


class Filtering(OnSessions):
    """Whole frames are changed, lost, repeated or reordered."""

    def attach(self, session: Session) -> Undo:
        chosen = self._filter(session)
        session.out.flush()  # what was said before the fault goes out without it
        session.out.filters.append(chosen)
        return lambda: self._detach(session, chosen)

    def _detach(self, session: Session, chosen: Filter) -> None:
        session.out.flush()
        session.out.filters.remove(chosen)
        if isinstance(chosen, filters.Reorder):
            for data in chosen.rest():
                session.send(data)

    def _filter(self, session: Session) -> Filter:
        dice = self.random(session)
        match self.plan.name:
            case "mute":
                return filters.Mute()
            case "garble":
                return filters.Garble(self.plan, session, dice)
            case "truncate":
                return filters.Truncate(self.plan, session, dice)
            case "duplicate":
                return filters.Duplicate(self.plan, session)
            case "reorder":
                return filters.Reorder(self.plan, session, dice, now=self.stage.clock.monotonic)
            case name:
                tells = filters.tells_ack if name == "lost-ack" else filters.tells_fill
                return filters.Lose(self.plan, session, tells)


class Burst(Disturbance):
    """The market runs faster."""

    def start(self) -> str:
        self.stage.speeds.append(float(self.plan.values["times"]))
        return f"the market runs {self.plan.values['times']:g} times as fast"

    def stop(self) -> None:
        self.stage.speeds.remove(float(self.plan.values["times"]))


class Skew(Disturbance):
    """The gateway's clock is wrong."""

    def start(self) -> str:
        self.stage.skewed.skew_s += float(self.plan.values["seconds"])
        return f"the clock is {self.stage.skewed.skew_s:g} s ahead"

    def stop(self) -> None:
        self.stage.skewed.skew_s -= float(self.plan.values["seconds"])


class Notice(Disturbance):
    """A notice or an error is sent."""

    def start(self) -> str:
        sent = list(self._addressees()) * int(self.plan.values["times"])
        for session, req_id in sent:
            session.error(req_id, int(self.plan.values["code"]), str(self.plan.values["text"]))
        return told(len(sent), "notices", "sent")

    def _addressees(self) -> Iterable[tuple[Session, int]]:
        if self.plan.order is not None:
            return [(session, self.plan.order) for session in self.sessions(started=True)]
        if self.plan.line is not None:
            return [(line.session, line.req_id) for line in self.lines()]
        return [(session, -1) for session in self.sessions(started=True)]
