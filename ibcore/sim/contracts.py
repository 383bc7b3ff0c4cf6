"""Contracts and the universe: who can be asked for, and which contracts a description means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from ibcore.sim.catalogue import (
    INDEX_OPTION_EXCHANGES,
    OPTION_EXCHANGES,
    STOCK_EXCHANGES,
    Name,
)

_PACK_EPOCH: Final = date(2015, 1, 1)
_OF_QUOTES: Final = frozenset({"BID", "ASK", "BID_ASK", "MIDPOINT", "SCHEDULE"})
# The future of the current quarter, under the name of all quarters together.
_CONTINUOUS: Final = frozenset({"CONTFUT", "FUT+CONTFUT"})
_MATCHES: Final = 16
_INDEX_STRIKE: Final = 5  # an index's strikes are multiples of it
_MONTHS: Final = "FGHJKMNQUVXZ"
_OPTIONS: Final = frozenset({"OPT", "FOP"})
# Where the ids of options on futures are packed: below those of all other names.
_FUTURE_NUMBER: Final = 2


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
    sec_id_type: str = ""
    sec_id: str = ""
    issuer_id: str = ""


@dataclass(frozen=True)
class Leg:
    """One leg of a combination: how many for one of it, and whether buying it buys the leg."""

    contract: Contract
    ratio: int
    is_buy: bool

    @property
    def signed(self) -> int:
        """The ratio, below 0 for a leg that is sold."""
        return self.ratio if self.is_buy else -self.ratio


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
    legs: tuple[Leg, ...] = ()  # of a combination
    under_con_id: int = 0  # of an option on a future: that future

    @property
    def symbol(self) -> str:
        """The underlying's symbol."""
        return self.name.symbol

    @property
    def is_option(self) -> bool:
        """Whether this is an option, on a future too."""
        return self.sec_type in _OPTIONS

    @property
    def exchanges(self) -> str:
        """Where it trades, comma-separated."""
        if self.sec_type == "OPT":
            return INDEX_OPTION_EXCHANGES if self.name.sec_type == "IND" else OPTION_EXCHANGES
        return STOCK_EXCHANGES if self.sec_type == "STK" else self.name.exchange

    @property
    def isin(self) -> str:
        """A stock's ISIN, made up but well formed: the real ones are licensed."""
        body = f"US{self.con_id:09d}"
        digits = "".join(str(int(letter, 36)) for letter in body)
        doubled = [
            sum(divmod(int(digit) * (2 - index % 2), 10))
            for index, digit in enumerate(reversed(digits))
        ]
        return f"{body}{-sum(doubled) % 10}"

    def shows(self, kind: str) -> bool:
        """Whether there is data of a kind: an index has no quotes, a currency pair no trades."""
        if self.sec_type == "IND":
            return kind not in _OF_QUOTES
        return self.sec_type != "CASH" or kind in _OF_QUOTES


def stock(name: Name) -> Contract:
    """Build the contract of a stock."""
    return Contract(name, name.con_id, "STK", name.symbol, name.trading_class, name.min_tick)


def underlying(name: Name, expiry: date) -> Contract:
    """Build the contract of a name, of whatever kind it is; futures expire on `expiry`."""
    if name.sec_type == "STK":
        return stock(name)
    if name.sec_type == "FUT":
        local = f"{name.symbol}{_MONTHS[expiry.month - 1]}{expiry.year % 10}"
        con_id = name.con_id + (expiry - _PACK_EPOCH).days
        return Contract(
            name, con_id, "FUT", local, name.trading_class, name.min_tick,
            expiry=f"{expiry:%Y%m%d}", multiplier=name.multiplier,
        )  # fmt: skip
    local = name.trading_class if name.sec_type == "CASH" else name.symbol
    return Contract(name, name.con_id, name.sec_type, local, name.trading_class, name.min_tick)


def option(
    name: Name, expiry: date, strike: float, *, right: str, trading_class: str = ""
) -> Contract:
    """Build the contract of an option; its local symbol is the 21-character OSI one."""
    if name.sec_type == "FUT":
        return _future_option(name, expiry, strike, right=right)
    root = trading_class or name.symbol
    local = f"{root:<6}{expiry:%y%m%d}{right}{round(strike * 1000):08d}"
    return Contract(
        name,
        _option_con_id(name, expiry, strike, right=right, root=root),
        "OPT",
        local,
        root,
        0.01,
        f"{expiry:%Y%m%d}",
        strike,
        right,
        "100",
    )


def _future_option(name: Name, expiry: date, strike: float, *, right: str) -> Contract:
    month = f"{_MONTHS[expiry.month - 1]}{expiry.year % 10}"
    return Contract(
        name,
        _option_con_id(name, expiry, strike, right=right, root=name.symbol),
        "FOP",
        f"{name.symbol}{month}{expiry:%d} {right}{strike:g}",
        name.symbol,
        name.min_tick,
        f"{expiry:%Y%m%d}",
        strike,
        right,
        name.multiplier,
    )


def packs(name: Name, expiry: date, strike: float) -> bool:
    """Whether an option's id can be packed, and its strike lies on the grid that the id tells."""
    step, most = (0.5, 8192) if name.sec_type == "STK" else (_INDEX_STRIKE, 4096)
    level, days = strike / step, (expiry - _PACK_EPOCH).days
    number = _number(name)
    return level.is_integer() and 0 < level < most and 0 <= days < 8192 and 2 <= number < 16


def _number(name: Name) -> int:
    return _FUTURE_NUMBER if name.sec_type == "FUT" else name.number


def _option_con_id(name: Name, expiry: date, strike: float, *, right: str, root: str) -> int:
    """Pack what the option is into 31 bits: the same contract has the same id on every day.

    An index into today's chain would give yesterday's ids to other contracts, and a database
    keyed by contract id would believe it.
    """
    days = (expiry - _PACK_EPOCH).days
    level, most, number = round(strike * 2), 8192, _number(name)
    if name.sec_type in ("IND", "FUT"):
        level, most = round(strike / _INDEX_STRIKE), 4096
    if not (0 <= days < 8192 and 0 < level < most and 2 <= number < 16):
        raise ValueError(f"{name.symbol} {expiry} {strike} has no contract id")
    second_root = (root != name.symbol) << 12
    return number << 27 | days << 14 | (right == "P") << 13 | second_root | level


class Universe:
    """All contracts of one gateway, found by id or by description."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self.by_id: dict[int, Contract] = {}
        self.stocks: dict[str, Contract] = {}
        self.others: dict[str, Contract] = {}  # an index, a future, a currency
        self._options: dict[str, list[Contract]] = {}
        for contract in contracts:
            self._add(contract)

    def _add(self, contract: Contract) -> None:
        self.by_id[contract.con_id] = contract
        if contract.is_option:
            self._options.setdefault(contract.symbol, []).append(contract)
        elif contract.sec_type == "STK":
            self.stocks[contract.symbol] = contract
        else:
            self.others[contract.symbol] = contract

    def options(self, symbol: str) -> list[Contract]:
        """Return the chain of a name, by expiry, strike and right."""
        return self._options.get(symbol, [])

    def find(self, spec: Spec) -> list[Contract]:
        """Return every contract that the description fits; blank fields fit all."""
        if spec.sec_type in _CONTINUOUS:
            spec = replace(spec, sec_type="FUT")
        if spec.con_id:
            known = self.by_id.get(spec.con_id)
            return [known] if known and _fits(spec, known) else []
        return [contract for contract in self._candidates(spec) if _fits(spec, contract)]

    def _candidates(self, spec: Spec) -> list[Contract]:
        symbol = spec.symbol or spec.local_symbol[:6].strip()
        if spec.sec_type == "STK":
            if spec.sec_id and not symbol:
                return list(self.stocks.values())
            known = self.stocks.get(symbol)
            return [known] if known else []
        if spec.sec_type in _OPTIONS:
            return self.options(symbol) or self._by_root(symbol)
        return [other for other in self.others.values() if other.sec_type == spec.sec_type]

    def _by_root(self, root: str) -> list[Contract]:
        """A local symbol begins with the root, which may not be the symbol: SPXW of SPX."""
        chains = (chain for chain in self._options.values() if root.startswith(chain[0].symbol))
        return [contract for chain in chains for contract in chain]

    def matching(self, pattern: str) -> list[Contract]:
        """Return what is no option and whose symbol or name starts with `pattern`: 16 at most."""
        wanted = pattern.upper()
        found = [
            contract
            for contract in (*self.stocks.values(), *self.others.values())
            if contract.symbol.upper().startswith(wanted)
            or contract.name.long_name.upper().startswith(wanted)
        ]
        return found[:_MATCHES] if wanted else []


def _fits(spec: Spec, contract: Contract) -> bool:
    right = {"CALL": "C", "PUT": "P", "?": "", "0": ""}.get(spec.right, spec.right)
    return (
        spec.symbol in ("", contract.symbol)
        and spec.sec_type in ("", contract.sec_type)
        and (not contract.expiry or contract.expiry.startswith(spec.expiry))
        and spec.strike in (0.0, contract.strike)
        and right in ("", contract.right)
        and spec.multiplier in ("", contract.multiplier)
        and (not spec.exchange or spec.exchange in contract.exchanges.split(","))
        and spec.currency in ("", "USD")
        and spec.local_symbol in ("", contract.local_symbol)
        and spec.trading_class in ("", contract.trading_class)
        and not spec.issuer_id
        and (not spec.sec_id_type or (spec.sec_id_type, spec.sec_id) == ("ISIN", contract.isin))
    )
