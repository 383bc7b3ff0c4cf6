"""Gathers the facts that risk looks at, from committed rows: at the claim, and for a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timezone
from decimal import Decimal
from typing import Any, Final

from psycopg.rows import dict_row

from ibcore import db
from ibcore.calendar import NEW_YORK
from ibcore.clock import utcnow
from ibcore.risk import Facts, Limits, ProposedOrder, Quote, Refusal, assess
from ibcore.risk.hours import intervals

_OPTIONS: Final = frozenset({"OPT", "FOP", "BAG"})
_OPTION_MULTIPLIER: Final = Decimal(100)


def proposed(row: Mapping[str, Any], *, replaces: Decimal | None = None) -> ProposedOrder:
    """Return an intent's row as risk sees it."""
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
    midnight = datetime.combine(now.astimezone(NEW_YORK).date(), time(), NEW_YORK)
    wanted = ("account", "instrument_id", "symbol", "side", "quantity", "order_type")
    values = {name: row[name] for name in (*wanted, "limit_price", "stop_price", "id", "con_id")}
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            db.QUERIES["order_risk_facts"],
            values | {"day_begins": midnight.astimezone(timezone.utc)},
        )
        found = await cursor.fetchone()
    assert found is not None
    if stopped is None and found["killed"]:
        stopped = f"row: {found['kill_reason']}"
    return Facts(
        limits=Limits.of(row["account"], [tuple(each) for each in found["limits"]]),
        live_enabled=live_enabled,
        stopped=stopped,
        managed=None if managed is None else frozenset(managed),
        armed_until=found["armed_until"],
        quote=_quote(found),
        position=found["position"],
        working_buy=found["working_buy"],
        working_sell=found["working_sell"],
        working_orders=found["working_orders"],
        sent_last_s=found["sent_last_s"],
        sent_today=found["sent_today"],
        alike_age_s=found["alike_age_s"],
        daily_pnl=found["daily_pnl"],
        regular_hours=intervals(row["liquid_hours"], row["time_zone"]),
        extended_hours=intervals(row["trading_hours"], row["time_zone"]),
    )


def judge(
    order: ProposedOrder, facts: Facts, *, now: datetime | None = None
) -> tuple[Refusal, ...]:
    """Return why the order may not go, at `now`."""
    return assess(order, facts, now or utcnow())


def _quote(found: Mapping[str, Any]) -> Quote | None:
    if found["quote_age_s"] is None:
        return None
    bid, ask, last = (
        None if found[name] is None else Decimal(repr(found[name]))
        for name in ("bid", "ask", "last")
    )
    return Quote(bid, ask, last, found["quote_age_s"], found["quality"])


def _multiplier(row: Mapping[str, Any]) -> Decimal:
    text = str(row["multiplier"] or "")
    if text.replace(".", "", 1).isdigit():
        return Decimal(text)
    return _OPTION_MULTIPLIER if row["sec_type"] in _OPTIONS else Decimal(1)
