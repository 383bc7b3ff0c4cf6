"""Poison: ticks that nobody should believe, sent as if they were real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ibcore.sim import wire
from ibcore.sim.board import COMPUTATIONS, PRICE_TICKS, SIZE_TICKS
from ibcore.sim.disturbances import Disturbance, Stage, told
from ibcore.sim.plans import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ibcore.sim.lines import Line

# As Java writes them, which is how a gateway would.
_VALUES: Final = {
    "nan": "NaN",
    "inf": "Infinity",
    "max": wire.UNSET_DOUBLE,
    "negative": "-1",
}
_NAMES: Final = {
    "bid": 1, "ask": 2, "last": 4, "high": 6, "low": 7, "close": 9, "open": 14, "bid_size": 0,
    "ask_size": 3, "last_size": 5, "volume": 8, "bid_greeks": 10, "ask_greeks": 11,
    "last_greeks": 12, "model_greeks": 13,
}  # fmt: skip
_FINE: Final = 0.0012345678  # of a price; no exchange quotes as finely as that


class Poison(Disturbance):
    """Sends every kind of poison on every chosen tick of every line aimed at."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        super().__init__(plan, stage)
        kind = str(plan.values["value"])
        self._kinds = (*_VALUES, "precision") if kind == "all" else (kind,)
        self._ticks = [_tick(name.strip()) for name in str(plan.values["ticks"]).split(",")]
        self._due = 0.0

    def start(self) -> str:
        self._due = self.stage.clock.monotonic() + float(self.plan.values["every"])
        return told(self._send(), "ticks", "of poison sent")

    def turn(self, now: float) -> None:
        if now >= self._due:
            self._due = now + float(self.plan.values["every"])
            self._send()

    def _send(self) -> int:
        count = 0
        for line in self.lines():
            for tick_type in self._ticks:
                for data in self._frames(line, tick_type):
                    line.session.send_tick(line.key, data)
                    count += 1
                line.sent.pop(tick_type, None)  # the true value follows at the next change
        return count

    def _frames(self, line: Line, tick_type: int) -> Iterator[bytes]:
        if tick_type in COMPUTATIONS and not line.contract.is_option:
            return
        shown = line.twins.get(tick_type, tick_type)
        for kind in self._kinds:
            value = _VALUES.get(kind) or self._too_fine(line, tick_type)
            if tick_type in COMPUTATIONS:
                yield wire.tick_computation(line.req_id, shown, "0\0" + f"{value}\0" * 8)
            elif tick_type in SIZE_TICKS:
                yield wire.tick_size(line.req_id, shown, value)
            else:
                yield wire.tick_price(line.req_id, shown, value, "100", 0)

    def _too_fine(self, line: Line, tick_type: int) -> str:
        value = line.sent.get(tick_type, 100.0)
        return repr((float(value) if isinstance(value, float | int) else 1.0) + _FINE)


def _tick(name: str) -> int:
    number = int(name) if name.isdecimal() else _NAMES.get(name, -1)
    if number not in PRICE_TICKS | SIZE_TICKS | set(COMPUTATIONS):
        raise ValueError(f"ticks has no {name!r}; there are {', '.join(_NAMES)}, or numbers")
    return number
