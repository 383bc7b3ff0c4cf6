"""Contracts and the universe: who can be asked for, and which contracts a description means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from ibcore.sim.catalogue import OPTION_EXCHANGES, STOCK_EXCHANGES, Name

_PACK_EPOCH: Final = date(2015, 1, 1)
_EXCHANGES: Final = {
    "STK": frozenset(STOCK_EXCHANGES.split(",")),
    "OPT": frozenset(OPTION_EXCHANGES.split(",")),
}


@dataclass(frozen=True)
class Spec:
    """A client's description of a contract: any field may be blank."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""


@dataclass(frozen=True)
class Contract:
    """One contract that exists here. `expiry` is YYYYMMDD, `right` C or P, blank for stocks."""

    name: Name
    con_id: int
    sec_type: str
    local_symbol: str
    trading_class: str
    min_tick: float
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""

    @property
    def symbol(self) -> str:
        """The underlying's symbol."""
        return self.name.symbol

    @property
    def is_option(self) -> bool:
        """Whether this is an option."""
        return self.sec_type == "OPT"


def stock(name: Name) -> Contract:
    """Build the contract of a stock."""
    return Contract(name, name.con_id, "STK", name.symbol, name.trading_class, name.min_tick)


def option(name: Name, expiry: date, strike: float, *, right: str) -> Contract:
    """Build the contract of an option; its local symbol is the 21-character OSI one."""
    local = f"{name.symbol:<6}{expiry:%y%m%d}{right}{round(strike * 1000):08d}"
    return Contract(
        name,
        _option_con_id(name, expiry, strike, right=right),
        "OPT",
        local,
        name.symbol,
        0.01,
        f"{expiry:%Y%m%d}",
        strike,
        right,
        "100",
    )


def _option_con_id(name: Name, expiry: date, strike: float, *, right: str) -> int:
    """Pack what the option is into 31 bits: the same contract has the same id on every day.

    An index into today's chain would give yesterday's ids to other contracts, and a database
    keyed by contract id would believe it.
    """
    days = (expiry - _PACK_EPOCH).days
    half_dollars = round(strike * 2)
    if not (0 <= days < 8192 and 0 < half_dollars < 8192 and 3 <= name.number < 16):
        raise ValueError(f"{name.symbol} {expiry} {strike} has no contract id")
    return name.number << 27 | days << 14 | (right == "P") << 13 | half_dollars


class Universe:
    """All contracts of one gateway, found by id or by description."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self.by_id: dict[int, Contract] = {}
        self.stocks: dict[str, Contract] = {}
        self._options: dict[str, list[Contract]] = {}
        for contract in contracts:
            self._add(contract)

    def _add(self, contract: Contract) -> None:
        self.by_id[contract.con_id] = contract
        if contract.is_option:
            self._options.setdefault(contract.symbol, []).append(contract)
        else:
            self.stocks[contract.symbol] = contract

    def options(self, symbol: str) -> list[Contract]:
        """Return the chain of a name, by expiry, strike and right."""
        return self._options.get(symbol, [])

    def find(self, spec: Spec) -> list[Contract]:
        """Return every contract that the description fits; blank fields fit all."""
        if spec.con_id:
            known = self.by_id.get(spec.con_id)
            return [known] if known and _fits(spec, known) else []
        return [contract for contract in self._candidates(spec) if _fits(spec, contract)]

    def _candidates(self, spec: Spec) -> list[Contract]:
        symbol = spec.symbol or spec.local_symbol[:6].strip()
        if spec.sec_type == "STK":
            known = self.stocks.get(symbol)
            return [known] if known else []
        if spec.sec_type == "OPT":
            return self.options(symbol)
        return []

    def matching(self, pattern: str) -> list[Contract]:
        """Return the stocks whose symbol or name starts with `pattern`."""
        wanted = pattern.upper()
        return [
            contract
            for contract in self.stocks.values()
            if contract.symbol.startswith(wanted) or contract.name.long_name.startswith(wanted)
        ]


def _fits(spec: Spec, contract: Contract) -> bool:
    right = {"CALL": "C", "PUT": "P", "?": "", "0": ""}.get(spec.right, spec.right)
    return (
        spec.symbol in ("", contract.symbol)
        and spec.sec_type in ("", contract.sec_type)
        and (not contract.is_option or contract.expiry.startswith(spec.expiry))
        and spec.strike in (0.0, contract.strike)
        and right in ("", contract.right)
        and spec.multiplier in ("", contract.multiplier)
        and (not spec.exchange or spec.exchange in _EXCHANGES[contract.sec_type])
        and spec.currency in ("", "USD")
        and spec.local_symbol in ("", contract.local_symbol)
        and spec.trading_class in ("", contract.trading_class)
    )
