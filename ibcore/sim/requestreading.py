"""How requests are read: the parts that most of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ibcore.sim.contracts import Spec
from ibcore.sim.fields import Fields, Unsupported
from ibcore.sim.request import Request

Parser: TypeAlias = Callable[[int, Fields, int], Request]


def read_spec(fields: Fields) -> Spec:
    """Take the twelve fields of a contract's description."""
    return Spec(
        con_id=fields.integer(),
        symbol=fields.text(),
        sec_type=fields.text(),
        expiry=_day(fields.text()),
        strike=fields.number(),
        right=fields.text(),
        multiplier=_multiplier(fields.text()),
        exchange=fields.text(),
        primary_exchange=fields.text(),
        currency=fields.text(),
        local_symbol=fields.text(),
        trading_class=fields.text(),
    )


def _day(expiry: str) -> str:
    """Take the day of what message 10 wrote with time and zone: some clients hand it back whole."""
    return expiry.partition(" ")[0]


def _multiplier(written: str) -> str:
    """Take 0 for nothing said: who keeps multipliers as numbers sends it with every stock."""
    return "" if written == "0" else written


def single_spec(fields: Fields) -> Spec:
    """Take a contract's description and refuse combinations, whose legs would follow."""
    spec = read_spec(fields)
    if spec.sec_type == "BAG":
        raise Unsupported("combinations are not simulated", fields.req_id)
    return spec


def plain(skip: int) -> Parser:
    """Read a request that says nothing but its name."""

    def parse(msg_id: int, fields: Fields, _version: int) -> Request:
        fields.skip(skip)
        return Request(msg_id)

    return parse


def by_id(msg_id: int, fields: Fields, _version: int) -> Request:
    """Read a version and a request id."""
    fields.text()
    return Request(msg_id, fields.request_id())


def by_bare_id(msg_id: int, fields: Fields, _version: int) -> Request:
    """Read a request id."""
    return Request(msg_id, fields.request_id())
