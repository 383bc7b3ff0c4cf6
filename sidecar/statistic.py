"""What a statistic's value is once IB's empties are NULL and what nobody should believe is out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from ibcore.domain import RejectReason
from sidecar import doubts, empties
from sidecar.ticks import Kind


class Judged(NamedTuple):
    """The value to store, None where there is none, and why it was not believed."""

    value: float | None
    doubt: RejectReason | None


def judge(kind: Kind, value: float, *, sec_type: str, signed: bool) -> Judged:
    """Judge the value of a statistic; `signed`: -1 is a value of this instrument's prices."""
    clean = _CLEAN.get(kind)
    if clean is None:
        # A size under the number of a price, say: nothing we could name.
        return Judged(None, RejectReason.unreadable)
    if kind is Kind.number_stat or (kind is Kind.price_stat and signed):
        return Judged(empties.number(value), doubts.number(value))
    if kind is Kind.price_stat:
        doubt = doubts.price_statistic(value, sec_type=sec_type)
    else:
        doubt = doubts.amount(value)
    return Judged(None if doubt else clean(value), doubt)


_CLEAN: Final[dict[Kind, Callable[[float], float | None]]] = {
    Kind.price_stat: empties.price,
    Kind.amount_stat: empties.amount,
    Kind.number_stat: empties.number,
    # IB sends 0 for "never traded": a time in 1970 is none.
    Kind.seconds_stat: lambda value: empties.amount(value) or None,
}
