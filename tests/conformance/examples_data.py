"""Rows for the messages about history, tick-by-tick data, depth and the small tables."""

from __future__ import annotations

from typing import Final

from tests.conformance.rows import Example, Explained, same_moment

_EPOCH = "both make a moment in time of it"


def rows() -> tuple[Example, ...]:
    """Return one example of each message, or more where its fields depend on a kind."""
    return (
        Example("market_depth", {"req_id": 9101, "position": 3, "operation": 1, "side": 1,
                                 "price": 182.5, "size": 700}),
        Example("market_depth_l2", {"req_id": 9102, "position": 4, "market_maker": "ARCA",
                                    "operation": 2, "side": 1, "price": 182.25, "size": 900,
                                    "smart": True}),
        Example("historical_data", {
            "req_id": 9103, "start": "20260819 09:30:00 US/Eastern",
            "end": "20260821 16:00:00 US/Eastern",
            "bars_details": [2, "20260820", 182.5, 186.25, 180.75, 185.5, 948837.25, 184.869,
                             324891, "20260821", 183.5, 186.5, 182.25, 185.25, 810998.5, 183.987,
                             277547]}),
        Example("scanner_parameters", {"document": "<ScanParameterResponse/>"}),
        Example("real_time_bar", {"req_id": 9104, "time": 1785769205, "open": 182.5,
                                  "high": 183.25, "low": 181.75, "close": 182.75, "volume": 1300,
                                  "wap": 182.617, "trades": 24}),
        Example("soft_dollar_tiers", {"req_id": 9105, "tiers_details": [
            1, "tier name", "tier value", "tier display"]}),
        Example("family_codes", {"codes_details": [2, "DU1234567", "F1", "DU7654321", "F2"]}),
        Example("depth_exchanges", {"exchanges_details": [
            2, "ARCA", "STK", "listing", "Deep", 2147483647, "IDEALPRO", "CASH", "", "Deep2", 4]},
            unheard={"2147483647.0": "both know it as not set"}),
        Example("smart_components", {"req_id": 9106, "components_details": [
            2, 7, "ARCA", "P", 8, "NASDAQ", "Q"]}),
        Example("news_providers", {"providers_details": [1, "BRFG", "Briefing.com"]}),
        Example("head_timestamp", {"req_id": 9107, "timestamp": "20100629-13:30:00"}),
        Example("histogram", {"req_id": 9108, "entries_details": [2, 182.5, 700, 182.75, 900]}),
        Example("historical_update", {"req_id": 9109, "trades": 24,
                                      "date": "20260821 15:30:00 US/Eastern", "open": 182.5,
                                      "close": 182.75, "high": 183.25, "low": 181.75,
                                      "wap": 182.617, "volume": 1300}),
        Example("historical_ticks", {
            "req_id": 9110, "ticks_details": [1, 1785769205, 0, 182.625, 7], "done": True},
            unheard={"1785769205.0": _EPOCH, "0.0": "a field that both pass over"}),
        Example("historical_ticks_bid_ask", {
            "req_id": 9111, "ticks_details": [1, 1785769205, 3, 182.5, 182.75, 700, 900],
            "done": True},
            unheard={"1785769205.0": _EPOCH, "3.0": "a mask: bid past low, ask past high"}),
        Example("historical_ticks_last", {
            "req_id": 9112, "ticks_details": [1, 1785769205, 2, 182.5, 700, "IEX", " O X"],
            "done": True},
            unheard={"1785769205.0": _EPOCH, "2.0": "a mask: unreported"}),
        Example("tick_by_tick_last", {
            "req_id": 9113, "kind": 2, "time": 1785769205, "price": 182.5, "size": 700, "mask": 2,
            "exchange": "IEX", "conditions": " O X"}),
        Example("tick_by_tick_bid_ask", {
            "req_id": 9114, "kind": 3, "time": 1785769205, "bid": 182.5, "ask": 182.75,
            "bid_size": 700, "ask_size": 900, "mask": 3},
            unheard={"3.0": "a mask, and the kind that chose the method"}),
        Example("tick_by_tick_mid_point", {
            "req_id": 9115, "kind": 4, "time": 1785769205, "mid_point": 182.625},
            unheard={"4.0": "the kind that chose the method"}),
        Example("historical_schedule", {
            "req_id": 9116, "start": "20260820-09:30:00", "end": "20260821-16:00:00",
            "zone": "US/Eastern",
            "sessions_details": [2, "20260820-09:30:00", "20260820-16:00:00", "20260820",
                                 "20260821-09:30:01", "20260821-15:59:59", "20260821"]}),
        Example("user_info", {"req_id": 9117, "branding": "x brand"}),
    )  # fmt: skip


_WHY: Final = "ib_async makes a moment of the seconds, the official client does not"
EXPLAINED: Final[dict[str, Explained]] = {
    f"{method}.1.time": Explained(_WHY, same_moment)
    for method in ("historicalTicks", "historicalTicksBidAsk", "historicalTicksLast")
}
ONE_SIDED: Final[dict[str, str]] = {
    "histogramData.1.count": "ib_async's name for the size of an entry",
    "histogramData.1.size": "the official client's name for it",
}
