"""Contract details: what message 10 says about a contract."""

from __future__ import annotations

from datetime import date
from typing import Final

from ibcore.sim import catalogue, hours, marketrules, messages
from ibcore.sim.contracts import Contract, Spec

# "26" is IB's rule for a penny everywhere, "110"/"109" the penny-pilot rules of options.
_STOCK_RULE: Final = "26"
_OPTION_RULE: Final = "109"
_FUTURE_RULE: Final = "67"
_CASH_RULE: Final = "239"
_ES_INDEX: Final = 11004968
_UNGROUPED: Final = 2147483647
# Of what there are derivatives that can be asked for.
_DERIVED: Final = {"STK": ("CFD", "OPT"), "IND": ("OPT",), "FUT": ("FOP",)}
_ANY: Final = Spec()
_CHICAGO: Final = "US/Central"
_PIT_DAY: Final = ("0830", "1600")
_STOCK_DAY: Final = ("0400", "2000")
_LIQUID_DAY: Final = ("0930", "1600")


def details(
    req_id: int, contract: Contract, asked: Spec = _ANY, *, today: date, version: int
) -> bytes:
    """Build message 10 of one contract, on the exchange that was asked for."""
    kind = _FIELDS[contract.sec_type](contract)
    exchange = "SMART" if contract.sec_type == "OPT" else contract.name.exchange
    return messages.encode(
        "contract_details",
        version,
        req_id=req_id,
        symbol=contract.symbol,
        sec_type="CONTFUT" if asked.sec_type == "CONTFUT" else contract.sec_type,
        strike=contract.strike,
        right=contract.right,
        exchange=asked.exchange or exchange,
        currency="USD",
        local_symbol=contract.local_symbol,
        market_name=contract.trading_class,
        trading_class=contract.trading_class,
        con_id=contract.con_id,
        min_tick=contract.min_tick,
        multiplier=contract.multiplier,
        price_magnifier=1,
        long_name=contract.name.long_name,
        valid_exchanges=contract.exchanges,
        **_times(contract, today),
        **kind,
    )


def _times(contract: Contract, today: date) -> dict[str, str]:
    """Say when it trades, on its exchange's own clock."""
    if contract.sec_type in ("FUT", "FOP"):
        trading, liquid = hours.nights(today, "1700", "1600"), hours.sessions(today, *_PIT_DAY)
        return {"time_zone": _CHICAGO, "trading_hours": trading, "liquid_hours": liquid}
    if contract.sec_type == "CASH":
        nights = hours.nights(today, "1715", "1700")
        return {"time_zone": hours.ZONE_ID, "trading_hours": nights, "liquid_hours": nights}
    liquid = hours.sessions(today, *_LIQUID_DAY)
    trading = hours.sessions(today, *_STOCK_DAY) if contract.sec_type == "STK" else liquid
    return {"time_zone": hours.ZONE_ID, "trading_hours": trading, "liquid_hours": liquid}


def _rules(exchanges: str, rule: str) -> str:
    return ",".join([rule] * len(exchanges.split(",")))


def _stock_fields(contract: Contract) -> dict[str, object]:
    name = contract.name
    return {
        "order_types": catalogue.STOCK_ORDER_TYPES,
        "under_con_id": 0,
        "primary_exchange": name.primary_exchange,
        "industry": name.industry,
        "category": name.category,
        "subcategory": name.subcategory,
        "sec_ids": [1, "ISIN", contract.isin],
        "agg_group": 1,
        "market_rules": _rules(catalogue.STOCK_EXCHANGES, _STOCK_RULE),
        "stock_type": name.stock_type,
        "min_size": 0.0001,
        "size_increment": 0.0001,
        "suggested_size": 100,
    }


def _option_fields(contract: Contract) -> dict[str, object]:
    return {
        # IB appends time and zone (ib_async#128); clients that take it for a date break here.
        "last_trade": f"{contract.expiry} 16:00:00 {hours.ZONE_ID}",
        "order_types": catalogue.OPTION_ORDER_TYPES,
        "under_con_id": contract.under_con_id or contract.name.con_id,
        "contract_month": contract.expiry[:6],
        "sec_ids": 0,
        "agg_group": 2,
        "under_symbol": contract.symbol,
        "under_sec_type": contract.name.sec_type,
        "market_rules": _rules(contract.exchanges, _OPTION_RULE),
        "real_expiry": contract.expiry,
        "min_size": 1,
        "size_increment": 1,
        "suggested_size": 1,
    }


def _index_fields(contract: Contract) -> dict[str, object]:
    name = contract.name
    return {
        "under_con_id": 0,
        "industry": name.industry,
        "category": name.category,
        "subcategory": name.subcategory,
        "sec_ids": 0,
        "agg_group": _UNGROUPED,
        "market_rules": _STOCK_RULE,
        "min_size": 1,
        "size_increment": 1,
        "suggested_size": 1,
    }


def _future_fields(contract: Contract) -> dict[str, object]:
    return {
        "last_trade": f"{contract.expiry} 08:30:00 US/Central",
        "order_types": catalogue.FUTURE_ORDER_TYPES,
        "under_con_id": _ES_INDEX,
        "contract_month": contract.expiry[:6],
        "sec_ids": 0,
        "agg_group": _UNGROUPED,
        "under_symbol": contract.symbol,
        "under_sec_type": "IND",
        "market_rules": _FUTURE_RULE,
        "real_expiry": contract.expiry,
        "min_size": 1,
        "size_increment": 1,
        "suggested_size": 1,
    }


def _cash_fields(contract: Contract) -> dict[str, object]:
    return {
        "order_types": catalogue.CASH_ORDER_TYPES,
        "under_con_id": 0,
        "sec_ids": 0,
        "agg_group": 4,
        "market_rules": _CASH_RULE,
        "min_size": 1,
        "size_increment": 1,
        "suggested_size": 1,
    }


_FIELDS: Final = {
    "STK": _stock_fields,
    "OPT": _option_fields,
    "FOP": _option_fields,
    "IND": _index_fields,
    "FUT": _future_fields,
    "CASH": _cash_fields,
}


_PLACES: Final = {
    "STK": ("CBOE", "SMART", "AMEX"),
    "IND": ("CBOE", "SMART"),
    "FUT": ("CME",),
}


def option_parameters(req_id: int, chain: list[Contract], *, version: int) -> list[bytes]:
    """Build messages 75 for SMART and two exchanges, then 76."""
    if not chain:
        return [messages.encode("option_parameters_end", version, req_id=req_id)]
    frames = [
        _parameters(req_id, part, exchange, version=version)
        for part in _by_class(chain)
        for exchange in _PLACES[part[0].name.sec_type]
    ]
    return [*frames, messages.encode("option_parameters_end", version, req_id=req_id)]


def _by_class(chain: list[Contract]) -> list[list[Contract]]:
    classes = sorted({contract.trading_class for contract in chain})
    return [[c for c in chain if c.trading_class == name] for name in classes]


def _parameters(req_id: int, chain: list[Contract], exchange: str, *, version: int) -> bytes:
    expiries = sorted({contract.expiry for contract in chain})
    strikes = sorted({contract.strike for contract in chain})
    return messages.encode(
        "option_parameters",
        version,
        req_id=req_id,
        exchange=exchange,
        under_con_id=chain[0].under_con_id or chain[0].name.con_id,
        trading_class=chain[0].trading_class,
        multiplier=chain[0].multiplier,
        expiries=[len(expiries), *expiries],
        strikes=[len(strikes), *strikes],
    )


def symbol_samples(req_id: int, matches: list[Contract], *, version: int) -> bytes:
    """Build message 79."""
    samples: list[object] = [len(matches)]
    for contract in matches:
        place = contract.name.primary_exchange or contract.name.exchange
        samples += [contract.con_id, contract.symbol, contract.sec_type, place, "USD"]
        derived = _DERIVED.get(contract.sec_type, ())
        samples += [len(derived), *derived]
        if version >= 176:
            samples += [contract.name.long_name, ""]
    return messages.encode("symbol_samples", version, req_id=req_id, samples=samples)


def market_rule(rule: int) -> bytes | None:
    """Build message 93, or nothing for a rule that does not exist."""
    known = marketrules.increments(rule)
    return messages.encode("market_rule", rule=rule, increments=known) if known else None
