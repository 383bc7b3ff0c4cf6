"""Lines of one kind come from one farm: when all of them fall silent together, it is the farm.

Together they speak far more often than each alone, so their silence means something sooner, and
also where each of them is too slow to be told dead by its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ibcore.liveness.hours import Phase
from ibcore.liveness.patient import Patient
from ibcore.liveness.rhythm import Rhythm

FLOOR_S: Final = 15.0
# One line has no siblings.
FEWEST: Final = 2


class Siblings:
    """The rhythm of each group of lines, and which groups are silent."""

    def __init__(self) -> None:
        self._rhythms: dict[str, Rhythm] = {}
        self._heard_at: dict[str, float] = {}
        self._silent: frozenset[str] = frozenset()
        self._known = 0

    def spoke(self, patient: Patient, now: float, *, out: bool) -> None:
        """Take that one of a group has spoken."""
        last = self._heard_at.get(patient.group)
        self._heard_at[patient.group] = now
        if last is None or out or last < patient.asked_at or now == last:
            return
        if patient.phase is Phase.open and now - last < patient.open_s:
            self._rhythms.setdefault(patient.group, Rhythm()).heard_after(now - last)

    def look(self, patients: Iterable[Patient], now: float) -> None:
        """Find the groups that should have spoken and have not."""
        groups: dict[str, list[Patient]] = {}
        for patient in patients:
            if patient.phase is Phase.open and not patient.halted:
                groups.setdefault(patient.group, []).append(patient)
        known = {name: group for name, group in groups.items() if len(group) >= FEWEST}
        self._known = len(known)
        self._silent = frozenset(n for n, group in known.items() if self._is_silent(n, group, now))

    def is_silent(self, group: str) -> bool:
        """Say whether a group is silent that should not be."""
        return group in self._silent

    def spoke_since(self, group: str, moment: float) -> bool:
        """Say whether any of a group has spoken after `moment`."""
        return self._heard_at.get(group, float("-inf")) > moment

    @property
    def all_silent(self) -> bool:
        """Say whether every group is silent: then it is no farm's fault."""
        return self._known > 1 and len(self._silent) == self._known

    def _is_silent(self, name: str, group: Iterable[Patient], now: float) -> bool:
        rhythm = self._rhythms.get(name)
        expected = None if rhythm is None else rhythm.expected_s(FLOOR_S)
        return expected is not None and min(one.silence_s(now) for one in group) > expected
