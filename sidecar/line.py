"""What a feed remembers of a line (one market-data request) and of its instrument."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ibcore.domain import Quality
from sidecar import fold

_QUALITY_OF_DATA_TYPE: Final = {
    1: Quality.live.value,
    2: Quality.frozen.value,
    3: Quality.delayed.value,
    4: Quality.delayed_frozen.value,
}
_DELAYED_OF: Final = {
    Quality.live.value: Quality.delayed.value,
    Quality.frozen.value: Quality.delayed_frozen.value,
}
_INDEX: Final = "IND"


class Line(NamedTuple):
    """What a market-data request is about."""

    instrument_id: int
    sec_type: str = ""
    right: str = ""


@dataclass(slots=True)
class InstrumentState:
    """What outlives a line: IB re-sends it to every new subscription."""

    last: fold.Print | None
    stats: dict[str, float | str | None] = field(default_factory=dict)
    prints: dict[int, str] = field(default_factory=dict)
    computed: set[str] = field(default_factory=set)
    events: int = 0


@dataclass(slots=True)
class OpenLine:
    """A line that is being listened to."""

    line: Line
    instrument: InstrumentState
    book: fold.Book = fold.EMPTY_BOOK
    quality: str = Quality.live.value

    @property
    def signed(self) -> bool:
        """Say whether -1 and 0 are values here: those of an index are."""
        return self.line.sec_type == _INDEX

    def data_type(self, market_data_type: int) -> None:
        """Take IB's market data type; an unknown one changes nothing."""
        self.quality = _QUALITY_OF_DATA_TYPE.get(market_data_type, self.quality)

    def quality_of(self, delayed: bool) -> str:
        """Return the quality of a tick: a delayed type is never live."""
        return _DELAYED_OF.get(self.quality, self.quality) if delayed else self.quality


@dataclass(slots=True)
class Oddities:
    """Messages that made no row for a reason worth counting."""

    orphans: int = 0
