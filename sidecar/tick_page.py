"""Writes docs/ticks.md from the tick table: `python -m sidecar.tick_page > docs/ticks.md`."""

from __future__ import annotations

import sys
from typing import Final

from sidecar.latest import QUOTE_GROUP, STAT_GROUP
from sidecar.lines import GENERIC_TICKS
from sidecar.tick_words import WORDS
from sidecar.ticks import TICKS, Kind, Meaning

HEAD: Final = """# What each tick means
Every tick type that `ib_async` 2.0.1 and IB's own table know, and where it goes. Written by
`python -m sidecar.tick_page` from the table that the sidecar folds by; a test holds them equal.

* A row is written when a tick changes something. *stat* is `instrument_stat` with that `field`;
  with (*) it is a column of `quote_latest` too.
* *generic*: the number in the line's generic tick list that switches it on; in brackets the
  security types for which it is asked unless `ibkeeper watch add --generic-ticks` says otherwise.
* *delayed*: the number under which it comes without a live subscription. Its rows have quality
  `delayed` or `delayed_frozen`, whatever the line said before. Frozen ticks (market data type 2,
  4) have the live or delayed numbers and quality `frozen` or `delayed_frozen`.
* Empty is NULL: -1 under size 0 of a side, -1 of a statistic or a volatility, -2 of a greek, the
  unset int32, int64 and decimal of a size, the unset double of a greek. A statistic that becomes
  unknown is NULL in `quote_latest` and no row.
* What nobody should believe is NULL or no row, and a row of `rejected_tick` with reason and raw
  text.
* A price below zero is legal for futures, combinations, indices and commodities. Of a future or
  combination -1 under size 0 is still "nobody": IB has no other word for it.
* Sizes are as IB sends them, fractions included, in doubles: exact to 15 digits.
* A number that is not listed is kept under the name `tick_<number>`.

`IBKEEPER_DEFAULTS__*` (ib_async's `IBDefaults`) changes what a Ticker holds where IB sends
nothing, for code that asks for a Ticker: NaN (ours) keeps "nothing" apart from every number; -1
and 0 (the vendor's) make a missing bid a price and an unknown `halted` "not halted". Rows in SQL
are the same under every choice.

| type | delayed | name | goes to | unit | generic | meaning |
| --- | --- | --- | --- | --- | --- | --- |
"""
_PLACES: Final = {
    Kind.bid: "`quote.bid`",
    Kind.ask: "`quote.ask`",
    Kind.bid_size: "`quote.bid_size`",
    Kind.ask_size: "`quote.ask_size`",
    Kind.last: "`trade.price`, source `last`",
    Kind.last_size: "`trade.size`, source `last`",
}


def page() -> str:
    """Return docs/ticks.md."""
    return HEAD + "".join(_line(number) for number in sorted(WORDS))


def twins() -> dict[int, list[int]]:
    """Return the delayed numbers of each live type."""
    live = {(m.kind, m.field): number for number, m in TICKS.items() if not m.delayed}
    found: dict[int, list[int]] = {}
    for number, meaning in sorted(TICKS.items()):
        if meaning.delayed:
            found.setdefault(live[meaning.kind, meaning.field], []).append(number)
    return found


def _line(number: int) -> str:
    meaning, words = TICKS[number], WORDS[number]
    delayed = ", ".join(map(str, twins().get(number, ())))
    cells = (number, delayed, words.name, _place(meaning), meaning.unit, _generic(words.generic))
    return f"| {' | '.join(map(str, cells))} | {words.meaning} |\n"


def _place(meaning: Meaning) -> str:
    if meaning.kind is Kind.greeks:
        return f"`greeks`, kind `{meaning.field}`"
    if meaning.kind is Kind.prints:
        return f"`trade`, source `{meaning.field}`"
    star = " (*)" if meaning.field in (*STAT_GROUP, *QUOTE_GROUP) else ""
    return _PLACES.get(meaning.kind, f"stat `{meaning.field}`{star}")


def _generic(number: int) -> str:
    if not number:
        return ""
    asked = [kind for kind, ticks in GENERIC_TICKS.items() if str(number) in ticks.split(",")]
    return f"{number} ({', '.join(asked)})" if asked else str(number)


if __name__ == "__main__":
    sys.stdout.write(page())
