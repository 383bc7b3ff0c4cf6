"""Small tables that clients look up: price increments, exchanges that show depth, bits of feeds."""

from __future__ import annotations

from typing import Final

# Rule: lower edge, increment, lower edge, increment...
INCREMENTS: Final[dict[int, tuple[float, ...]]] = {
    26: (0, 0.01),
    67: (0, 0.25),
    109: (0, 0.01, 3, 0.05),
    110: (0, 0.05, 3, 0.1),
    239: (0, 0.00005),
}
_UNGROUPED: Final = 2147483647
_DEEP_STOCKS: Final = ("ARCA", "NASDAQ", "BATS", "EDGX", "BYX", "IEX", "NYSE", "MEMX")
_LETTERS: Final = {
    "9c0001": (("AMEX", "A"), ("NASDAQ", "Q"), ("ARCA", "P"), ("NYSE", "N"), ("BATS", "Z"),
               ("EDGX", "K"), ("IEX", "V"), ("BYX", "Y"), ("MEMX", "U")),
    "a90001": (("AMEX", "A"), ("CBOE", "C"), ("ISE", "I"), ("PHLX", "X"), ("PSE", "N"),
               ("BOX", "B"), ("MIAX", "M"), ("PEARL", "P"), ("EDGX", "E")),
}  # fmt: skip


def increments(rule: int) -> list[object] | None:
    """Return a rule as message 93 writes it, or nothing for one that does not exist."""
    known = INCREMENTS.get(rule)
    return None if known is None else [len(known) // 2, *known]


def depth_exchanges() -> list[object]:
    """Return what message 80 lists: exchange, type, listing exchange, service, group."""
    listed = [(name, "STK", "", "Deep", _UNGROUPED) for name in _DEEP_STOCKS]
    listed += [("CME", "FUT", "", "Deep", _UNGROUPED), ("IDEALPRO", "CASH", "", "Deep", 4)]
    listed += [("SMART", "STK", "", "Deep2", 1), ("SMART", "OPT", "", "Deep", 2)]
    return [len(listed), *(field for entry in listed for field in entry)]


def components(bbo_exchange: str) -> list[object] | None:
    """Return what message 82 lists for a feed: bit, exchange, letter."""
    known = _LETTERS.get(bbo_exchange)
    if known is None:
        return None
    return [len(known), *(part for bit, pair in enumerate(known) for part in (bit, *pair))]
