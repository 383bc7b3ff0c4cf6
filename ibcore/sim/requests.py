"""What clients ask: strict parsing of request frames into frozen values.

A frame that is short, long, or carries text where a number belongs raises `Malformed`, one that
asks for what cannot be `Invalid`, and a message id that is not in `PARSERS` `Unsupported`. Nothing
else escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ibcore.sim import orders
from ibcore.sim.contracts import Spec
from ibcore.sim.datarequests import DATA_PARSERS
from ibcore.sim.fields import Fields, Invalid, Malformed, Unsupported
from ibcore.sim.orderrequests import ORDER_PARSERS
from ibcore.sim.request import Request
from ibcore.sim.requestreading import Parser, by_id, plain, read_spec


@dataclass(frozen=True)
class StartApi(Request):
    client_id: int = 0


@dataclass(frozen=True)
class MarketData(Request):
    spec: Spec = field(default_factory=Spec)
    generic_ticks: tuple[int, ...] = ()
    snapshot: bool = False
    bare: bool = False  # "mdoff": nothing but the generic ticks
    legs: orders.Group = ()  # contract id, ratio, action, exchange


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


__all__ = ["PARSERS", "Invalid", "Malformed", "Request", "Unsupported", "number_of", "parse"]


def _start_api(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    client_id = fields.integer()
    fields.text()  # optional capabilities
    return StartApi(msg_id, client_id=client_id)


def _market_data(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    spec = read_spec(fields)
    legs = orders.read_entries(fields, 4) if spec.sec_type == "BAG" else ()
    if fields.flag():
        fields.skip(3)  # delta neutral contract
    listed = [part.strip() for part in fields.text().split(",") if part.strip()]
    snapshot = fields.flag()
    regulatory = fields.flag()  # costs a cent at IB, and ends as every snapshot does
    fields.text()  # options
    return MarketData(
        msg_id, req_id, spec, _generic_ticks(listed, fields), snapshot or regulatory,
        bare="mdoff" in listed, legs=legs,
    )  # fmt: skip


def _generic_ticks(listed: list[str], fields: Fields) -> tuple[int, ...]:
    bare = [part.split(":", 1)[0] for part in listed]  # "292:BRFG" and "mdoff" are legal forms
    numbers = [part for part in bare if part != "mdoff"]
    if not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in numbers):
        raise Invalid(f"Incorrect generic tick list of {','.join(listed)[:100]}", fields.req_id)
    return tuple(int(part) for part in numbers)


def _contract_details(msg_id: int, fields: Fields, version: int) -> Request:
    fields.text()
    req_id = fields.request_id()
    spec = read_spec(fields)
    fields.flag()  # include expired
    spec = replace(spec, sec_id_type=fields.text(), sec_id=fields.text())
    if version >= 176:
        spec = replace(spec, issuer_id=fields.text())
    return ContractDetails(msg_id, req_id, spec)


def _option_parameters(msg_id: int, fields: Fields, _version: int) -> Request:
    req_id = fields.request_id()
    symbol, exchange, sec_type = fields.text(), fields.text(), fields.text()
    return OptionParameters(msg_id, req_id, symbol, exchange, sec_type, fields.integer())


def _market_data_type(msg_id: int, fields: Fields, _version: int) -> Request:
    fields.text()
    kind = fields.integer()
    if kind not in {1, 2, 3, 4}:
        raise Invalid(f"{kind} is not a market data type")
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


PARSERS: Final[dict[int, Parser]] = {
    1: _market_data,
    2: by_id,
    5: plain(1),
    6: _account_updates,
    8: plain(2),
    9: _contract_details,
    14: plain(2),
    16: plain(1),
    17: plain(1),
    49: plain(1),
    59: _market_data_type,
    61: plain(1),
    62: _account_summary,
    63: by_id,
    64: plain(1),
    71: _start_api,
    76: _account_updates_multi,
    77: by_id,
    78: _option_parameters,
    81: _matching_symbols,
    91: _market_rule,
    **DATA_PARSERS,
    **ORDER_PARSERS,
}


def number_of(raw: Sequence[str]) -> int:
    """Return the message id of a request, -1 where it has none."""
    digits = raw[0][:9] if raw else ""
    return int(digits) if digits.isascii() and digits.isdecimal() else -1


def parse(raw: Sequence[str], version: int) -> Any:
    """Read one request of a client that negotiated `version`."""
    msg_id = number_of(raw)
    if msg_id < 0:
        raise Malformed("There is no message id.")
    parser = PARSERS.get(msg_id)
    if parser is None:
        raise Unsupported(f"Message {msg_id} is not known.", _guess_id(raw, msg_id))
    fields = Fields(raw[1:])
    request = parser(msg_id, fields, version)
    fields.end()
    return request


def _guess_id(raw: Sequence[str], msg_id: int) -> int:
    """Guess the request id of an unknown message, so that its caller hears of the error."""
    position = 1 if msg_id >= 78 or msg_id in {3, 20, 22} else 2
    text = raw[position] if len(raw) > position else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
