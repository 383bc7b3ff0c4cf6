"""Symbols of US stocks and options, as IB describes them and as others write them. Pure.

    Osi             root, expiry, right, strike of one option
    parse_osi       compact (AAPL240119C00100000) or padded (21 characters) -> Osi
    osi_of          IB's description -> Osi
    alpaca_symbol   IB's description -> what Alpaca calls it
    stock_spec, option_spec     the way back

The root of an option is IB's trading class: SPXW and not SPX, AMD1 after an adjustment, BRKB for
the options of BRK B. What cannot be written down exactly is refused with SymbolUnmapped.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from ibcore.domain import ContractSpec
from ibcore.errors import SymbolUnmapped

STRIKE_DECIMALS: Final = 3
_OSI: Final = re.compile(r"([A-Z][A-Z0-9]{0,5}) {0,5}(\d{6})([CP])(\d{8})", re.ASCII)
_ROOT: Final = re.compile(r"[A-Z][A-Z0-9]{0,5}")
_STOCK: Final = re.compile(r"[A-Z][A-Z0-9]{0,5}(?: [A-Z]{1,4})?")
_DAY: Final = re.compile(r"20\d{6}", re.ASCII)
_PADDED: Final = 21
_ROOT_LENGTH: Final = 6
# IB's names of where a consolidated US stock is listed; PINK and the like are on no tape of Alpaca.
_LISTINGS: Final = frozenset(
    {"", "NASDAQ", "NASDAQ.NMS", "NASDAQ.SCM", "ISLAND", "NYSE", "ARCA", "AMEX", "BATS", "IEX"}
)
_CONSOLIDATED: Final = frozenset({"", "SMART"})


class Osi(NamedTuple):
    """One listed US option. `right` is C or P; `strike` is exact, in dollars."""

    root: str
    expiry: date
    right: str
    strike: Decimal

    @property
    def compact(self) -> str:
        """Return it as Alpaca writes it: AAPL240119C00100000."""
        return f"{self.root}{self._tail}"

    @property
    def padded(self) -> str:
        """Return the 21 characters of the OSI, which are IB's local symbol too."""
        return f"{self.root:<{_ROOT_LENGTH}}{self._tail}"

    @property
    def _tail(self) -> str:
        thousandths = int(self.strike.scaleb(STRIKE_DECIMALS))
        return f"{self.expiry:%y%m%d}{self.right}{thousandths:08d}"


def parse_osi(text: str) -> Osi:
    """Read an option symbol in either form; raise SymbolUnmapped if it is none."""
    matched = _OSI.fullmatch(text)
    if matched is None or (" " in text and len(text) != _PADDED):
        raise SymbolUnmapped(f"{text!r} is no option symbol such as AAPL240119C00100000.")
    root, day, right, thousandths = matched.groups()
    strike = Decimal(int(thousandths)).scaleb(-STRIKE_DECIMALS)
    if not strike:
        raise SymbolUnmapped(f"{text!r} has no strike.")
    return Osi(root, _day(f"20{day}", text), right, strike.normalize())


def osi_of(spec: ContractSpec, local_symbol: str = "") -> Osi:
    """Return the OSI symbol of an option that IB describes; raise SymbolUnmapped.

    Where IB's local symbol is given it has the last word on the expiry: that of an option settled
    in the morning (SPX, VIX) is the day after its last trade date.
    """
    if spec.sec_type != "OPT":
        raise SymbolUnmapped(f"{spec} is no option.")
    root = spec.trading_class or spec.symbol.replace(" ", "")
    if not _ROOT.fullmatch(root):
        raise SymbolUnmapped(f"{spec} has no root of 1 to 6 capitals and digits: {root!r}.")
    if spec.right not in ("C", "P"):
        raise SymbolUnmapped(f"{spec} is neither a call nor a put.")
    described = Osi(root, _day(spec.expiry, str(spec)), spec.right, _strike(spec))
    if not local_symbol:
        return described
    listed = parse_osi(local_symbol)
    if listed._replace(expiry=described.expiry) != described:
        raise SymbolUnmapped(f"IB describes {spec} but calls it {local_symbol!r}.")
    return listed


def alpaca_symbol(spec: ContractSpec, local_symbol: str = "") -> str:
    """Return what Alpaca calls a contract; raise SymbolUnmapped for what it does not have."""
    if spec.sec_type not in ("STK", "OPT"):
        raise SymbolUnmapped(f"{spec}: Alpaca has US stocks and options, no {spec.sec_type}.")
    if spec.currency != "USD":
        raise SymbolUnmapped(f"{spec}: Alpaca quotes in USD, not {spec.currency}.")
    if spec.exchange not in _CONSOLIDATED:
        raise SymbolUnmapped(f"{spec}: Alpaca has the consolidated quote, not {spec.exchange}'s.")
    if spec.sec_type == "OPT":
        return osi_of(spec, local_symbol).compact
    if spec.primary_exchange not in _LISTINGS:
        raise SymbolUnmapped(f"{spec} is listed at {spec.primary_exchange}, which Alpaca has not.")
    return alpaca_stock(spec.symbol)


def alpaca_stock(symbol: str) -> str:
    """Return Alpaca's name of a US stock: BRK.B for IB's BRK B."""
    if not _STOCK.fullmatch(symbol):
        raise SymbolUnmapped(f"{symbol!r} is no symbol of a US stock.")
    return symbol.replace(" ", ".")


def stock_spec(symbol: str) -> ContractSpec:
    """Return the stock that Alpaca calls `symbol`, as IB would be asked for it."""
    spec = ContractSpec(symbol.replace(".", " "))
    if " " in symbol or not _STOCK.fullmatch(spec.symbol):
        raise SymbolUnmapped(f"{symbol!r} is no symbol of a US stock.")
    return spec


def option_spec(osi: Osi, underlying: str) -> ContractSpec:
    """Return an option as IB would be asked for it; `underlying` is IB's symbol."""
    return ContractSpec(
        underlying,
        "OPT",
        expiry=f"{osi.expiry:%Y%m%d}",
        strike=float(osi.strike),
        right=osi.right,
        trading_class=osi.root,
    )


def _day(text: str, whose: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        pass
    raise SymbolUnmapped(f"{whose} has no day of expiry from 2000 to 2099: {text!r}.")


def _strike(spec: ContractSpec) -> Decimal:
    try:
        strike = Decimal(str(spec.strike))
        thousandths = strike.scaleb(STRIKE_DECIMALS)
        exact = thousandths == thousandths.to_integral_value() and 0 < thousandths < 10**8
    except InvalidOperation:
        exact = False
    if not exact:
        raise SymbolUnmapped(
            f"{spec} has a strike that an option symbol cannot hold: {spec.strike!r}"
            f" (above 0, below 100000, at most {STRIKE_DECIMALS} decimals)."
        )
    return strike.normalize()
