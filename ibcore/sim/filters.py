"""Filters: faults that change, lose, repeat or reorder whole frames on their way out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ibcore.sim import places
from ibcore.sim.plans import Plan

if TYPE_CHECKING:
    from ibcore.sim.session import Session

_STATUS: Final = frozenset({places.ORDER_STATUS, places.OPEN_ORDER})
_EXECUTED: Final = frozenset({places.EXECUTION, places.COMMISSION})


class Mute:
    """Lets nothing through."""

    def pass_on(self, _frames: list[bytes]) -> list[bytes]:
        """Return nothing."""
        return []


class OnLine:
    """Tells the frames of the lines that a plan is aimed at; without a line, all are.

    A line named by its id is whatever was asked under that id, also depth, bars or details.
    """

    def __init__(self, plan: Plan, session: Session) -> None:
        self._line = plan.line
        self._session = session

    def meets(self, data: bytes) -> bool:
        """Whether the plan is aimed at this frame."""
        if self._line is None:
            return True
        fields = places.split(data)
        req_id = places.integer(fields, places.REQUEST_AT.get(places.message_id(fields)))
        line = self._session.lines.get(-1 if req_id is None else req_id)
        return self._line == str(req_id) or (
            line is not None and self._line == line.contract.symbol
        )


class Garble:
    """Changes one byte in a share of the frames."""

    def __init__(self, plan: Plan, session: Session, rng: random.Random) -> None:
        self._aim = OnLine(plan, session)
        self._random = rng
        self._share = float(plan.values["share"])
        self._where = str(plan.values["where"])

    def pass_on(self, frames: list[bytes]) -> list[bytes]:
        """Return the frames, some of them spoiled."""
        return [self._spoiled(data) if self._picks(data) else data for data in frames]

    def _picks(self, data: bytes) -> bool:
        return self._aim.meets(data) and self._random.random() < self._share

    def _spoiled(self, data: bytes) -> bytes:
        first, last = {"body": (4, len(data)), "length": (0, 4)}.get(self._where, (0, len(data)))
        place = self._random.randrange(first, last)
        spoiled = bytearray(data)
        spoiled[place] ^= self._random.randrange(1, 256)
        return bytes(spoiled)


class Truncate:
    """Cuts one frame short; then the connection ends, or goes on out of step."""

    def __init__(self, plan: Plan, session: Session, rng: random.Random) -> None:
        self._aim = OnLine(plan, session)
        self._session = session
        self._random = rng
        self._hang_up = bool(plan.values["hang_up"])
        self.done = False

    def pass_on(self, frames: list[bytes]) -> list[bytes]:
        """Return the frames up to the cut, or all of them with one cut."""
        if self.done:
            return [] if self._hang_up else frames
        for number, data in enumerate(frames):
            if self._aim.meets(data):
                self.done = True
                return self._cut(frames, number)
        return frames

    def _cut(self, frames: list[bytes], number: int) -> list[bytes]:
        data = frames[number]
        short = data[: self._random.randrange(1, len(data))]
        if not self._hang_up:
            return [*frames[:number], short, *frames[number + 1 :]]
        asyncio.get_running_loop().call_soon(
            self._session.hang_up, "truncate"
        )  # after this very write
        return [*frames[:number], short]


class OnOrder:
    """Tells the news about the orders that a plan is aimed at; without one, about any.

    The answer to a question (reqOpenOrders, reqExecutions) is no news: who asks is told the truth.
    """

    def __init__(self, plan: Plan, session: Session) -> None:
        self._order = plan.order
        self._session = session
        self._follower = places.OrderFollower()

    def meets(self, fields: list[str]) -> bool:
        """Whether this is about an order that the plan is aimed at."""
        order_id = self._follower.order_id(fields)
        if self._session.answering:
            return False
        about = order_id is not None or places.message_id(fields) == places.COMMISSION
        return about and (self._order is None or order_id == self._order)


def tells_ack(fields: list[str]) -> bool:
    """Whether a message says that an order was taken, or how it stands."""
    return places.message_id(fields) in _STATUS


def tells_fill(fields: list[str]) -> bool:
    """Whether a message says that something was executed."""
    msg_id = places.message_id(fields)
    if msg_id == places.ORDER_STATUS:
        return len(fields) > places.FILLED_AT and fields[places.FILLED_AT] not in {"0", "0.0", ""}
    return msg_id in _EXECUTED or (msg_id == places.OPEN_ORDER and "Filled" in fields)


class Lose:
    """Swallows messages about orders, at most `count` of them if that is not zero."""

    def __init__(self, plan: Plan, session: Session, tells: Callable[[list[str]], bool]) -> None:
        self._aim = OnOrder(plan, session)
        self._tells = tells
        self._count = int(plan.values["count"])
        self.lost = 0

    def pass_on(self, frames: list[bytes]) -> list[bytes]:
        """Return what is not swallowed."""
        return [data for data in frames if not self._swallows(places.split(data))]

    def _swallows(self, fields: list[str]) -> bool:
        if not (self._aim.meets(fields) and self._tells(fields)):
            return False
        if self._count and self.lost >= self._count:
            return False
        self.lost += 1
        return True


class Duplicate:
    """Sends messages about orders several times."""

    def __init__(self, plan: Plan, session: Session) -> None:
        self._aim = OnOrder(plan, session)
        self._times = int(plan.values["times"])

    def pass_on(self, frames: list[bytes]) -> list[bytes]:
        """Return the frames, some of them repeated at once."""
        out: list[bytes] = []
        for data in frames:
            out.extend([data] * (self._times if self._aim.meets(places.split(data)) else 1))
        return out


class Reorder:
    """Gathers messages about orders for a while and lets them out in another order."""

    def __init__(
        self, plan: Plan, session: Session, rng: random.Random, *, now: Callable[[], float]
    ) -> None:
        self._aim = OnOrder(plan, session)
        self._random = rng
        self._now = now
        self._window_s = float(plan.values["window_ms"]) / 1000
        self._held: list[bytes] = []
        self._due = 0.0

    def pass_on(self, frames: list[bytes]) -> list[bytes]:
        """Return the frames without those that are gathered, and those whose time has come."""
        passed: list[bytes] = []
        for data in frames:
            if self._aim.meets(places.split(data)):
                self._gather(data)
            else:
                passed.append(data)
        return passed + (self.rest() if self._held and self._now() >= self._due else [])

    def _gather(self, data: bytes) -> None:
        if not self._held:
            self._due = self._now() + self._window_s
        self._held.append(data)

    def rest(self) -> list[bytes]:
        """Let out what is held, shuffled; never as it came if it can be otherwise."""
        held, self._held = self._held, []
        came = list(held)
        for _ in range(8):
            self._random.shuffle(held)
            if held != came:
                break
        return held
