"""Contracts as IB describes them, kept as rows of `instrument`: one statement for any number.

Two writers (the watch list and a chain) may meet the same contracts: rows are written in the
order of their contract ids, so the two wait for each other and never deadlock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final

import orjson
import psycopg
from ib_async import ContractDetails

from ibcore.db import QUERIES
from sidecar import empties

BATCH: Final = 2_000
_DAY: Final = re.compile(r"\d{8}")


async def upsert(
    conn: psycopg.AsyncConnection[Any], found: Iterable[ContractDetails]
) -> dict[int, int]:
    """Store what IB said about contracts; return the instrument id of each contract id."""
    rows = {row["con_id"]: row for row in map(row_of, found)}
    ordered = [rows[con_id] for con_id in sorted(rows)]
    ids: dict[int, int] = {}
    for start in range(0, len(ordered), BATCH):
        packed = orjson.dumps(ordered[start : start + BATCH], default=str).decode()
        cursor = await conn.execute(QUERIES["instrument_upsert"], {"rows": packed})
        ids |= dict(await cursor.fetchall())
    return ids


def row_of(details: ContractDetails) -> dict[str, Any]:
    """Return the row of a contract, NULL where IB says nothing."""
    contract = details.contract
    if contract is None:
        raise ValueError("contract details without a contract")
    row: dict[str, Any] = {
        "con_id": contract.conId,
        "symbol": contract.symbol,
        "sec_type": contract.secType,
        "exchange": contract.exchange,
        "primary_exchange": contract.primaryExchange,
        "currency": contract.currency,
        "local_symbol": contract.localSymbol,
        "trading_class": contract.tradingClass,
        "multiplier": contract.multiplier,
        "expiry": expiry_of(contract.lastTradeDateOrContractMonth),
        "strike": empties.number(contract.strike) or None,
        "right": contract.right[:1] if contract.right[:1] in ("C", "P") else None,
    }
    return {name: value if value != "" else None for name, value in (row | _of(details)).items()}


def expiry_of(text: str) -> date | None:
    """Return the day in `20260320` or `20260320 14:30:00 Europe/Zurich`; a month has none."""
    match = _DAY.match(text)
    return datetime.strptime(match.group(), "%Y%m%d").date() if match else None  # noqa: DTZ007


def _of(details: ContractDetails) -> dict[str, Any]:
    return {
        "min_tick": empties.number(details.minTick) or None,
        "market_name": details.marketName,
        "long_name": details.longName,
        "underlying_con_id": details.underConId or None,
        "time_zone": details.timeZoneId,
        "trading_hours": details.tradingHours,
        "liquid_hours": details.liquidHours,
        "valid_exchanges": details.validExchanges,
        "market_rule_ids": details.marketRuleIds,
        "industry": details.industry,
        "category": details.category,
        "stock_type": details.stockType,
    }
