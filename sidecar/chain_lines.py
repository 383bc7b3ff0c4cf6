"""The lines of one sweep, shared by its connections: who is next, who is taken, who comes again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ib_async import Contract

from sidecar.chain_quote import LineValues


@dataclass(frozen=True, slots=True)
class Line:
    """One contract to read, and where its values go."""

    contract: Contract
    values: LineValues
    generic_ticks: str = ""


class Lines:
    """What is left to read, in order; each line is taken once."""

    def __init__(
        self, lines: Sequence[Line], on_taken: Callable[[int], None] = lambda _done: None
    ) -> None:
        self._waiting = deque(lines)
        self._total = len(lines)
        self._open = 0
        self._on_taken = on_taken

    @property
    def left(self) -> bool:
        """Say whether anything waits to be opened."""
        return bool(self._waiting)

    @property
    def taken(self) -> int:
        """Return how many lines are done."""
        return self._total - len(self._waiting) - self._open

    def next(self) -> Line:
        """Return the next line; whoever takes it gives it back or says that it is done."""
        self._open += 1
        return self._waiting.popleft()

    def give_back(self, line: Line) -> None:
        """Put a line that was not read to its end before the others."""
        self._open -= 1
        self._waiting.appendleft(line)

    def done(self) -> None:
        """Count a line that is taken."""
        self._open -= 1
        self._on_taken(self.taken)
