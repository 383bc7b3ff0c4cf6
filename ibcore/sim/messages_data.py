"""The messages about history, tick-by-tick data, depth and the small tables: fields in order.

Same notation as `messages_orders`: names that end in `_details` are lists that spread out.
"""

from __future__ import annotations

from typing import Final

DATA_MESSAGES: Final[dict[str, tuple[int, int | None, str]]] = {
    "market_depth": (12, 1, "req_id position operation side price size"),
    "market_depth_l2": (
        13, 1, "req_id position market_maker operation side price size smart",
    ),
    "scanner_parameters": (19, 1, "document"),
    "historical_data": (17, None, "req_id start end bars_details"),
    "real_time_bar": (50, 3, "req_id time open high low close volume wap trades"),
    "soft_dollar_tiers": (77, None, "req_id tiers_details"),
    "family_codes": (78, None, "codes_details"),
    "depth_exchanges": (80, None, "exchanges_details"),
    "smart_components": (82, None, "req_id components_details"),
    "news_providers": (85, None, "providers_details"),
    "head_timestamp": (88, None, "req_id timestamp"),
    "histogram": (89, None, "req_id entries_details"),
    "historical_update": (90, None, "req_id trades date open close high low wap volume"),
    "historical_ticks": (96, None, "req_id ticks_details done"),
    "historical_ticks_bid_ask": (97, None, "req_id ticks_details done"),
    "historical_ticks_last": (98, None, "req_id ticks_details done"),
    "tick_by_tick_last": (99, None, "req_id kind time price size mask exchange conditions"),
    "tick_by_tick_bid_ask": (99, None, "req_id kind time bid ask bid_size ask_size mask"),
    "tick_by_tick_mid_point": (99, None, "req_id kind time mid_point"),
    "historical_schedule": (106, None, "req_id start end zone sessions_details"),
    "user_info": (107, None, "req_id branding"),
}  # fmt: skip
