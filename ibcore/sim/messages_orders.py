"""The messages about orders, executions, positions and PnL: their fields in order.

`a<177` is sent to clients below 177, `a>159` to those from 159 on. Names that end in `_details`
are lists that spread over none, one or many fields.
"""

from __future__ import annotations

from typing import Final

_CONTRACT: Final = """
    con_id symbol sec_type expiry strike right multiplier exchange currency local_symbol
    trading_class
"""
_LEGS: Final = "combo_description legs_details leg_prices_details routing_details"
_SCALE: Final = "scale_init_level_size scale_subs_level_size scale_price_increment scale_details"
_PEGGED: Final = """
    min_trade_qty>170 min_compete_size>170 compete_against_best_offset>170
    mid_offset_at_whole>170 mid_offset_at_half>170
"""

OPEN_ORDER: Final = f"""
    order_id {_CONTRACT} action total_quantity order_type lmt_price aux_price tif oca_group account
    open_close origin order_ref client_id perm_id outside_rth hidden discretionary_amt
    good_after_time shares_allocation fa_group fa_method fa_percentage fa_profile<177 model_code
    good_till_date rule_80a percent_offset settling_firm short_sale_slot designated_location
    exempt_code auction_strategy starting_price stock_ref_price delta stock_range_lower
    stock_range_upper display_size block_order sweep_to_fill all_or_none min_qty oca_type
    e_trade_only firm_quote_only nbbo_price_cap parent_id trigger_method volatility volatility_type
    delta_neutral_order_type delta_neutral_aux_price delta_neutral_details continuous_update
    reference_price_type trail_stop_price trailing_percent basis_points basis_points_type {_LEGS}
    {_SCALE} hedge_type hedge_details opt_out_smart_routing clearing_account clearing_intent
    not_held contract_neutral_details algo_strategy algo_details solicited what_if status
    init_margin_before maint_margin_before equity_before init_margin_change maint_margin_change
    equity_change init_margin_after maint_margin_after equity_after commission min_commission
    max_commission commission_currency warning_text randomize_size randomize_price
    benchmark_details conditions_details adjusted_order_type trigger_price adjusted_trail_stop_price
    lmt_price_offset adjusted_stop_price adjusted_stop_limit_price adjusted_trailing_amount
    adjustable_trailing_unit soft_dollar_name soft_dollar_value soft_dollar_display cash_qty
    dont_use_auto_price_for_hedge is_oms_container discretionary_up_to_limit_price
    use_price_mgmt_algo duration>158 post_to_ats>160 auto_cancel_parent>162 {_PEGGED}
"""

COMPLETED_ORDER: Final = f"""
    {_CONTRACT} action total_quantity order_type lmt_price aux_price tif oca_group account
    open_close origin order_ref perm_id outside_rth hidden discretionary_amt good_after_time
    fa_group fa_method fa_percentage fa_profile<177 model_code good_till_date rule_80a
    percent_offset settling_firm short_sale_slot designated_location exempt_code starting_price
    stock_ref_price delta stock_range_lower stock_range_upper display_size sweep_to_fill
    all_or_none min_qty oca_type trigger_method volatility volatility_type delta_neutral_order_type
    delta_neutral_aux_price delta_neutral_details continuous_update reference_price_type
    trail_stop_price trailing_percent {_LEGS} {_SCALE} hedge_type hedge_details clearing_account
    clearing_intent not_held contract_neutral_details algo_strategy algo_details solicited status
    randomize_size randomize_price benchmark_details conditions_details adjusted_trail_stop_price
    lmt_price_offset cash_qty dont_use_auto_price_for_hedge is_oms_container auto_cancel_date
    filled_quantity ref_futures_con_id auto_cancel_parent shareholder imbalance_only
    route_marketable_to_bbo parent_perm_id completed_time completed_status {_PEGGED}
"""

# name: number, version field (None: there is none), fields.
ORDER_MESSAGES: Final[dict[str, tuple[int, int | None, str]]] = {
    "order_status": (
        3,
        None,
        "order_id status filled remaining average_price perm_id parent_id last_price client_id"
        " why_held market_cap_price",
    ),
    "open_order": (5, None, OPEN_ORDER),
    "portfolio_value": (
        7,
        8,
        f"{_CONTRACT} position market_price market_value average_cost unrealized_pnl realized_pnl"
        " account",
    ),
    "execution": (
        11,
        None,
        f"req_id order_id {_CONTRACT} exec_id time account exec_exchange side shares price perm_id"
        " client_id liquidation cum_qty average_price order_ref ev_rule ev_multiplier model_code"
        " last_liquidity pending_price_revision>178",
    ),
    "commission_report": (59, 1, "exec_id commission currency realized_pnl yield redemption_date"),
    "position_multi": (71, 3, f"req_id account {_CONTRACT} position average_cost model_code"),
    "position_multi_end": (72, 1, "req_id"),
    "pnl": (94, None, "req_id daily unrealized realized"),
    "pnl_single": (95, None, "req_id position daily unrealized realized value"),
    "order_bound": (100, None, "perm_id client_id order_id"),
    "completed_order": (101, None, COMPLETED_ORDER),
}
