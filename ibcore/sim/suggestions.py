"""What is worth watching in a universe: every stock, and liquid options around the money."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ibcore.sim import tape
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import Contract, Universe, stock
from ibcore.sim.eventreplay import EventReplay
from ibcore.sim.source import Source
from ibcore.sim.tape_table import SUFFIXES, TableTape

_EXPIRIES = 2
_STRIKES = 4


def universe(source: Source) -> dict[str, object]:
    """Describe the universe: symbols, how many contracts, and a watch list of a sensible size."""
    stocks = list(source.universe.stocks.values())
    watch = [*stocks]
    if isinstance(source, EventReplay):  # what was recorded was worth it
        watch = sorted(source.universe.by_id.values(), key=lambda c: (c.is_option, c.sec_type))
    else:
        for each in stocks[:4]:
            watch += near(source.universe.options(each.symbol), source.spot_of(each))
    return {
        "symbols": [contract.symbol for contract in stocks],
        "contracts": len(source.universe.by_id),
        "watch": [describe(contract) for contract in watch],
    }


def of_tape(path: Path, *, symbol: str = "TAPE") -> list[Contract]:
    """Return what a tape has to show, without reading all of it: its stock, options near it."""
    if path.is_file() and path.suffix in SUFFIXES:
        return _of_table(path)
    if not tape.is_day(path):
        return [stock(CATALOGUE[symbol])]
    listed = Universe(tape.contracts(path))
    stocks = list(listed.stocks.values())
    return stocks + near(listed.options(stocks[0].symbol), tape.opening_spot(path))


def _of_table(path: Path) -> list[Contract]:
    listed = TableTape(path).contracts
    return sorted(listed, key=lambda contract: contract.is_option)


def near(chain: Sequence[Contract], spot: float) -> list[Contract]:
    """Return calls and puts of the nearest strikes of two expiries that do not end this week."""
    expiries = sorted({contract.expiry for contract in chain})[2 : 2 + _EXPIRIES]
    chosen: list[Contract] = []
    for expiry in expiries:
        strikes = {contract.strike for contract in chain if contract.expiry == expiry}
        nearest = sorted(strikes, key=lambda strike: abs(strike - spot))[:_STRIKES]
        chosen += [c for c in chain if c.expiry == expiry and c.strike in nearest]
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
