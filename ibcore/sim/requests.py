"""What clients ask: strict parsing of request frames into frozen values.

A frame that is short, long, or carries text where a number belongs raises `Malformed`;
a message id that is not in `PARSERS` raises `Unsupported`. Nothing else escapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ibcore.sim.contracts import Spec
from ibcore.sim.datarequests import DATA_PARSERS
from ibcore.sim.fields import Fields, Malformed, Unsupported
from ibcore.sim.orderrequests import ORDER_PARSERS
from ibcore.sim.request import Request


@dataclass(frozen=True)
class StartApi(Request):
    client_id: int = 0


@dataclass(frozen=True)
class MarketData(Request):
    spec: Spec = field(default_factory=Spec)
    generic_ticks: tuple[int, ...] = ()
    snapshot: bool = False


@dataclass(frozen=True)
class ContractDetails(Request):
    spec: Spec = field(default_factory=Spec)


@dataclass(frozen=True)
class OptionParameters(Request):
    symbol: str = ""
    exchange: str = ""
    sec_type: str = ""
    con_id: int = 0


@dataclass(frozen=True)
class MarketDataType(Request):
    kind: int = 1


@dataclass(frozen=True)
class AccountUpdates(Request):
    subscribe: bool = True
    account: str = ""


@dataclass(frozen=True)
class AccountSummary(Request):
    group: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class MatchingSymbols(Request):
    pattern: str = ""


@dataclass(frozen=True)
class MarketRule(Request):
    rule: int = 0


__all__ = ["PARSERS", "Malformed", "Request", "Unsupported", "parse"]

Parser: TypeAlias = Callable[[int, Fields, int], Request]


def _spec(fields: Fields) -> Spec:
    return Spec(
        con_id=fields.integer(),
        symbol=fields.text(),
        sec_type=fields.text(),
        expiry=fields.text(),
        strike=fields.number(),
        right=fields.text(),
        multiplier=fields.text(),
        exchange=fields.text(),
        primary_exchange=fields.text(),
        currency=fields.text(),
        local_symbol=fields.text(),
        trading_class=fields.text(),
    )


def _start_api(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    client_id = fields.integer()
    fields.text()  # optional capabilities
    return StartApi(msg_id, client_id=client_id)


def _market_data(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    spec = _spec(fields)
    if spec.sec_type == "BAG":
        raise Unsupported("combinations are not simulated", req_id)
    if fields.flag():
        fields.skip(3)  # delta neutral contract
    generic = _generic_ticks(fields)
    snapshot = fields.flag()
    fields.flag()  # regulatory snapshot
    fields.text()  # options
    return MarketData(msg_id, req_id, spec, generic, snapshot)


def _generic_ticks(fields: Fields) -> tuple[int, ...]:
    listed = [part.strip() for part in fields.text().split(",") if part.strip()]
    bare = [part.split(":", 1)[0] for part in listed]  # "292:BRFG" and "mdoff" are legal forms
    numbers = [part for part in bare if part != "mdoff"]
    if not all(part.isdecimal() for part in numbers):
        raise Malformed(f"Incorrect generic tick list of {','.join(listed)}", fields.req_id)
    return tuple(int(part) for part in numbers)


def _contract_details(msg_id: int, fields: Fields, version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    spec = _spec(fields)
    fields.flag()  # include expired
    fields.skip(2)  # security id type and id
    if version >= 176:
        fields.text()  # issuer id
    return ContractDetails(msg_id, req_id, spec)


def _option_parameters(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    symbol, exchange, sec_type = fields.text(), fields.text(), fields.text()
    return OptionParameters(msg_id, req_id, symbol, exchange, sec_type, fields.integer())


def _market_data_type(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    kind = fields.integer()
    if kind not in {1, 2, 3, 4}:
        raise Malformed(f"{kind} is not a market data type")
    return MarketDataType(msg_id, kind=kind)


def _account_updates(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    return AccountUpdates(msg_id, subscribe=fields.flag(), account=fields.text())


def _account_updates_multi(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    account = fields.text()
    fields.skip(2)  # model code, ledger and net liquidation value
    return AccountUpdates(msg_id, req_id, True, account)


def _account_summary(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    group = fields.text()
    return AccountSummary(msg_id, req_id, group, tuple(fields.text().split(",")))


def _matching_symbols(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    return MatchingSymbols(msg_id, req_id, fields.text())


def _market_rule(msg_id: int, fields: Fields, _version: int) -> Request:
    return MarketRule(msg_id, rule=fields.integer())


def _plain(skip: int) -> Parser:
    def parse(msg_id: int, fields: Fields, _version: int) -> Request:
        fields.skip(skip)
        return Request(msg_id)

    return parse


def _by_id(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    return Request(msg_id, fields.request_id())


PARSERS: Final[dict[int, Parser]] = {
    1: _market_data,
    2: _by_id,
    5: _plain(1),
    6: _account_updates,
    8: _plain(2),
    9: _contract_details,
    14: _plain(2),
    16: _plain(1),
    17: _plain(1),
    49: _plain(1),
    59: _market_data_type,
    61: _plain(1),
    62: _account_summary,
    63: _by_id,
    64: _plain(1),
    71: _start_api,
    76: _account_updates_multi,
    77: _by_id,
    78: _option_parameters,
    81: _matching_symbols,
    91: _market_rule,
    **DATA_PARSERS,
    **ORDER_PARSERS,
}


def parse(raw: Sequence[str], version: int) -> Any:
    """Read one request of a client that negotiated `version`."""
    if not raw or not raw[0].isdecimal():
        raise Malformed(f"no message id in {raw[:1]!r}")
    msg_id = int(raw[0][:9])
    parser = PARSERS.get(msg_id)
    if parser is None:
        raise Unsupported(f"message {msg_id} is not simulated", _guess_id(raw))
    fields = Fields(raw[1:])
    request = parser(msg_id, fields, version)
    fields.end()
    return request


def _guess_id(raw: Sequence[str]) -> int:
    """Guess the request id of an unknown message, so that its caller hears of the error."""
    versionless = int(raw[0][:9]) >= 78 or raw[0] in {"3", "20", "22"}
    position = 1 if versionless else 2
    if len(raw) > position and raw[position].isdecimal() and len(raw[position]) < 10:
        return int(raw[position])
    return -1
