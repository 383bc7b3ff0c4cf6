"""Gathers the facts that risk looks at, from committed rows: at the claim, and for a preview."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timezone
from decimal import Decimal
from typing import Any, Final

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ibcore import db
from ibcore.calendar import NEW_YORK
from ibcore.clock import utcnow
from ibcore.risk import (
    Contract,
    Facts,
    Leg,
    Limits,
    Move,
    ProposedOrder,
    Quote,
    Refusal,
    assess,
)
from ibcore.risk.hours import Intervals, common, intervals
from ibcore.risk.moves import natural

_OPTIONS: Final = frozenset({"OPT", "FOP", "BAG"})
_OPTION_MULTIPLIER: Final = Decimal(100)


def proposed(
    row: Mapping[str, Any], *, replaces: Decimal | None = None, parent: ProposedOrder | None = None
) -> ProposedOrder:
    """Return an intent's row as risk sees it; `parent` as far as it still has to trade."""
    return ProposedOrder(
        account=row["account"],
        symbol=row["symbol"],
        sec_type=row["sec_type"],
        con_id=row["con_id"] or 0,
        side=row["side"],
        quantity=row["quantity"],
        order_type=row["order_type"],
        limit_price=row["limit_price"],
        stop_price=row["stop_price"],
        multiplier=_multiplier(row),
        outside_rth=row["outside_rth"],
        replaces=replaces,
        legs=_legs(row),
        group=row["oca_group"] or "",
        family=str(row["parent_id"] or ""),
        parent=parent,
    )


def _legs(row: Mapping[str, Any]) -> tuple[Leg, ...]:
    signs = {"BUY": 1, "SELL": -1}
    return tuple(
        Leg(int(leg["con_id"]), signs[leg["action"]] * int(leg["ratio"]))
        for leg in row["legs"] or ()
    )


async def gather(
    conn: db.Connection,
    row: Mapping[str, Any],
    *,
    live_enabled: bool,
    stopped: str | None,
    managed: Sequence[str] | None,
    now: datetime,
) -> Facts:
    """Return everything known of the moment about an intent's row."""
    found = await _look(conn, row, now)
    if stopped is None and found["killed"]:
        stopped = f"row: {found['kill_reason']}"
    contracts = {each["con_id"]: each for each in found["contracts"]}
    own, order = contracts.get(row["con_id"]), proposed(row)
    facts = Facts(
        limits=Limits.of(row["account"], [tuple(each) for each in found["limits"]]),
        live_enabled=live_enabled,
        stopped=stopped,
        managed=None if managed is None else frozenset(managed),
        armed_until=found["armed_until"],
        quote=_quote(own) if own else None,
        position=_number(own["position"]) if own else None,
        contracts={con_id: _contract(each) for con_id, each in contracts.items()},
        working=tuple(_move(each) for each in found["working"]),
        working_orders=found["working_orders"],
        sent_last_s=found["sent_last_s"],
        sent_today=found["sent_today"],
        alike_age_s=found["alike_age_s"],
        daily_pnl=found["daily_pnl"],
        regular_hours=_hours(contracts.values(), "liquid_hours"),
        extended_hours=_hours(contracts.values(), "trading_hours"),
    )
    return replace(facts, quote=natural(order, facts)) if order.legs else facts


async def _look(conn: db.Connection, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    midnight = datetime.combine(now.astimezone(NEW_YORK).date(), time(), NEW_YORK)
    wanted = ("account", "instrument_id", "symbol", "side", "quantity", "order_type")
    values = {name: row[name] for name in (*wanted, "limit_price", "stop_price", "id")}
    legs = _legs(row)
    values |= {
        "day_begins": midnight.astimezone(timezone.utc),
        "con_ids": [leg.con_id for leg in legs] if legs else [row["con_id"]],
        "legs": None if row["legs"] is None else Jsonb(row["legs"]),
        "target_id": row.get("target_id"),
    }
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(db.QUERIES["order_risk_facts"], values)
        found = await cursor.fetchone()
    assert found is not None
    return found


def judge(
    order: ProposedOrder, facts: Facts, *, now: datetime | None = None
) -> tuple[Refusal, ...]:
    """Return why the order may not go, at `now`."""
    return assess(order, facts, now or utcnow())


def _contract(found: Mapping[str, Any]) -> Contract:
    return Contract(
        name=found["name"] or found["symbol"] or "an unknown contract",
        symbol=found["symbol"] or "",
        sec_type=found["sec_type"] or "",
        multiplier=_multiplier(found),
        position=_number(found["position"]),
        quote=_quote(found),
    )


def _move(found: Sequence[Any]) -> Move:
    con_id, side, quantity, group, family, covered = found
    return Move(con_id, side, Decimal(quantity), group, family, Decimal(covered))


def _quote(found: Mapping[str, Any]) -> Quote | None:
    if found["age_s"] is None:
        return None
    bid, ask, last = (_number(found[name]) for name in ("bid", "ask", "last"))
    return Quote(bid, ask, last, found["age_s"], found["quality"])


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _hours(contracts: Iterable[Mapping[str, Any]], name: str) -> Intervals | None:
    return common([intervals(each[name], each["time_zone"]) for each in contracts])


def _multiplier(row: Mapping[str, Any]) -> Decimal:
    text = str(row["multiplier"] or "")
    if text.replace(".", "", 1).isdigit():
        return Decimal(text)
    return _OPTION_MULTIPLIER if row["sec_type"] in _OPTIONS else Decimal(1)
