"""What clients ask of data other than market-data lines: history, tick-by-tick, depth, sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ibcore.sim.contracts import Spec
from ibcore.sim.fields import Fields
from ibcore.sim.request import Request
from ibcore.sim.requestreading import Parser, by_bare_id, by_id, plain, single_spec


@dataclass(frozen=True)
class Depth(Request):
    spec: Spec = field(default_factory=Spec)
    rows: int = 5
    smart: bool = False


@dataclass(frozen=True)
class HistoricalData(Request):
    spec: Spec = field(default_factory=Spec)
    end: str = ""
    bar_size: str = ""
    duration: str = ""
    regular: bool = True
    show: str = "TRADES"
    date_format: int = 1
    keep: bool = False


@dataclass(frozen=True)
class HistoricalTicks(Request):
    spec: Spec = field(default_factory=Spec)
    start: str = ""
    end: str = ""
    count: int = 1000
    show: str = "TRADES"
    regular: bool = True
    ignore_size: bool = False


@dataclass(frozen=True)
class HeadTimestamp(Request):
    spec: Spec = field(default_factory=Spec)
    show: str = "TRADES"
    date_format: int = 1


@dataclass(frozen=True)
class Histogram(Request):
    spec: Spec = field(default_factory=Spec)
    regular: bool = True
    period: str = ""


@dataclass(frozen=True)
class RealTimeBars(Request):
    spec: Spec = field(default_factory=Spec)
    show: str = "TRADES"


@dataclass(frozen=True)
class TickByTick(Request):
    spec: Spec = field(default_factory=Spec)
    kind: str = "Last"
    count: int = 0
    ignore_size: bool = False


@dataclass(frozen=True)
class Calculation(Request):
    spec: Spec = field(default_factory=Spec)
    given: float = 0.0  # the option's price (54) or its volatility (55)
    spot: float = 0.0


@dataclass(frozen=True)
class SmartComponents(Request):
    exchange: str = ""


def _depth(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    spec = single_spec(fields)
    rows, smart = fields.integer(5), fields.flag()
    fields.text()  # options
    return Depth(msg_id, req_id, spec, rows, smart)


def _cancel_depth(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    fields.flag()  # smart
    return Request(msg_id, req_id)


def _historical_data(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    spec = single_spec(fields)
    fields.flag()  # include expired
    end, bar_size, duration = fields.text(), fields.text(), fields.text()
    regular, show, date_format = fields.flag(), fields.text(), fields.integer(1)
    keep = fields.flag()
    fields.text()  # chart options
    return HistoricalData(
        msg_id, req_id, spec, end, bar_size, duration, regular, show, date_format, keep
    )


def _historical_ticks(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    spec = single_spec(fields)
    fields.flag()  # include expired
    start, end, count, show = fields.text(), fields.text(), fields.integer(), fields.text()
    regular, ignore_size = fields.flag(), fields.flag()
    fields.text()  # options
    return HistoricalTicks(msg_id, req_id, spec, start, end, count, show, regular, ignore_size)


def _head_timestamp(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    spec = single_spec(fields)
    fields.skip(2)  # include expired, regular hours
    return HeadTimestamp(msg_id, req_id, spec, fields.text(), fields.integer(1))


def _histogram(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    spec = single_spec(fields)
    fields.flag()  # include expired
    return Histogram(msg_id, req_id, spec, fields.flag(), fields.text())


def _real_time_bars(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    spec = single_spec(fields)
    fields.integer()  # the bar size, which IB does not look at: bars are 5 seconds
    show = fields.text()
    fields.flag()  # regular hours
    fields.text()  # options
    return RealTimeBars(msg_id, req_id, spec, show)


def _tick_by_tick(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    spec = single_spec(fields)
    return TickByTick(msg_id, req_id, spec, fields.text(), fields.integer(), fields.flag())


def _calculation(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    spec = single_spec(fields)
    given, spot = fields.number(), fields.number()
    fields.rest()  # options; ib_async counts them first, the official client does not
    return Calculation(msg_id, req_id, spec, given, spot)


def _smart_components(msg_id: int, fields: Fields, _version: int) -> Request:
    return SmartComponents(msg_id, fields.request_id(), fields.text())


def _scanner(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    fields.skip(23)
    return Request(msg_id, req_id)


def _fundamentals(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    fields.skip(8)  # seven of the contract, the report
    fields.skip(2)  # how many options, and the options
    return Request(msg_id, req_id)


def _exercise(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    fields.skip(11)  # of the contract
    fields.skip(4)  # action, quantity, account, override
    return Request(msg_id, req_id)


def _replace_advisor(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.skip(3)
    return Request(msg_id, fields.request_id())


def _with_rest(skip: int, *, versioned: bool = False) -> Parser:
    """Read a request id and pass over what follows."""

    def parse(msg_id: int, fields: Fields, version: int) -> Request:
        request = (
            by_id(msg_id, fields, version) if versioned else by_bare_id(msg_id, fields, version)
        )
        fields.skip(skip)
        return request

    return parse


def _wsh_events(msg_id: int, fields: Fields, version: int) -> Request:
    req_id = fields.request_id()
    fields.skip(1 + 4 * (version >= 171) + 3 * (version >= 173))
    return Request(msg_id, req_id)


DATA_PARSERS: Final[dict[int, Parser]] = {
    10: _depth,
    11: _cancel_depth,
    12: plain(2),
    13: plain(1),
    18: plain(2),
    19: _replace_advisor,
    20: _historical_data,
    21: _exercise,
    22: _scanner,
    23: by_id,
    24: plain(1),
    25: by_id,
    50: _real_time_bars,
    51: by_id,
    52: _fundamentals,
    53: by_id,
    54: _calculation,
    55: _calculation,
    56: by_id,
    57: by_id,
    65: plain(3),
    66: plain(2),
    67: by_id,
    68: _with_rest(1, versioned=True),
    69: _with_rest(1, versioned=True),
    70: by_id,
    72: plain(4),
    73: plain(3),
    79: by_bare_id,
    80: plain(0),
    82: plain(0),
    83: _smart_components,
    84: _with_rest(3),
    85: plain(0),
    86: _with_rest(6),
    87: _head_timestamp,
    88: _histogram,
    89: by_bare_id,
    90: by_bare_id,
    96: _historical_ticks,
    97: _tick_by_tick,
    98: by_bare_id,
    100: by_bare_id,
    101: by_bare_id,
    102: _wsh_events,
    103: by_bare_id,
    104: by_bare_id,
}
