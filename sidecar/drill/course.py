"""The moments of one drill, as they come: each is a condition that is looked at until it holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from ibcore.clock import monotonic, utcnow
from ibcore.drill import DrillRequest, Step

# Finer than what is promised of the figures (0.1 s); a look costs microseconds.
LOOK_S: Final = 0.01


@dataclass(slots=True)
class Moment:
    """One moment. `after`: what must have come before; `needed`: the drill waits for it."""

    name: str
    holds: Callable[[], bool]
    after: str = "begun"
    needed: Callable[[], bool] = lambda: True


class Course:
    """What has been reached so far. `unheard` counts messages that nobody took."""

    def __init__(self, unheard: Callable[[], int] = lambda: 0) -> None:
        self.steps: list[Step] = []
        self._unheard = unheard
        self._unheard_at: dict[str, int] = {}
        self._bases: dict[str, list[Callable[[], None]]] = defaultdict(list)
        self._began = monotonic()

    def __contains__(self, name: str) -> bool:
        return any(step.name == name for step in self.steps)

    def begin(self) -> None:
        """Take that the fault begins now."""
        self._began = monotonic()
        self._note("begun", 0.0)

    def seconds(self) -> float:
        """Return how long ago the fault began."""
        return monotonic() - self._began

    def reach(self, name: str) -> None:
        """Take that a moment has come."""
        self._note(name, self.seconds())

    def unheard_before(self, name: str) -> int | None:
        """Return how many messages went unheard until a moment; None: it has not come."""
        if name not in self:
            return None
        return self._unheard_at[name] - self._unheard_at["begun"]

    def grows(self, count: Callable[[], int], *, since: str) -> Callable[[], bool]:
        """Return whether a count has grown since a moment: one at which it stands still.

        What comes between the moment it may grow again and the look that sees that is counted.
        """
        base: list[int] = []

        def take() -> None:
            base.append(count())

        if since in self:
            take()
        else:
            self._bases[since].append(take)
        return lambda: bool(base) and count() > base[0]

    def _note(self, name: str, seconds: float) -> None:
        self.steps.append(Step(name, utcnow(), seconds))
        self._unheard_at[name] = self._unheard()
        for take in self._bases.pop(name, []):
            take()

    async def follow(self, moments: Sequence[Moment], wanted: DrillRequest) -> None:
        """Look until every moment that is needed has come, or for as long as was asked for."""
        waiting = list(moments)
        while any(one.needed() for one in waiting):
            for one in list(waiting):
                if one.after in self and one.holds():
                    self.reach(one.name)
                    waiting.remove(one)
            patient_s = wanted.longest_s if "failed over" in self else wanted.patience_s
            if self.seconds() >= patient_s:
                return
            await anyio.sleep(LOOK_S)
