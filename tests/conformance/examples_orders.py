"""Rows of values for the messages about orders: every field set, each to a value of its own."""

from __future__ import annotations

from typing import Any, Final

from ibcore.sim import messages
from tests.conformance.rows import CONTRACT, Example, Explained, same_moment


def _names(listed: str) -> list[str]:
    return listed.split()


_TEXTS: Final = _names(
    """
    tif oca_group account open_close order_ref good_after_time fa_group fa_method
    fa_percentage model_code good_till_date rule_80a settling_firm designated_location
    delta_neutral_order_type combo_description hedge_type clearing_account clearing_intent
    algo_strategy status commission_currency warning_text adjusted_order_type
    soft_dollar_name soft_dollar_value soft_dollar_display completed_time completed_status
    auto_cancel_date fa_profile shares_allocation
    init_margin_before maint_margin_before equity_before
    init_margin_change maint_margin_change equity_change init_margin_after
    maint_margin_after equity_after
    """
)
_INTEGERS: Final = _names(
    """
    origin client_id perm_id short_sale_slot exempt_code auction_strategy display_size
    min_qty oca_type parent_id trigger_method volatility_type reference_price_type
    basis_points_type scale_init_level_size scale_subs_level_size adjustable_trailing_unit
    use_price_mgmt_algo duration post_to_ats min_trade_qty min_compete_size
    ref_futures_con_id parent_perm_id
    """
)
_NUMBERS: Final = _names(
    """
    total_quantity lmt_price aux_price discretionary_amt percent_offset starting_price
    stock_ref_price delta stock_range_lower stock_range_upper nbbo_price_cap volatility
    delta_neutral_aux_price trailing_percent basis_points scale_price_increment commission
    min_commission max_commission trigger_price adjusted_trail_stop_price lmt_price_offset
    adjusted_stop_price adjusted_stop_limit_price adjusted_trailing_amount cash_qty
    compete_against_best_offset mid_offset_at_whole mid_offset_at_half filled_quantity
    trail_stop_price
    """
)
FLAGS: Final = _names(
    """
    outside_rth hidden block_order sweep_to_fill all_or_none e_trade_only firm_quote_only
    continuous_update opt_out_smart_routing not_held solicited what_if randomize_size
    randomize_price dont_use_auto_price_for_hedge is_oms_container
    discretionary_up_to_limit_price auto_cancel_parent imbalance_only
    route_marketable_to_bbo
    """
)

_FULL: Final[dict[str, Any]] = {
    **CONTRACT,
    **{name: f"x {name}" for name in _TEXTS},
    **{name: 7001 + number for number, name in enumerate(_INTEGERS)},
    **{name: 501.25 + number for number, name in enumerate(_NUMBERS)},
    **dict.fromkeys(FLAGS, "1"),
    "use_price_mgmt_algo": 1,
    "action": "SELL",
    "order_type": "PEG BENCH",
    "hedge_details": ["x hedge param"],
    "legs_details": [1, 8001, 8002, "BUY", "x leg exchange", 2, 1, "x leg location", 8003],
    "leg_prices_details": [1, 601.5],
    "routing_details": [1, "x routing tag", "x routing value"],
    "scale_details": [602.5, 8004, 603.5, 1, 8005, 8006, 1],
    "contract_neutral_details": [1, 8007, 604.5, 605.5],
    "algo_details": [1, "x algo tag", "x algo value"],
    "benchmark_details": [8008, 1, 606.5, 607.5, "x reference exchange"],
    # One of each kind: price, time, margin, execution, volume, percent change.
    "conditions_details": [
        6,
        *(1, "a", 1, 608.5, 8009, "x price exchange", 2),
        *(3, "o", 1, "20260821 15:00:00 US/Eastern"),
        *(4, "a", 0, 8010),
        *(5, "o", "STK", "x execution exchange", "x execution symbol"),
        *(6, "a", 1, 8011, 8012, "x volume exchange"),
        *(7, "o", 0, 609.5, 8013, "x change exchange"),
        *(1, 1),
    ],
}
_OPEN_NEUTRAL: Final = [8014, "x settling", "x neutral account", "x neutral intent", "O", 1, 8015,
                        "x neutral location"]  # fmt: skip
_COMPLETED_NEUTRAL: Final = [8014, 1, 8015, "x neutral location"]

_PLAIN: Final[dict[str, Any]] = {
    **CONTRACT, "order_id": 88, "action": "BUY", "total_quantity": 300, "order_type": "LMT",
    "lmt_price": 182.25, "aux_price": 0.0, "tif": "GTC", "account": "DU7654321",
    "client_id": 14, "perm_id": 1376327563, "status": "Submitted", "oca_type": 3,
    "exempt_code": -1,
    "legs_details": 0, "leg_prices_details": 0, "routing_details": 0, "conditions_details": 0,
    "contract_neutral_details": 0, "scale_details": [], "hedge_details": [], "algo_details": [],
    "benchmark_details": [], "delta_neutral_details": [],
}  # fmt: skip


_UNHEARD: Final = {
    "511.25": "nbbo_price_cap: the official client reads it and drops it (no longer supported)",
    "x fa_profile": "the official client reads it and drops it (gone with 177)",
    "x shares_allocation": "both read it and drop it",
    "531.25": "trail_stop_price: replaced by adjusted_trail_stop_price, further back",
    "a": "and: the official client has isConjunctionConnection instead",
    "o": "or: the same",
}


def _of(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that the message has a place for."""
    places = {field.name for field in messages.MESSAGES[name].fields}
    return {key: value for key, value in values.items() if key in places}


EXPLAINED: Final = {
    "execDetails.2.time": Explained("ib_async makes it a moment in UTC", same_moment)
}
ONE_SIDED: Final = {
    "nbbopricecap": "gone from the official client's Order; TWS ignores it",
    "faprofile": "the same",
    "etradeonly": "the same",
    "firmquoteonly": "the same",
    "exch": "a condition's exchange, as ib_async calls it",
    "conditions.exchange": "the same, as the official client does",
    "conjunction": "a or o, as ib_async keeps it",
    "isconjunctionconnection": "the same, as the official client does",
    "optexerciseorlapsetype": "the official client's own, for servers beyond 178",
}


def rows() -> tuple[Example, ...]:
    """Return the rows."""
    return (
        Example("order_status", {
            "order_id": 88, "status": "Submitted", "filled": 120, "remaining": 180,
            "average_price": 182.25, "perm_id": 1376327563, "parent_id": 87, "last_price": 182.5,
            "client_id": 14, "why_held": "locate", "market_cap_price": 190.75}),
        Example("open_order", _of("open_order", {
            **_FULL, "order_id": 88, "delta_neutral_details": _OPEN_NEUTRAL}), unheard=_UNHEARD),
        Example("open_order (plain)", _of("open_order", _PLAIN)),
        Example("completed_order", _of("completed_order", {
            **_FULL, "delta_neutral_details": _COMPLETED_NEUTRAL, "shareholder": "x holder"}),
            unheard=_UNHEARD),
        Example("completed_order (plain)", _of("completed_order", _PLAIN)),
        Example("portfolio_value", {
            **_of("portfolio_value", CONTRACT), "position": -7, "market_price": 12.25,
            "market_value": -8575.5, "average_cost": 1214.71, "unrealized_pnl": -72.53,
            "realized_pnl": 31.25, "account": "DU7654321"}),
        Example("execution", {
            **CONTRACT, "req_id": 9020, "order_id": 88, "exec_id": "0000e0d5.67fe667b.01.01",
            "time": "20260821 15:30:31 US/Eastern", "account": "DU7654321",
            "exec_exchange": "IEX", "side": "BOT", "shares": 120, "price": 182.25,
            "perm_id": 1376327563, "client_id": 14, "liquidation": 1, "cum_qty": 220,
            "average_price": 182.125, "order_ref": "x ref", "ev_rule": "x rule",
            "ev_multiplier": 5.5, "model_code": "x model", "last_liquidity": 2,
            "pending_price_revision": 1},
            unheard={"20260821 15:30:31 US/Eastern": "ib_async makes it a moment in UTC"}),
        Example("commission_report", {
            "exec_id": "0000e0d5.67fe667b.01.01", "commission": 1.0235, "currency": "USD",
            "realized_pnl": 31.25, "yield": 4.5, "redemption_date": 20270115}),
        Example("position_multi", {
            **_of("position_multi", CONTRACT), "req_id": 9021, "account": "DU7654321",
            "position": -7, "average_cost": 1214.71, "model_code": "x model"}),
        Example("position_multi_end", {"req_id": 9022}),
        Example("pnl", {"req_id": 9023, "daily": 12.5, "unrealized": -72.53,
                        "realized": 31.25}),
        Example("pnl_single", {"req_id": 9024, "position": -7, "daily": 12.5,
                               "unrealized": -72.53, "realized": 31.25, "value": -8575.5}),
        Example("order_bound", {"perm_id": 1376327563, "client_id": 14, "order_id": -3}),
    )  # fmt: skip
