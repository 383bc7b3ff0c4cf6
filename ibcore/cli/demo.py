"""What the simulated gateway has to show: the demo watch list of `ibkeeper up`.

This is the one place outside `ibcore.sim` and its own command that asks the simulator's
catalogue; it is never used with a real gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ibcore.clock import utcnow
from ibcore.domain import ContractSpec

_OPTION_NAMES: Final = ("AAPL", "NVDA", "SPY")
_STRIKES_EACH: Final = 4
# A chain snapshot needs free lines even while a tape fills the watch list.
_LINES_KEPT_FREE: Final = 20


def demo_specs(tape: Path | None, lines: int) -> Sequence[ContractSpec]:
    """Return what an empty watch list is filled with."""
    if tape is None:
        return _model_specs()[: lines - _LINES_KEPT_FREE]
    return ()


def _model_specs() -> list[ContractSpec]:
    from ibcore.sim.catalogue import CATALOGUE, DEFAULT_SYMBOLS
    from ibcore.sim.chains import expiries, strikes

    today = utcnow().date()
    # Not the nearest expiry: on its last day an option is all gamma and no quote.
    expiry = next(day for day in expiries(today) if (day - today).days >= 7)
    specs = [ContractSpec(symbol) for symbol in DEFAULT_SYMBOLS]
    for symbol in _OPTION_NAMES:
        spot = CATALOGUE[symbol].spot
        listed = strikes(spot, (expiry - today).days)
        nearest = sorted(sorted(listed, key=lambda strike: abs(strike - spot))[:_STRIKES_EACH])
        specs += [
            ContractSpec(symbol, "OPT", expiry=f"{expiry:%Y%m%d}", strike=strike, right=right)
            for strike in nearest
            for right in ("C", "P")
        ]
    return specs
