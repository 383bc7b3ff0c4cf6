"""What a real session showed of a market, told again: each value as the simulator's message."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Final

from ibcore.sim import messages, wire
from tests.conformance.retold import VERSION, mask

PRICES: Final = {"bid": (1, 0), "ask": (2, 3), "last": (4, 5)}
ALONE: Final = {"high": 6, "low": 7, "close": 9}
GREEKS: Final = {"bidGreeks": 10, "askGreeks": 11, "lastGreeks": 12, "modelGreeks": 13}
GREEKS_ORDER: Final = (
    "impliedVol",
    "delta",
    "optPrice",
    "pvDividend",
    "gamma",
    "vega",
    "theta",
    "undPrice",
)


def ticks(printed: Any) -> list[bytes]:
    """Build the messages that say what a ticker showed."""
    out = []
    for field, (tick_type, _size) in PRICES.items():
        if hasattr(printed, field):
            price, size = getattr(printed, field), getattr(printed, f"{field}Size")
            out.append(wire.tick_price(1, tick_type, wire.number(price), wire.number(size), 0))
    for field, tick_type in ALONE.items():
        if hasattr(printed, field):
            out.append(wire.tick_price(1, tick_type, wire.number(getattr(printed, field)), "0", 0))
    if hasattr(printed, "volume"):
        out.append(wire.tick_size(1, 8, wire.number(printed.volume)))
    if hasattr(printed, "halted"):
        out.append(wire.tick_generic(1, 49, wire.number(printed.halted)))
    for field, tick_type in GREEKS.items():
        if hasattr(printed, field):
            values = [0, *(getattr(getattr(printed, field), member) for member in GREEKS_ORDER)]
            out.append(wire.tick_computation(1, tick_type, "".join(f"{v}\0" for v in values)))
    return out


def ticker(**values: float) -> Any:
    """Return a row of a table as if it were a ticker."""
    return SimpleNamespace(**values)


def tick_by_tick(printed: Any) -> bytes:
    return messages.encode(
        "tick_by_tick_bid_ask",
        VERSION,
        req_id=1,
        kind=3,
        time=int(printed.time.timestamp()),
        bid=printed.bidPrice,
        ask=printed.askPrice,
        bid_size=printed.bidSize,
        ask_size=printed.askSize,
        mask=mask(printed.tickAttribBidAsk),
    )


def tick(values: Sequence[Any]) -> dict[str, Any]:
    """Name the values that a client hears of a tick-by-tick quote."""
    return dict(zip(("bidprice", "askprice", "bidsize", "asksize"), values, strict=True))
