"""The legs of a combination as a person writes them, in a cell or a field.

    +1 GOOG 20261218 C 750; -1 GOOG 20261218 C 760      a spread of two calls
    +100 GOOG; -1 GOOG 20261218 C 800                   shares, and a call written on them
    +1 ES 20261218; -1 ES 20270319                      a calendar spread of futures

A leg is a signed ratio, then what it is: SYMBOL, SYMBOL EXPIRY (a future) or SYMBOL EXPIRY C|P
STRIKE (an option; with FOP after the symbol one on a future). The ratio is contracts or shares of
that leg in one combination; + is bought and - is sold when the combination is bought.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

EXAMPLE: Final = "+1 GOOG 20261218 C 750; -1 GOOG 20261218 C 760"
FEWEST: Final = 2
MOST: Final = 8
LARGEST_RATIO: Final = 1000
_SHAPE: Final = "a signed ratio, then SYMBOL, SYMBOL EXPIRY or SYMBOL EXPIRY C|P STRIKE"
# A second word of a symbol has letters only (BRK B): digits there are an expiry.
_LEG: Final = re.compile(
    r"(?P<ratio>[+-][0-9]+) +(?P<symbol>[A-Z0-9][A-Z0-9.]{0,15}( (?!FOP\b)[A-Z][A-Z.]{0,5})??)"
    r"(?P<fop> +FOP)?( +(?P<expiry>[0-9]{8}|[0-9]{6})( +(?P<right>[CP]) +(?P<strike>[0-9.]+))?)?"
)
_STRIKE: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


class LegLine(NamedTuple):
    """One leg; `ratio` below 0: sold when the combination is bought."""

    ratio: int
    symbol: str
    sec_type: str = "STK"
    expiry: str = ""
    right: str = ""
    strike: Decimal | None = None

    def __str__(self) -> str:
        kind = "FOP" if self.sec_type == "FOP" else ""
        strike = "" if self.strike is None else f"{self.strike:f}"
        words = (f"{self.ratio:+d}", self.symbol, kind, self.expiry, self.right, strike)
        return " ".join(word for word in words if word)


def parse_legs(text: str) -> tuple[LegLine, ...]:
    """Read the legs, or raise ValueError naming every leg that is none and what is expected."""
    parts = [" ".join(part.split()).upper() for part in text.split(";")]
    legs: list[LegLine] = []
    wrong: list[str] = []
    for number, part in enumerate(parts, 1):
        try:
            legs.append(_leg(part))
        except ValueError as why:
            wrong.append(f"leg {number}, {part!r}, {why}")
    if not wrong:
        wrong = _together(legs)
    if wrong:
        raise ValueError("; ".join(wrong))
    return tuple(legs)


def written(legs: Sequence[LegLine]) -> str:
    """Return the legs as text; to read it gives the same legs."""
    return "; ".join(map(str, legs))


def _leg(part: str) -> LegLine:
    found = _LEG.fullmatch(part)
    if found is None:
        raise ValueError(f"is no leg: expected {_SHAPE}, such as {EXAMPLE.partition(';')[0]}")
    ratio = int(found["ratio"]) if len(found["ratio"]) <= len(str(LARGEST_RATIO)) + 1 else 0
    if not 0 < abs(ratio) <= LARGEST_RATIO:
        raise ValueError(f"has the ratio {found['ratio']}: expected 1 to {LARGEST_RATIO}")
    kind = _kind(found)
    expiry, strike = found["expiry"] or "", found["strike"]
    _check_expiry(expiry, kind)
    if strike is not None and (not _STRIKE.fullmatch(strike) or Decimal(strike) <= 0):
        raise ValueError(f"has the strike {strike}: expected a plain number above 0, such as 750")
    number = None if strike is None else Decimal(strike)
    return LegLine(ratio, found["symbol"], kind, expiry, found["right"] or "", number)


def _kind(found: re.Match[str]) -> str:
    if found["right"]:
        return "FOP" if found["fop"] else "OPT"
    if found["fop"]:
        raise ValueError("is FOP without its option: expected SYMBOL FOP EXPIRY C|P STRIKE")
    return "FUT" if found["expiry"] else "STK"


def _check_expiry(expiry: str, kind: str) -> None:
    if not expiry:
        return
    form, named = ("%Y%m%d", "YYYYMMDD") if len(expiry) == 8 else ("%Y%m", "YYYYMM")
    if kind != "FUT" and len(expiry) != 8:
        raise ValueError(f"has the expiry {expiry}: expected the day of an option, YYYYMMDD")
    try:
        datetime.strptime(expiry, form)  # noqa: DTZ007 (a day, of no zone)
    except ValueError:
        raise ValueError(f"has the expiry {expiry}: expected a day, {named}") from None


def _together(legs: Sequence[LegLine]) -> list[str]:
    if not FEWEST <= len(legs) <= MOST:
        count = f"{len(legs)} leg" if len(legs) == 1 else f"{len(legs)} legs"
        return [f"has {count}: expected {FEWEST} to {MOST}, with a semicolon between them"]
    names = [leg._replace(ratio=1) for leg in legs]
    return [
        f"leg {number}, '{leg}', is the contract of leg {names.index(name) + 1}: expected each once"
        for number, (leg, name) in enumerate(zip(legs, names, strict=True), 1)
        if names.index(name) + 1 < number
    ]
