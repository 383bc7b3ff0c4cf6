"""Plans: one fault as somebody asked for it, checked against its row of the catalogue.

A plan holds everything that is needed to repeat it, and says so as a command.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ibcore.sim.faults import (
    CATALOGUE,
    LASTING,
    LINE,
    ORDER,
    SESSION,
    Fault,
    Value,
    nearest,
    written,
)

OPTIONS: Final = ("after", SESSION, LINE, ORDER, "seed")


@dataclass(frozen=True)
class Plan:
    """One fault as it was asked for, with everything that is needed to repeat it."""

    fault: Fault
    number: int
    seed: int
    for_s: float | None
    after_s: float = 0.0
    client: int | None = None
    line: str | None = None  # a symbol, or a request id
    order: int | None = None
    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The fault's name."""
        return self.fault.name

    def command(self) -> str:
        """Write the arguments of `ibkeeper sim fault` that repeat this plan."""
        words = [self.name]
        for option, value in (("for", self.for_s), ("after", self.after_s or None),
                              (SESSION, self.client), (LINE, self.line), (ORDER, self.order),
                              ("seed", self.seed)):  # fmt: skip
            if value is not None:
                words += [f"--{option}", written(value)]
        words += [f"{name}={written(value)}" for name, value in self.values.items()]
        return shlex.join(words)


def plan(
    name: str, for_s: float | None, given: Mapping[str, Any], *, number: int, seed: int
) -> Plan:
    """Check what was asked for; `seed` is used unless one is given."""
    fault = CATALOGUE.get(name)
    if fault is None:
        raise ValueError(f"no fault is named {name!r}; {nearest(name, CATALOGUE)}")
    if for_s is not None and fault.name not in LASTING:
        raise ValueError(f"{name} happens at once and cannot last")
    options = {key: value for key, value in given.items() if key in OPTIONS and value is not None}
    for key in options.keys() & {SESSION, LINE, ORDER}:
        if key not in fault.targets:
            raise ValueError(f"{name} has no {key} as its target")
    given_seed = _whole(options, "seed")
    return Plan(
        fault,
        number,
        seed if given_seed is None else given_seed,
        _seconds("for", fault.lasts if for_s is None else for_s),
        _seconds("after", options.get("after", 0.0)) or 0.0,
        client=_whole(options, SESSION),
        line=str(options[LINE]) if LINE in options else None,
        order=_whole(options, ORDER),
        values=_values(fault, {key: item for key, item in given.items() if key not in OPTIONS}),
    )


def _values(fault: Fault, given: Mapping[str, Any]) -> dict[str, Value]:
    known = {parameter.name: parameter for parameter in fault.parameters}
    for name in given:
        if name not in known:
            hint = nearest(name, known) if known else "it has none"
            raise ValueError(f"{fault.name} has no parameter {name!r}; {hint}")
    return {
        name: parameter.read(given.get(name, parameter.default))
        for name, parameter in known.items()
    }


def _seconds(name: str, given: object) -> float | None:
    if given is None:
        return None
    try:
        seconds = float(str(given))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name} is a number of seconds, not {given!r}")
    return seconds


def _whole(options: Mapping[str, Any], name: str) -> int | None:
    if name not in options:
        return None
    try:
        return int(str(options[name]))
    except ValueError:
        raise ValueError(f"{name} is a whole number, not {options[name]!r}") from None
