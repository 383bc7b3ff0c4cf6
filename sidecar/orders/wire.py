"""An intent's row as ib_async's contract and order; every field that matters is said."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ib_async import ComboLeg, Contract, Order, TagValue

# orderRef is what IB echoes in open orders, completed orders and executions alike.
PREFIX: Final = "ibk:"
_OCA_WITH_BLOCK: Final = 1


def order_ref(intent_id: Any) -> str:
    """Return the reference of an intent: 36 characters."""
    return f"{PREFIX}{intent_id.hex}"


def contract(row: Mapping[str, Any]) -> Contract:
    """Return what is traded: an instrument by its id, or a combination by its legs."""
    if row["legs"] is None:
        return Contract(
            conId=row["con_id"],
            symbol=row["symbol"],
            secType=row["sec_type"],
            exchange=row["exchange"],
            currency=row["currency"],
        )
    legs = [
        ComboLeg(
            conId=int(leg["con_id"]),
            ratio=int(leg["ratio"]),
            action=leg["action"],
            exchange=leg.get("exchange", "SMART"),
        )
        for leg in row["legs"]
    ]
    return Contract(
        symbol=row["symbol"],
        secType="BAG",
        exchange=row["exchange"],
        currency=row["currency"],
        comboLegs=legs,
    )


def order(row: Mapping[str, Any], *, parent_order_id: int = 0, transmit: bool = True) -> Order:
    """Return the order of a row. `tif` is always said: a preset would cancel nothing, but 10349."""
    made = Order(
        action=row["side"],
        totalQuantity=_number(row["quantity"]),
        orderType=row["order_type"],
        tif=row["tif"],
        account=row["account"],
        orderRef=row["order_ref"],
        outsideRth=row["outside_rth"],
        transmit=transmit,
        parentId=parent_order_id,
    )
    if row["limit_price"] is not None:
        made.lmtPrice = _number(row["limit_price"])
    _stop(made, row)
    if row["oca_group"]:
        made.ocaGroup, made.ocaType = row["oca_group"], _OCA_WITH_BLOCK
    if row["algo"]:
        made.algoStrategy = row["algo"]
        made.algoParams = [TagValue(k, str(v)) for k, v in (row["algo_params"] or {}).items()]
    return made


def _stop(made: Order, row: Mapping[str, Any]) -> None:
    if row["order_type"] != "TRAIL":
        if row["stop_price"] is not None:
            made.auxPrice = _number(row["stop_price"])
        return
    if row["stop_price"] is not None:
        made.trailStopPrice = _number(row["stop_price"])
    if row["trail_percent"] is not None:
        made.trailingPercent = _number(row["trail_percent"])
    else:
        made.auxPrice = _number(row["trail_amount"])


def _number(value: Decimal) -> float:
    return float(value)
