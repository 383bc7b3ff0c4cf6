"""What is worth watching in a universe: every stock, and liquid options around the money."""

from __future__ import annotations

from ibcore.sim.contracts import Contract
from ibcore.sim.source import Source

_EXPIRIES = 2
_STRIKES = 4


def universe(source: Source) -> dict[str, object]:
    """Describe the universe: symbols, how many contracts, and a watch list of a sensible size."""
    stocks = list(source.universe.stocks.values())
    watch = stocks + [option for stock in stocks[:4] for option in _near(source, stock)]
    return {
        "symbols": [contract.symbol for contract in stocks],
        "contracts": len(source.universe.by_id),
        "watch": [describe(contract) for contract in watch],
    }


def _near(source: Source, stock: Contract) -> list[Contract]:
    """Return calls and puts of the nearest strikes of two expiries that do not end this week."""
    chain = source.universe.options(stock.symbol)
    expiries = sorted({contract.expiry for contract in chain})[2 : 2 + _EXPIRIES]
    spot = source.spot_of(stock)
    chosen: list[Contract] = []
    for expiry in expiries:
        strikes = {contract.strike for contract in chain if contract.expiry == expiry}
        near = sorted(strikes, key=lambda strike: abs(strike - spot))[:_STRIKES]
        chosen += [c for c in chain if c.expiry == expiry and c.strike in near]
    return chosen


def describe(contract: Contract) -> dict[str, object]:
    """Describe a contract by the fields of a contract specification."""
    return {
        "symbol": contract.symbol,
        "sec_type": contract.sec_type,
        "exchange": "SMART",
        "currency": "USD",
        "expiry": contract.expiry,
        "strike": contract.strike,
        "right": contract.right,
        "multiplier": contract.multiplier,
        "con_id": contract.con_id,
    }
