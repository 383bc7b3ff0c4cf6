"""Values of the order messages: what IB writes where an order says nothing, and where it says more.

Each function returns the values that `messages.encode` takes; the defaults are those of recorded
frames (servers 164 and 173).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ibcore.sim import combos, wire
from ibcore.sim.contracts import Contract
from ibcore.sim.messages import MESSAGES
from ibcore.sim.orders import Order
from ibcore.sim.tickets import Fill, Ticket

_MARGIN_NAMES: Final = tuple(
    f"{what}_{when}"
    for when in ("before", "change", "after")
    for what in ("init_margin", "maint_margin", "equity")
)
_DEFAULTS: Final[dict[str, object]] = {
    **dict.fromkeys(
        ("origin", "outside_rth", "hidden", "discretionary_amt", "short_sale_slot", "block_order",
         "sweep_to_fill", "all_or_none", "e_trade_only", "firm_quote_only", "parent_id",
         "trigger_method", "volatility_type", "continuous_update", "reference_price_type",
         "opt_out_smart_routing", "not_held", "solicited", "what_if", "randomize_size",
         "randomize_price", "adjustable_trailing_unit", "cash_qty", "is_oms_container",
         "discretionary_up_to_limit_price", "use_price_mgmt_algo", "auction_strategy",
         "auto_cancel_parent", "imbalance_only", "route_marketable_to_bbo"), "0"),
    **dict.fromkeys(("display_size", "scale_init_level_size", "scale_subs_level_size",
                     "ref_futures_con_id"), wire.UNSET_INT),
    **dict.fromkeys(("trigger_price", "adjusted_trail_stop_price", "lmt_price_offset",
                     "adjusted_stop_price", "adjusted_stop_limit_price",
                     "adjusted_trailing_amount", *_MARGIN_NAMES), wire.UNSET_DOUBLE),
    "lmt_price": "0.0", "aux_price": "0.0", "tif": "DAY", "exempt_code": "-1",
    "clearing_intent": "IB", "dont_use_auto_price_for_hedge": "1", "adjusted_order_type": "None",
    "min_compete_size": "100", "compete_against_best_offset": "0.02",
    "shareholder": "Not an insider or substantial shareholder",
    "parent_perm_id": "9223372036854775807",
}  # fmt: skip
_NEUTRAL: Final = {
    "delta_neutral_con_id": "0", "delta_neutral_settling_firm": "",
    "delta_neutral_clearing_account": "", "delta_neutral_clearing_intent": "",
    "delta_neutral_open_close": "?", "delta_neutral_short_sale": "0",
    "delta_neutral_short_sale_slot": "0", "delta_neutral_designated_location": "",
}  # fmt: skip
_SCALE: Final = ("scale_price_adjust_value", "scale_price_adjust_interval", "scale_profit_offset",
                 "scale_auto_reset", "scale_init_position", "scale_init_fill_qty",
                 "scale_random_percent")  # fmt: skip
_BENCHMARK: Final = ("reference_contract_id", "is_pegged_change_amount_decrease",
                     "pegged_change_amount", "reference_change_amount",
                     "reference_exchange_id")  # fmt: skip
_SHORT_NEUTRAL: Final = ("con_id", "short_sale", "short_sale_slot", "designated_location")
_COMPETING: Final = {"min_compete_size": "", "compete_against_best_offset": ""}
_PLACES: Final = {
    name: frozenset(item.name for item in message.fields) for name, message in MESSAGES.items()
}


def contract(of: Contract, *, exchange: str, listed: bool = True) -> dict[str, object]:
    """Return a contract's values; order lists write `?` and 0 for a stock, others '' and 0.0."""
    blank = {"right": "?", "strike": "0"} if listed else {"right": "", "strike": "0.0"}
    option = {"right": of.right, "strike": repr(of.strike)}
    return {
        "con_id": combos.WIRE_CON_ID if of.legs else of.con_id, "symbol": of.symbol,
        "sec_type": of.sec_type, "expiry": of.expiry, "multiplier": of.multiplier,
        "exchange": exchange, "currency": "USD",
        "local_symbol": of.local_symbol, "trading_class": of.trading_class,
        **(option if of.is_option else blank),
    }  # fmt: skip


def open_order(ticket: Ticket, state: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Return the values of openOrder; `state` has margins and commission."""
    shares = wire.number(ticket.quantity)
    values = _described(ticket, short=False) | {
        "order_id": ticket.order_id,
        "client_id": ticket.client_id,
        "total_quantity": shares,
        # TWS writes its permanent id as a double here (both recordings).
        "shares_allocation": f"{ticket.perm_id}.0/{ticket.account}/{shares}",
        "adjusted_trail_stop_price": _stop(ticket) or wire.UNSET_DOUBLE,
        **(state or {}),
    }
    return _fitting("open_order", values)


def completed_order(ticket: Ticket) -> dict[str, Any]:
    """Return the values of completedOrder."""
    values = _described(ticket, short=True) | {
        "total_quantity": wire.number(ticket.remaining),
        "filled_quantity": wire.number(ticket.filled),
        "adjusted_trail_stop_price": _stop(ticket) or wire.UNSET_DOUBLE,
        "completed_time": ticket.completed_time,
        "completed_status": ticket.completed_status,
    }
    if ticket.parent_perm_id:
        values["parent_perm_id"] = ticket.parent_perm_id
    return _fitting("completed_order", values)


def _stop(ticket: Ticket) -> str:
    is_trail = ticket.order.order_type.startswith("TRAIL")
    return repr(ticket.stop) if is_trail and ticket.stop is not None else ""


def _described(ticket: Ticket, *, short: bool) -> dict[str, object]:
    order = ticket.order
    said = {name: value for name, value in order.values.items() if value}
    pegged = _COMPETING if order.order_type.startswith("PEG") else {}
    return {
        **_DEFAULTS,
        **pegged,
        **contract(ticket.contract, exchange=ticket.exchange),
        "combo_description": combos.describe(ticket.contract),
        **said,
        **_groups(order, short=short),
        "oca_group": ticket.oca_group,
        "oca_type": ticket.oca_type,
        "account": ticket.account,
        "perm_id": ticket.perm_id,
        "status": ticket.status,
        "trail_stop_price": _stop(ticket),
    }


def _groups(order: Order, *, short: bool) -> dict[str, object]:
    """Return the lists that spread over several fields."""
    text = order.text
    neutral = [text(name) or blank for name, blank in _NEUTRAL.items()]
    if short:
        wanted = [f"delta_neutral_{name}" for name in _SHORT_NEUTRAL]
        neutral = [text(name) or _NEUTRAL[name] for name in wanted]
    scaled = text("scale_price_increment") not in ("", "0.0")
    pegged = order.order_type in {"PEG BENCH", "PEGBENCH"}
    return {
        "delta_neutral_order_type": text("delta_neutral_order_type") or "None",
        "delta_neutral_details": neutral,
        "legs_details": _counted(order.legs),
        "leg_prices_details": _counted(order.leg_prices),
        "routing_details": _counted(order.routing),
        "scale_details": [text(name) for name in _SCALE] if scaled else [],
        "hedge_details": [text("hedge_param")] if text("hedge_type") else [],
        "contract_neutral_details": _contract_neutral(order),
        "algo_details": _counted(order.algo_params) if text("algo_strategy") else [],
        "benchmark_details": [text(name) for name in _BENCHMARK] if pegged else [],
        "conditions_details": _conditions(order),
    }


def _counted(group: tuple[tuple[str, ...], ...]) -> list[object]:
    return [len(group), *(value for entry in group for value in entry)]


def _contract_neutral(order: Order) -> list[object]:
    if not order.flag("contract_neutral"):
        return ["0"]
    names = ("contract_neutral_con_id", "contract_neutral_delta", "neutral_price")
    return ["1", *(order.text(name) for name in names)]


def _conditions(order: Order) -> list[object]:
    if not order.conditions:
        return ["0"]
    both = (order.text("conditions_ignore_rth"), order.text("conditions_cancel_order"))
    return [*_counted(order.conditions), *both]


def _fitting(name: str, values: Mapping[str, object]) -> dict[str, Any]:
    places = _PLACES[name]
    return {key: value for key, value in values.items() if key in places}


def order_status(ticket: Ticket) -> dict[str, Any]:
    """Return the values of orderStatus."""
    return {
        "order_id": ticket.order_id,
        "status": ticket.status,
        "filled": wire.number(ticket.filled),
        "remaining": wire.number(ticket.remaining),
        "average_price": wire.number(ticket.average),
        "perm_id": ticket.perm_id,
        "parent_id": ticket.order.integer("parent_id"),
        "last_price": wire.number(ticket.last_price),
        "client_id": ticket.client_id,
        "why_held": ticket.why_held,
        "market_cap_price": 0,
    }


def execution(fill: Fill, req_id: int = -1) -> dict[str, Any]:
    """Return the values of execDetails."""
    ticket = fill.ticket
    return {
        **contract(fill.contract, exchange=fill.exchange, listed=False),
        "req_id": req_id,
        "order_id": ticket.order_id,
        "exec_id": fill.exec_id,
        "time": fill.time,
        "account": ticket.account,
        "exec_exchange": fill.exchange,
        "side": "BOT" if fill.is_buy else "SLD",
        "shares": wire.number(fill.shares),
        "price": wire.number(fill.price),
        "perm_id": ticket.perm_id,
        "client_id": ticket.client_id,
        "liquidation": 0,
        "cum_qty": wire.number(fill.cum_qty),
        "average_price": wire.number(fill.average),
        "order_ref": ticket.order.text("order_ref"),
        "last_liquidity": fill.liquidity,
        "pending_price_revision": 0,
    }


def commission_report(fill: Fill) -> dict[str, Any]:
    """Return the values of commissionReport."""
    realized = fill.realized
    return {
        "exec_id": fill.exec_id,
        "commission": repr(fill.commission),
        "currency": "USD",
        "realized_pnl": wire.UNSET_DOUBLE if realized is None else repr(round(realized, 6)),
        "yield": wire.UNSET_DOUBLE,
    }
