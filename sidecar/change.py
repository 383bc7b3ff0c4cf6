"""What one batch makes of `quote_latest`: by instrument, the values of the groups it touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Value = float | int | str | None


class Stamp(NamedTuple):
    """When, and from whom, the newest row of an instrument came."""

    ts: int
    recv_ts: int
    seq: int
    epoch: int
    provider: str
    quality: str


class Now(NamedTuple):
    """One row of an upsert: the stamp, and the values of one group."""

    stamp: Stamp
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What one batch makes of `quote_latest`: instrument -> values, by group."""

    quote: Mapping[int, Now] = field(default_factory=dict)
    stat: Mapping[int, Now] = field(default_factory=dict)
    greeks: Mapping[int, Now] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Say whether it changes nothing."""
        return not (self.quote or self.stat or self.greeks)


def merged(changes: Sequence[Change]) -> Change:
    """Return one change with the effect of all, oldest first."""
    if len(changes) == 1:
        return changes[0]
    # One stamp an instrument: a group last touched by an older batch than another group would
    # else look older than the row it belongs to, and be turned away.
    stamps: dict[int, Stamp] = {}
    groups: tuple[dict[int, Now], ...] = ({}, {}, {})
    for change in changes:
        for whole, part in zip(groups, (change.quote, change.stat, change.greeks), strict=True):
            whole.update(part)
            stamps.update((instrument, now.stamp) for instrument, now in part.items())
    return Change(
        *(
            {instrument: Now(stamps[instrument], now.values) for instrument, now in whole.items()}
            for whole in groups
        )
    )
