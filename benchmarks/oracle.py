"""What the tables must hold, from the simulator's ledger alone: an independent reading of it.

Nothing of the sidecar is used here. For each line the messages become the rows that a recorder
has to write, in order; `compare` then finds what is missing, doubled or wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

Values = tuple[Any, ...]


class Expected(NamedTuple):
    """A row that must be there, and when its message was sent."""

    sent_ns: int
    values: Values


class Stored(NamedTuple):
    """A row that is there, and when it was committed."""

    committed_ns: int
    values: Values


class Verdict(NamedTuple):
    """How a line's rows compare; latencies are of the rows that match."""

    missing: int
    wrong: int
    latencies_ms: list[tuple[int, float]]


class LineOracle:
    """The state of one line, told by tick type."""

    def __init__(self) -> None:
        self._book: list[float | None] = [None] * 4
        self._last: list[float | None] = [None, None]
        self._strings: dict[int, str] = {}
        self._numbers: dict[int, float] = {}

    def rows(self, ticks: Iterable[dict[str, Any]]) -> Iterator[Expected]:
        """Yield the row of every message that changes something."""
        for tick in ticks:
            values = self._row(tick["msg_id"], tick["tick_type"], tick["fields"])
            if values is not None:
                yield Expected(tick["at_ns"], values)

    def _row(self, msg_id: int, kind: int, fields: Sequence[str]) -> Values | None:
        if msg_id == 21:
            return ("greeks", kind, *(float(text) for text in fields[1:3]))
        if msg_id == 46:
            return self._string(kind, fields[0])
        if kind in (0, 1, 2, 3):
            return self._quote(kind, [float(text) for text in fields[:2]])
        if kind in (4, 5):
            return self._trade(kind, [float(text) for text in fields[:2]])
        return self._number(kind, float(fields[0]))

    def _quote(self, kind: int, numbers: Sequence[float]) -> Values | None:
        before = list(self._book)
        side = 0 if kind in (0, 1) else 2
        if kind in (1, 2):
            gone = numbers[0] <= 0 and numbers[1] == 0
            self._book[side : side + 2] = [None, None] if gone else numbers
        elif numbers[0] or self._book[side + 1] is not None:
            self._book[side + 1] = numbers[0]
        return None if self._book == before else ("quote", kind, *self._book)

    def _trade(self, kind: int, numbers: Sequence[float]) -> Values | None:
        before = list(self._last)
        if kind == 4 and not (numbers[0] <= 0 and numbers[1] == 0):
            self._last = list(numbers)
        elif kind == 5 and self._last[0] is not None and numbers[0]:
            self._last[1] = numbers[0]
        return None if self._last == before else ("trade", kind, *self._last)

    def _string(self, kind: int, text: str) -> Values | None:
        if self._strings.get(kind) == text:
            return None
        self._strings[kind] = text
        if kind in (48, 77):
            price, size = text.split(";")[:2]
            return ("trade", kind, float(price), float(size))
        return ("stat", kind, float(text) if kind == 45 else text)

    def _number(self, kind: int, number: float) -> Values | None:
        if number < 0 or self._numbers.get(kind) == number:
            return None
        self._numbers[kind] = number
        return ("stat", kind, number)


def compare(expected: Sequence[Expected], stored: Sequence[Stored], *, until_ns: int) -> Verdict:
    """Compare a line's rows; what was sent after `until_ns` may be missing at the end."""
    wrong = sum(
        want.values != have.values for want, have in zip(expected, stored, strict=False)
    ) + max(0, len(stored) - len(expected))
    missing = sum(want.sent_ns < until_ns for want in expected[len(stored) :])
    latencies = [
        (want.sent_ns, (have.committed_ns - want.sent_ns) / 1e6)
        for want, have in zip(expected, stored, strict=False)
    ]
    return Verdict(missing, wrong, latencies)
