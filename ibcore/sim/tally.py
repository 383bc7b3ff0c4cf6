"""The tally: what happened since the gateway started, second by second and minute by minute.

Bounded: half an hour of seconds (the longest that IB gives one-second bars for) and a day of
minutes, of the last 300 contracts that began to move.
"""

from __future__ import annotations

from typing import Final

from ibcore.sim import grains
from ibcore.sim.grains import Grains, Ring
from ibcore.sim.observed import Event, Print

_SECONDS: Final = 1_800
_MINUTES: Final = 1_440
_CONTRACTS: Final = 300


class Tally:
    """Grains of every contract that moves."""

    def __init__(self) -> None:
        self._rings: dict[int, tuple[Ring, Ring]] = {}

    def note(self, event: Event, at_s: float) -> None:
        """Add one event."""
        rings = self._rings.get(event.con_id)
        if rings is None:
            rings = self._rings[event.con_id] = (Ring(1, _SECONDS), Ring(60, _MINUTES))
            if len(self._rings) > _CONTRACTS:
                del self._rings[next(iter(self._rings))]
        for ring in rings:
            if isinstance(event, Print):
                ring.print(at_s, event.price, event.size)
            else:
                ring.quote(at_s, event.bid, event.ask)

    def grains(self, con_id: int, *, fine: bool) -> Grains:
        """Return what is known of a contract, by seconds if `fine`, else by minutes."""
        rings = self._rings.get(con_id)
        return grains.blank(0) if rings is None else rings[0 if fine else 1].grains()
