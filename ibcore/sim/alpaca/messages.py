"""Quotes, prints and snapshots as the vendor writes them; `ns`: nanoseconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ibcore.sim.alpaca.frames import Message, rfc3339


def is_option(symbol: str) -> bool:
    """Say whether a symbol is an option's: those of stocks are short."""
    return len(symbol) > 15


def quote(symbol: str, ns: int, bid: float, bid_size: int, ask: float, ask_size: int) -> Message:
    """Return a quote; a price of 0 says that nobody is there. Sizes: shares, contracts."""
    sides = {"bx": "Q", "bp": bid, "bs": bid_size, "ax": "P", "ap": ask, "as": ask_size}
    rest = {"c": "A"} if is_option(symbol) else {"c": ["R"], "z": "C"}
    return {"T": "q", "S": symbol, **sides, **rest, "t": ns}


def trade(
    symbol: str,
    ns: int,
    price: float,
    size: int,
    *,
    number: int = 1,
    conditions: Sequence[str] | None = None,
    tape: str = "C",
) -> Message:
    """Return a print. `conditions`: stocks have several, options one (the first)."""
    if is_option(symbol):
        code = conditions[0] if conditions else "I"
        return {"T": "t", "S": symbol, "p": price, "s": size, "x": "N", "c": code, "t": ns}
    codes = ["@"] if conditions is None else list(conditions)
    told = {"T": "t", "S": symbol, "i": number, "x": "V", "p": price, "s": size}
    return {**told, "c": codes, "z": tape, "t": ns}


def cancel(symbol: str, ns: int, price: float, size: int, *, number: int = 1) -> Message:
    """Return the cancel of a print."""
    told = {"T": "x", "S": symbol, "i": number, "x": "V", "p": price, "s": size}
    return {**told, "a": "C", "z": "C", "t": ns}


def correction(
    symbol: str, ns: int, old: tuple[float, int], new: tuple[float, int], *, number: int = 1
) -> Message:
    """Return the correction of a print: its price and size, then and now."""
    was = {"oi": number, "op": old[0], "os": old[1], "oc": ["@"]}
    now = {"ci": number + 1, "cp": new[0], "cs": new[1], "cc": ["@"]}
    return {"T": "c", "S": symbol, "x": "V", **was, **now, "z": "C", "t": ns}


def snapshot(
    ns: int,
    *,
    bid: float,
    ask: float,
    last: float | None = None,
    iv: float | None = None,
    greeks: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Return the snapshot of an option; without `greeks` and `iv` the vendor has none."""
    moment = rfc3339(ns)
    sides = {"bx": "C", "bp": bid, "bs": 10, "ax": "C", "ap": ask, "as": 12, "c": "A"}
    told: dict[str, Any] = {"latestQuote": {"t": moment, **sides}}
    if last is not None:
        told["latestTrade"] = {"t": moment, "x": "N", "p": last, "s": 1, "c": "I"}
    if iv is not None:
        told["impliedVolatility"] = iv
    if greeks is not None:
        told["greeks"] = {"rho": 0.0, **greeks}
    return told
