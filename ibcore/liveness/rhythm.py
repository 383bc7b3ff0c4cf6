"""How often a line speaks, and so how long a silence of it means something.

The gaps between events are remembered as a mean (over some forty gaps) and as the longest one,
which fades by half every thirty minutes. A silence means something when it is 25 times the
mean and three times the longest gap: with gaps that come by chance that is once in 10^8. A line
whose threshold is above `SLOWEST_S` cannot be told dead by its own silence, and is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WEIGHT: Final = 1 / 40
TIMES_MEAN: Final = 25.0
TIMES_LONGEST: Final = 3.0
FADES_BY_HALF_S: Final = 1_800.0
ENOUGH_GAPS: Final = 10
SLOWEST_S: Final = 600.0


@dataclass(slots=True)
class Rhythm:
    """The gaps of one line, or of all lines of a farm together, in seconds."""

    mean_s: float = 0.0
    longest_s: float = 0.0
    gaps: int = 0

    def heard_after(self, gap_s: float) -> None:
        """Take the time between two events of the same session of trading."""
        self.gaps += 1
        weight = max(WEIGHT, 1 / self.gaps)
        self.mean_s += (gap_s - self.mean_s) * weight
        self.longest_s = max(gap_s, self.longest_s * 0.5 ** (gap_s / FADES_BY_HALF_S))

    def expected_s(self, floor_s: float) -> float | None:
        """Return how long a silence means something, at least `floor_s`; None: no silence does."""
        if self.gaps < ENOUGH_GAPS:
            return None
        threshold = max(floor_s, TIMES_MEAN * self.mean_s, TIMES_LONGEST * self.longest_s)
        return threshold if threshold <= SLOWEST_S else None

    @property
    def rate_per_min(self) -> float | None:
        """Return how many seconds of a minute have an event, usually."""
        return 60.0 / max(self.mean_s, 1.0) if self.gaps >= ENOUGH_GAPS else None
