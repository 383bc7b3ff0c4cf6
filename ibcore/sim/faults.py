"""The catalogue of faults: one row each with its name, its parameters and its help.

A name or a value that nobody knows is refused with the nearest one that somebody does. What faults
do stands in `disturbances` and its neighbours, when they do it in `faultengine`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

Value: TypeAlias = int | float | bool | str

SESSION, LINE, ORDER = "client", "line", "order"
_ON_SESSION: Final = (SESSION,)
_ON_LINE: Final = (SESSION, LINE)
_ON_ORDER: Final = (SESSION, ORDER)
_FLAGS: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def written(value: Value) -> str:
    """Write a value as a command takes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Parameter:
    """One parameter; the type of the default is the type of the value."""

    name: str
    default: Value
    help: str
    choices: tuple[str, ...] = ()
    least: float = 0.0
    most: float = 1e9

    def written(self) -> str:
        """Write the parameter with its default."""
        return f"{self.name}={written(self.default)}"

    def read(self, given: object) -> Value:
        """Turn what was given into a value of the right kind, or refuse it."""
        if isinstance(self.default, bool):
            return self._flag(given)
        if isinstance(self.default, str):
            return self._choice(str(given))
        return self._number(given)

    def _flag(self, given: object) -> bool:
        text = str(given).strip().lower()
        if text not in _FLAGS:
            raise ValueError(f"{self.name} is yes or no, not {given!r}")
        return _FLAGS[text]

    def _choice(self, given: str) -> str:
        if self.choices and given not in self.choices:
            raise ValueError(f"{self.name} is not {given!r}; {nearest(given, self.choices)}")
        return given

    def _number(self, given: object) -> int | float:
        try:
            number = float(str(given))
        except ValueError:
            number = math.nan
        if not self.least <= number <= self.most:
            raise ValueError(
                f"{self.name} is a number from {self.least:g} to {self.most:g}, not {given!r}"
            )
        if not isinstance(self.default, int):
            return number
        if number != int(number):
            raise ValueError(f"{self.name} is a whole number, not {given!r}")
        return int(number)


@dataclass(frozen=True)
class Fault:
    """One row: `lasts` is its duration in seconds unless told otherwise, None for an instant."""

    name: str
    help: str
    lasts: float | None = None
    targets: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()


_P = Parameter
_POISONS: Final = ("all", "nan", "inf", "max", "negative", "precision")

_ROWS: Final = (
    Fault("refuse", "Refuse new connections; cut the open ones.", 20.0, (),
          (_P("keep", False, "leave the open connections alone"),)),
    Fault("deaf", "Let the kernel complete new connections and accept none.", 20.0),
    Fault("accept", "End every refuse and deaf."),
    Fault("clear", "End every fault, or those of one name.", None, (),
          (_P("fault", "", "which; all if left out"),)),
    Fault("drop", "Cut connections; with --for new ones as well, as soon as they have started.",
          None, _ON_SESSION),
    Fault("reset", "Cut connections with a reset (RST); with --for new ones as well.", None,
          _ON_SESSION),
    Fault("mute", "Half-open: requests are taken, nothing is sent any more, the socket stays.",
          20.0, _ON_SESSION),
    Fault("freeze", "Read nothing and send nothing; without --client the whole gateway stands"
          " still as under SIGSTOP (the control port does not).", 20.0, _ON_SESSION),
    Fault("slow", "Let bytes out late or slowly.", 20.0, _ON_SESSION,
          (_P("latency_ms", 200.0, "added to every write"),
           _P("jitter_ms", 0.0, "added at random, from none to this"),
           _P("bytes_s", 0.0, "bandwidth; 0: no limit"))),
    Fault("slice", "Write a few bytes at a time.", 20.0, _ON_SESSION,
          (_P("bytes", 1, "in a piece", least=1), _P("gap_ms", 0.0, "between pieces"))),
    Fault("garble", "Change one byte in some frames.", 10.0, _ON_LINE,
          (_P("share", 0.01, "of the frames", most=1.0),
           _P("where", "body", "which byte", ("body", "length", "any")))),
    Fault("truncate", "Cut the next frame short.", 20.0, _ON_LINE,
          (_P("hang_up", True, "close after it; no: go on out of step"),)),
    Fault("notice", "Send a notice or an error with any code and text.", None,
          (SESSION, LINE, ORDER),
          (_P("code", 2104, "IB's number", least=-1), _P("text", "", "IB's words"),
           _P("times", 1, "how often", least=1, most=10_000))),
    Fault("silent", "Keep lines silent without a word.", 20.0, _ON_LINE),
    Fault("farm", "Break a farm (2103) and mend it (2104).", 0.7, (),
          (_P("farm", "usfarm", "which", ("usfarm", "usopt", "ushmds", "secdefil")),
           _P("dead", False, "its lines stay silent after it is back"))),
    Fault("1100", "Lose the link to IB: 1100, and again every so often; lines are silent.", 20.0,
          (), (_P("every", 120.0, "seconds between two 1100", least=0.01),
               _P("then", "1102", "how it comes back", ("1101", "1102", "none")),
               _P("dead", False, "1102 claims that data is kept, and it is not"))),
    Fault("1101", "Say that data was lost: every line is gone until it is asked for again."),
    Fault("1102", "Say that data was kept.", None, (),
          (_P("dead", False, "and it was not: every line stays silent"),)),
    Fault("10197", "A competing session takes the data: errors in bunches, lines silent.", 10.0,
          _ON_LINE, (_P("bunch", 15, "errors at once", least=1),
                     _P("every", 0.5, "seconds between bunches", least=0.01))),
    Fault("lost-ack", "Swallow openOrder and orderStatus.", 20.0, _ON_ORDER,
          (_P("count", 0, "how many at most; 0: all"),)),
    Fault("lost-fill", "Swallow execDetails, commissions, and the word that an order is filled.",
          20.0, _ON_ORDER, (_P("count", 0, "how many at most; 0: all"),)),
    Fault("duplicate", "Send messages about orders more than once.", 20.0, _ON_ORDER,
          (_P("times", 2, "in all", least=2, most=100),)),
    Fault("reorder", "Hold messages about orders back for a moment and shuffle them.", 20.0,
          _ON_ORDER, (_P("window_ms", 200.0, "how long they are gathered"),)),
    Fault("fill", "Fill a resting order at its price now, whatever the market; with --for its"
          " client is cut off and refused meanwhile.", None, _ON_ORDER,
          (_P("shares", 0.0, "how many; 0: what remains"),)),
    Fault("correct", "Correct an execution: the same trade again under a new revision.", None,
          _ON_ORDER, (_P("shares", 0.0, "the right number; 0: as it was"),
                      _P("price", 0.0, "the right price; 0: as it was"))),
    Fault("rollback", "Restart as a gateway does: connections cut, order ids start again below"
          " those that were used.", None, (),
          (_P("by", 4, "how many ids below", least=0),)),
    Fault("poison", "Send ticks nobody should believe; with --for again and again.", None,
          _ON_LINE, (_P("value", "all", "which kind", _POISONS),
                     _P("ticks", "bid,ask,last", "which ticks: names or numbers"),
                     _P("every", 1.0, "seconds between two rounds", least=0.01))),
    Fault("burst", "Run the market faster: so many times the ticks.", 10.0, (),
          (_P("times", 10.0, "as fast", least=1.0, most=1000.0),)),
    Fault("skew", "Let the gateway's clock be wrong.", 60.0, (),
          (_P("seconds", 3600.0, "ahead; below zero: behind", least=-1e9),)),
    Fault("nightly", "The nightly reset: a farm blinks (2103, 2104), the link goes (1100 xN,"
          " 2103) and comes back (1102 or 1101); orders stay.", 30.0, (),
          (_P("notices", 5, "how many 1100", least=1, most=1000),
           _P("then", "1102", "how it comes back", ("1101", "1102")))),
)  # fmt: skip

CATALOGUE: Final[dict[str, Fault]] = {fault.name: fault for fault in _ROWS}
# Instants that may be told to last: they then go on, or have an end of their own.
LASTING: Final = {fault.name for fault in _ROWS if fault.lasts is not None} | {
    *("drop", "reset", "poison", "fill")
}


def nearest(given: str, known: Iterable[str]) -> str:
    """Name what was probably meant, or everything there is."""
    names = list(known)
    close = difflib.get_close_matches(given, names, 1, 0.5)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"


def listed() -> list[dict[str, object]]:
    """Return the catalogue as plain values, for the control port and the command."""
    return [
        {
            "name": fault.name,
            "help": fault.help,
            "lasts": fault.lasts,
            "can_last": fault.name in LASTING,
            "targets": list(fault.targets),
            "parameters": [
                {
                    "name": parameter.name,
                    "default": parameter.default,
                    "help": parameter.help,
                    "choices": list(parameter.choices),
                }
                for parameter in fault.parameters
            ],
        }
        for fault in _ROWS
    ]
