"""A row as other systems read it: names and numbers, NULLs left out, times in Unix microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ibcore.clock import PG_EPOCH_UNIX_US
from ibcore.domain import Greeks, GreeksKind, MarketRow, Quote, Stat, Trade
from ibcore.sinks.sink import Told

KINDS: Final[Mapping[type[MarketRow], str]] = {
    Quote: "quote",
    Trade: "trade",
    Greeks: "greeks",
    Stat: "instrument_stat",
}
_AT_A_PRICE: Final = frozenset({GreeksKind.bid, GreeksKind.ask, GreeksKind.last})
_MODEL: Final = {
    "iv": "model_iv",
    "delta": "model_delta",
    "gamma": "model_gamma",
    "vega": "model_vega",
    "theta": "model_theta",
    "option_price": "model_price",
    "underlying_price": "underlying_price",
}


def document(told: Told) -> dict[str, Any]:
    """Return a row with its instrument; `(epoch, seq)` names it for ever."""
    row = told.row._asdict()
    about = {"row": KINDS[type(told.row)], "symbol": told.symbol, "local_symbol": told.local_symbol}
    times = {name: unix_us(row[name]) for name in ("ts", "recv_ts")}
    return {**about, **{k: v for k, v in row.items() if v is not None}, **times}


def current(row: MarketRow) -> dict[str, Any]:
    """Return what a row says of the present, by the names of `quote_latest`; None: nothing now."""
    if isinstance(row, Quote):
        return {name: getattr(row, name) for name in ("bid", "bid_size", "ask", "ask_size")}
    if isinstance(row, Trade):
        said = {"last": row.price, "last_size": row.size, "volume": row.volume, "vwap": row.vwap}
        return {name: value for name, value in said.items() if value is not None}
    if isinstance(row, Stat):
        return {row.field: row.value}
    if row.kind in _AT_A_PRICE:
        return {f"{row.kind}_iv": row.iv}
    # A whole set, whoever computed it: IB, a vendor, or we.
    return {there: getattr(row, here) for here, there in _MODEL.items()}


def unix_us(us: int) -> int:
    """Return microseconds since 1970 of microseconds since 2000."""
    return us + PG_EPOCH_UNIX_US
