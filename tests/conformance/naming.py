"""Under which name a client hears each value: that two clients agree does not say they are right.

Were two fields of the same kind exchanged in one of our tables, both decoders would hand on the
same wrong values. The official client names every value: by the parameter of its callback or the
member of its object. Ours is the same name, or one of those in `ALIASES`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from ibapi.wrapper import EWrapper

from ibcore.sim.messages import MESSAGES, Field
from tests.conformance.agreement import plain
from tests.conformance.decoders import Call, by_official
from tests.conformance.rows import Example

ALIASES: Final[dict[str, str]] = {
    "account": "accountname acctnumber",
    "accounts": "accountslist",
    "adjusted_trail_stop_price": "trailstopprice",
    "ask": "askprice",
    "average_cost": "avgcost",
    "average_price": "avgfillprice avgprice",
    "bid": "bidprice",
    "branding": "whitebrandingid",
    "code": "errorcode",
    "combo_description": "combolegsdescrip",
    "commission": "commissionandfees",
    "commission_currency": "commissionandfeescurrency",
    "conditions": "specialconditions",
    "daily": "dailypnl",
    "document": "xml",
    "end": "enddatetime",
    "equity_after": "equitywithloanafter",
    "equity_before": "equitywithloanbefore",
    "equity_change": "equitywithloanchange",
    "exchange": "primaryexchange",  # of portfolioValue
    "exec_exchange": "exchange",
    "expiry": "lasttradedateorcontractmonth",
    "kind": "marketdatatype ticktype",
    "last_price": "lastfillprice",
    "market_cap_price": "mktcapprice",
    "market_rules": "marketruleids",
    "max_commission": "maxcommissionandfees",
    "min_commission": "mincommissionandfees",
    "model": "modelcode",
    "open": "open_",
    "permissions": "snapshotpermissions",
    "position": "pos",
    "real_expiry": "realexpirationdate",
    "realized": "realizedpnl",
    "redemption_date": "yieldredemptiondate",
    "reject_json": "advancedorderrejectjson",
    "req_id": "tickerid",
    "rule": "marketruleid",
    "smart": "issmartdepth",
    "soft_dollar_display": "displayname",
    "soft_dollar_name": "name",
    "soft_dollar_value": "val",
    "start": "startdatetime",
    "suggested_size": "suggestedsizeincrement",
    "text": "errorstring",
    "time": "timestamp",
    "time_zone": "timezoneid",
    "timestamp": "headtimestamp",
    "trades": "count barcount",
    "under_con_id": "underlyingconid",
    "unrealized": "unrealizedpnl",
    "value": "val",
    "zone": "timezone",
}
# Fields that no callback hands on as they are.
NOT_NAMED: Final[dict[str, str]] = {
    "last_trade": "taken apart: date, time, zone",
    "mask": "taken apart: attributes",
    "shares_allocation": "read and dropped",
    "nbbo_price_cap": "the same",
    "e_trade_only": "the same",
    "firm_quote_only": "the same",
    "fa_profile": "the same",
    "trail_stop_price": "replaced by the one that stands further back (adjusted_trail_stop_price)",
    "size_multiplier": "a constant",
    "done": "one for all lists",
}
# Lists, whose items have no names here: counts, and values in an order that both clients share.
_LISTED: Final = ("_details", "sec_ids", "expiries", "strikes", "increments", "samples")
_BY_METHOD: Final = {"tickByTickBidAsk": {"kind"}, "tickByTickMidPoint": {"kind"}}
_NEWER: Final = {"commissionReport": "commissionAndFeesReport"}


def strangers(example: Example, version: int) -> dict[str, list[str]]:
    """Return each single value that does not arrive under its own name, and where it does."""
    calls = by_official(example.frame(version), version)
    heard = [pair for call in calls for pair in _named(call)]
    skipped = NOT_NAMED.keys() | {
        name for call in calls for name in _BY_METHOD.get(call.method, ())
    }
    found = {}
    for place in fields(example.name, version):
        value = example.values.get(place.name)
        if place.name in skipped or value is None or place.name.endswith(_LISTED):
            continue
        names = sorted({name for name, arrived in heard if arrived == plain(value)})
        if not _own(place.name) & set(names):
            found[place.name] = names
    return found


def fields(name: str, version: int) -> list[Field]:
    """Return the places of a message that are filled in for a client of that version."""
    places = MESSAGES[name.split(" ")[0]].fields
    return [p for p in places if p.constant is None and p.since <= version < p.until]


def _own(name: str) -> set[str]:
    return {name.replace("_", ""), *ALIASES.get(name, "").split()}


def _named(call: Call) -> Iterator[tuple[str, object]]:
    for name, value in zip(_parameters(call.method), call.values, strict=False):
        yield from _flat(name, value)


@lru_cache
def _parameters(method: str) -> list[str]:
    names = list(inspect.signature(getattr(EWrapper, _NEWER.get(method, method))).parameters)
    return [name for name in names if name not in ("self", "errorTime")]


def _flat(name: str, value: Any) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for member, inner in value.items():
            yield from _flat(member, inner)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _flat(name, item)
    else:
        yield name.lower(), plain(value)
