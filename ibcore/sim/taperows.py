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

import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from ibcore.errors import ConfigRefused
from ibcore.sim.board import Tick
from ibcore.sim.catalogue import CATALOGUE, Name
from ibcore.sim.contracts import Contract, option, stock, underlying

COLUMNS: Final = (
    *("ts", "kind", "symbol", "sec_type", "expiry", "strike", "right", "trading_class", "con_id"),
    *("bid", "bid_size", "ask", "ask_size", "price", "size"),
)
REQUIRED: Final = frozenset({"ts", "kind", "symbol"})
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
    """One event; a trade has a price, a quote has none."""

    at_us: int
    con_id: int
    bid: float | None = None
    bid_size: float = 0.0
    ask: float | None = None
    ask_size: float = 0.0
    price: float | None = None
    size: float = 0.0


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
        if name.number and not listed.con_id:
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

    def listed(self, raw: Mapping[str, Any]) -> Contract:
        """Return the contract of a raw row."""
        listed = Listed(
            _text(raw, "symbol"),
            _text(raw, "sec_type") or "STK",
            _text(raw, "expiry"),
            _number(raw, "strike") or 0.0,
            _text(raw, "right"),
            _text(raw, "trading_class"),
            int(_number(raw, "con_id") or 0),
        )
        if listed not in self.contracts:
            self.contracts[listed] = contract_of(listed)
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


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    return "" if value is None else str(value).strip()


def _number(raw: Mapping[str, Any], name: str) -> float | None:
    value = raw.get(name)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except ValueError:
        raise ConfigRefused(f"{name} of a row of the tape is {value!r}, no number.") from None
    return None if number != number else number


def _micros(value: object) -> int:
    if isinstance(value, datetime):
        moment = value
    elif str(value).isdecimal():
        return int(str(value))
    else:
        try:
            moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        except ValueError:
            raise ConfigRefused(f"{value!r} on the tape is no time.") from None
    if moment.tzinfo is None:
        raise ConfigRefused(f"{value} on the tape has no zone.")
    return round(moment.timestamp() * 1_000_000)


def ticks(before: TapeRow | None, row: TapeRow, volume: float) -> Iterator[Tick]:
    """Say an event in IB's ticks: what changed of a quote, or a print and the day's volume."""
    if row.price is not None:
        yield Tick(4, row.price, row.size)
        yield Tick(8, volume)
        return
    old = (None, 0.0, None, 0.0) if before is None else before[2:6]
    sides: Iterable[tuple[int, int, int]] = ((1, 0, 2), (2, 3, 4))
    for price_tick, size_tick, place in sides:
        price, size = row[place], row[place + 1]
        if price != old[place - 2]:
            yield Tick(price_tick, -1.0 if price is None else price, size or 0.0)
        elif size != old[place - 1]:
            yield Tick(size_tick, size or 0.0)
