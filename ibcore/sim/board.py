"""The board of one instrument: every current value by IB tick type, and the tick vocabulary.

A board has one writer, its source. Lines compare it with what they sent last: a value that did
not change is not sent, as at IB.
"""

from __future__ import annotations

from typing import Final, NamedTuple

PRICE_TICKS: Final = frozenset({
    1, 2, 4, 6, 7, 9, 14, 15, 16, 17, 18, 19, 20, 35, 37, 57, 79, 92, 93, 94, 95, 96, 97, 98, 99,
})  # fmt: skip
SIZE_TICKS: Final = frozenset({
    0, 3, 5, 8, 21, 27, 28, 29, 30, 34, 36, 61, 63, 64, 65, 86, 87, 89,
})  # fmt: skip
STRING_TICKS: Final = frozenset({32, 33, 45, 48, 59, 77, 84})
SIZE_OF: Final = {1: 0, 2: 3, 4: 5}
COMPUTATIONS: Final = (10, 11, 12, 13)

# Sent without being asked for, in the order in which IB opens a line.
DEFAULT_TICKS: Final = (1, 0, 2, 3, 32, 33, 4, 5, 84, 45, 8, 6, 7, 9, 14, 49)

# What other kinds show: an index has no market of its own, currencies have no last trade.
SHOWN: Final = {
    "IND": (4, 45, 6, 7, 9, 14),
    "CASH": (1, 0, 2, 3, 6, 7, 9, 49),
    "BAG": (1, 0, 2, 3),
}

# 104 is documented, and refused by every gateway on record (deephaven-ib#46).
GENERIC_TICKS: Final[dict[int, tuple[int, ...]]] = {
    100: (29, 30),
    101: (27, 28),
    105: (87,),
    106: (24,),
    162: (31,),
    165: (15, 16, 17, 18, 19, 20, 21),
    221: (37,),
    225: (34, 35, 36, 61),
    232: (37,),
    233: (48,),
    236: (46, 89),
    293: (54,),
    294: (55,),
    295: (56,),
    318: (57,),
    375: (77,),
    411: (58,),
    456: (59,),
    576: (94, 95),
    577: (96,),
    578: (92, 93),
    588: (86,),
    595: (63, 64, 65),
    614: (98, 99),
    619: (79,),
    623: (97,),
}
# Legal to ask for, and nothing comes of it here.
_SILENT: Final = frozenset({220, 256, 258, 292, 460, 586, 587})
_STOCKS_ONLY: Final = frozenset({165, 225, 236, 258, 456, 595})
LEGAL: Final = {
    "STK": frozenset(GENERIC_TICKS) | _SILENT,
    "OPT": (frozenset(GENERIC_TICKS) | _SILENT) - _STOCKS_ONLY,
    "FOP": (frozenset(GENERIC_TICKS) | _SILENT) - _STOCKS_ONLY,
    "IND": frozenset({106, 162, 165, 221, 225, 232, 233, 236, 258, 411}),
    "FUT": frozenset({165, 221, 225, 232, 233, 293, 294, 295, 318, 411, 588}),
    "CASH": frozenset({165, 221, 232, 233, 411}),
    "BAG": frozenset(),
}

# As IB lists them in its refusal: what a client may ask for instead is read out of that text.
_NAMES: Final = {
    100: "Option Volume", 101: "Option Open Interest",
    105: "Average Opt Volume", 106: "impvolat", 162: "Index Future Premium", 165: "Misc. Stats",
    220: "Creditman Mark Price", 221: "Creditman Mark Price", 225: "Auction", 232: "Pl Price",
    233: "RTVolume", 236: "inventory", 256: "Inventory", 258: "Fundamentals", 292: "Wide_news",
    293: "TradeCount", 294: "TradeRate", 295: "VolumeRate", 318: "LastRTHTrade",
    375: "RTTrdVolume", 411: "rthistvol", 456: "IBDividends", 460: "Bond Factor Multiplier",
    576: "EtfNavBidAsk(navbidask)", 577: "EtfNavLast(navlast)", 578: "EtfNavClose(navclose)",
    586: "IPOHLMPRC", 587: "Pl Price Delayed", 588: "Futures Open Interest",
    595: "Short-Term Volume X Mins", 614: "EtfNavMisc(high/low)", 619: "Creditman Slow Mark Price",
    623: "EtfFrozenNavLast(fznavlast)",
}  # fmt: skip


def legal_ones(sec_type: str) -> str:
    """List the generic ticks of a security type as the text of 321 does."""
    return ",".join(f"{number}({_NAMES[number]})" for number in sorted(LEGAL[sec_type]))


class Tick(NamedTuple):
    """One market-data message, before it has a request id."""

    tick_type: int
    value: float | str
    size: float = 0.0  # of a price


class Board:
    """Current values of one instrument by tick type; computations keep their fields as text."""

    __slots__ = ("computations", "values")

    def __init__(self) -> None:
        self.values: dict[int, float | str] = {}
        self.computations: dict[int, str] = {}

    def quote(self, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        """Set the best bid and ask; a side without a price is -1 with size 0, as IB writes it."""
        values = self.values
        values[1], values[0] = (bid, bid_size) if bid > 0 else (-1.0, 0.0)
        values[2], values[3] = (ask, ask_size) if ask > 0 else (-1.0, 0.0)

    def trade(self, price: float, size: float, *, unix_ms: int) -> None:
        """Set the last print and everything that follows from it."""
        values = self.values
        before = float(values.get(8, 0.0))
        volume = before + size
        turnover = float(values.get(-1, price * before)) + price * size
        values[4], values[5], values[8], values[-1] = price, size, volume, turnover
        values[6] = max(float(values.get(6, price)), price)
        values[7] = min(float(values.get(7, price)), price)
        values.setdefault(14, price)
        values[45] = str(unix_ms // 1000)
        values[54] = float(values.get(54, 0.0)) + 1
        vwap = turnover / volume if volume else price  # an index is traded in no size
        values[48] = f"{price};{size:g};{unix_ms};{volume:.0f};{vwap:.8f};true"
        values[57], values[77] = price, values[48]
