"""Rows of a tape: one event each, of one contract, and the contracts that rows describe.

Columns of a table (CSV or Parquet), one row an event, in order of time:

    ts          when: ISO 8601 with a zone, or microseconds since 1970
    kind        quote, or trade
    symbol      of the instrument, of the underlying for options
    sec_type    STK (if empty), OPT, IND, FUT or CASH
    expiry      YYYYMMDD, strike, right (C or P), trading_class: of options
    con_id      IB's contract id; empty: one is made up from the other columns
    bid, bid_size, ask, ask_size    of a quote, both sides as they stand then; empty: no such side
    price, size                     of a trade
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from ibcore.errors import ConfigRefused
from ibcore.sim import wire
from ibcore.sim.board import Tick
from ibcore.sim.catalogue import CATALOGUE, Name
from ibcore.sim.contracts import Contract, option, packs, stock, underlying

COLUMNS: Final = (
    *("ts", "kind", "symbol", "sec_type", "expiry", "strike", "right", "trading_class", "con_id"),
    *("bid", "bid_size", "ask", "ask_size", "price", "size"),
)
REQUIRED: Final = frozenset({"ts", "kind", "symbol"})
_SEC_TYPES: Final = ("STK", "OPT", "IND", "FUT", "CASH")
_LAST_US: Final = 253_402_300_800_000_000  # the year 10000
_LAST_SIZE: Final = 5
_MADE_UP: Final = 1 << 30  # made-up contract ids lie above


class Listed(NamedTuple):
    """What a row says about its contract."""

    symbol: str
    sec_type: str = "STK"
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    trading_class: str = ""
    con_id: int = 0


class TapeRow(NamedTuple):
    """One event: of `tick`, `printed` and `price` at most one is there; a quote has none.

    tick     (tick type, value) of a statistic, or of a computation with its fields as text
    printed  (48 or 77, (time in microseconds, price, size, volume of the day, VWAP))
    """

    at_us: int
    con_id: int
    bid: float | None = None
    bid_size: float = 0.0
    ask: float | None = None
    ask_size: float = 0.0
    price: float | None = None
    size: float = 0.0
    cause: int = 0  # the tick type that the quote or the trade came as, if that is known
    tick: tuple[int, float | str] | None = None
    printed: tuple[int, tuple[Any, ...]] | None = None


def contract_of(listed: Listed) -> Contract:
    """Build the contract that a row describes; unknown names are taken as they are."""
    name = CATALOGUE.get(listed.symbol) or _name(listed)
    contract = _contract(name, listed)
    if not listed.con_id:
        return contract
    return _with_id(contract, listed.con_id)


def _name(listed: Listed) -> Name:
    of_option = listed.sec_type == "OPT"
    return Name(
        0, listed.symbol, _made_up(listed.symbol) if of_option else _id(listed), listed.symbol,
        "NASDAQ", listed.trading_class or "NMS", 100.0, 0.3, 1.0, "", "", "",
        sec_type="STK" if of_option else listed.sec_type,
    )  # fmt: skip


def _id(listed: Listed) -> int:
    return listed.con_id or _made_up("|".join(map(str, listed[:6])))


def _made_up(text: str) -> int:
    return _MADE_UP + zlib.crc32(text.encode()) % (_MADE_UP - 1)


def _contract(name: Name, listed: Listed) -> Contract:
    if listed.sec_type == "OPT":
        day = _day(listed.expiry)
        root = listed.trading_class or name.symbol
        if not listed.con_id and packs(name, day, listed.strike):
            return option(name, day, listed.strike, right=listed.right, trading_class=root)
        local = f"{root:<6}{day:%y%m%d}{listed.right}{round(listed.strike * 1000):08d}"
        return Contract(
            name, _id(listed), "OPT", local, root, 0.01,
            listed.expiry, listed.strike, listed.right, "100",
        )  # fmt: skip
    if listed.sec_type == "STK":
        return stock(name)
    return underlying(name, _day(listed.expiry) if listed.expiry else date(2000, 1, 1))


def _with_id(contract: Contract, con_id: int) -> Contract:
    fields = {name: getattr(contract, name) for name in contract.__dataclass_fields__}
    return Contract(**{**fields, "con_id": con_id})


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 (a date has no zone)
    except ValueError:
        raise ConfigRefused(f"{text!r} is no expiry (YYYYMMDD).") from None


class Reader:
    """Turns the raw rows of a table into events, and collects their contracts."""

    def __init__(self) -> None:
        self.contracts: dict[Listed, Contract] = {}
        self._by_id: dict[int, Contract] = {}

    def listed(self, raw: Mapping[str, Any]) -> Contract:
        """Return the contract of a raw row."""
        listed = Listed(
            _text(raw, "symbol"),
            _text(raw, "sec_type") or "STK",
            _text(raw, "expiry"),
            _number(raw, "strike") or 0.0,
            _text(raw, "right"),
            _text(raw, "trading_class"),
            _con_id(raw),
        )
        if listed not in self.contracts:
            _check(listed)
            contract = contract_of(listed)
            if self._by_id.setdefault(contract.con_id, contract) != contract:
                raise ConfigRefused(f"The contract id {contract.con_id} is of two contracts.")
            self.contracts[listed] = contract
        return self.contracts[listed]

    def event(self, raw: Mapping[str, Any]) -> TapeRow:
        """Return the event of a raw row."""
        at_us, con_id = _micros(raw["ts"]), self.listed(raw).con_id
        match _text(raw, "kind"):
            case "quote":
                return TapeRow(
                    at_us, con_id,
                    _number(raw, "bid"), _number(raw, "bid_size") or 0.0,
                    _number(raw, "ask"), _number(raw, "ask_size") or 0.0,
                )  # fmt: skip
            case "trade":
                price, size = _number(raw, "price"), _number(raw, "size") or 0.0
                if price is None:
                    raise ConfigRefused("A trade on the tape has no price.")
                return TapeRow(at_us, con_id, price=price, size=size)
            case kind:
                raise ConfigRefused(f"A row of the tape is a {kind!r}, neither quote nor trade.")


def _check(listed: Listed) -> None:
    if not listed.symbol:
        raise ConfigRefused("A row of the tape has no symbol.")
    if listed.sec_type not in _SEC_TYPES:
        raise ConfigRefused(f"sec_type is {listed.sec_type!r}, none of {', '.join(_SEC_TYPES)}.")
    if listed.sec_type == "OPT" and (listed.right not in ("C", "P") or listed.strike <= 0):
        raise ConfigRefused("An option needs expiry, strike and right (C or P).")


def _con_id(raw: Mapping[str, Any]) -> int:
    value = _number(raw, "con_id") or 0.0
    if not (0 <= value < 1 << 31 and value.is_integer()):
        raise ConfigRefused(f"con_id of a row of the tape is {raw['con_id']!r}, no contract id.")
    return int(value)


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    return "" if value is None else str(value).strip()


def _number(raw: Mapping[str, Any], name: str) -> float | None:
    value = raw.get(name)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ConfigRefused(f"{name} of a row of the tape is {value!r}, no number.") from None
    if math.isinf(number):
        raise ConfigRefused(f"{name} of a row of the tape is {value!r}, no finite number.")
    return None if number != number else number


def _micros(value: object) -> int:
    if isinstance(value, datetime):
        moment = value
    elif str(value).isdecimal():
        micros = int(str(value))
        if micros >= _LAST_US:
            raise ConfigRefused(f"{value!r} on the tape is no time: microseconds since 1970.")
        return micros
    else:
        try:
            moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        except ValueError:
            raise ConfigRefused(f"{value!r} on the tape is no time.") from None
    if moment.tzinfo is None:
        raise ConfigRefused(f"{value} on the tape has no zone.")
    return round(moment.timestamp() * 1_000_000)


def sales(row: TapeRow, shift_us: int) -> Tick:
    """Say a print of time and sales, as late as the tape is shown."""
    assert row.printed is not None
    kind, (at_us, price, size, volume, vwap) = row.printed
    numbers = ["" if part is None else wire.number(part) for part in (price, size, volume, vwap)]
    numbers.insert(2, str((at_us + shift_us) // 1_000))
    return Tick(kind, ";".join([*numbers, "true"]))


def ticks(before: TapeRow | None, row: TapeRow) -> Iterator[Tick]:
    """Say what changed of a quote in IB's ticks."""
    before = before or TapeRow(row.at_us, row.con_id)
    sides = (
        (1, 0, (row.bid, row.bid_size), (before.bid, before.bid_size)),
        (2, 3, (row.ask, row.ask_size), (before.ask, before.ask_size)),
    )
    for price_tick, size_tick, (price, size), (old_price, old_size) in sides:
        if price != old_price or (size != old_size and row.cause == price_tick):
            yield Tick(price_tick, -1.0 if price is None else price, size)
        elif size != old_size:
            yield Tick(size_tick, size)


def print_ticks(row: TapeRow, last: float | str | None, volume: float) -> Iterator[Tick]:
    """Say a trade: a print, or a size at the last price, then the day's volume if it is above 0."""
    if row.price is not None:
        alone = row.cause == _LAST_SIZE and row.price == last
        yield Tick(_LAST_SIZE, row.size) if alone else Tick(4, row.price, row.size)
        if volume:
            yield Tick(8, volume)
