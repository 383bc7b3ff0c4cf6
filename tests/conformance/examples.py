"""One row of values for each message type that the simulator can send.

A row is what `messages.encode` takes, with values that are told apart from each other and from
every default: a decoder that shifts a field by one place cannot agree with another by chance.
A message that is added to the simulator without a row here fails `test_decoders`.
`unheard` names sent values that a client does not hand on as they are, and says why.
"""

from __future__ import annotations

from typing import Final

from ibcore.sim import messages, wire
from tests.conformance import examples_data, examples_orders
from tests.conformance.rows import CONTRACT, Example, Explained

ROWS: Final[tuple[Example, ...]] = (
    Example("error", {"req_id": 41, "code": 202, "text": "Order Canceled - reason:x",
                      "reject_json": '{"rejects":[7]}'}),
    Example("account_value", {"key": "CashBalance", "value": "1234.56", "currency": "EUR",
                              "account": "DU7654321"}),
    Example("account_time", {"time": "13:37"}),
    Example("next_valid_id", {"order_id": 4711}),
    Example(
        "contract_details",
        {
            "req_id": 9001, "symbol": "NVDA", "sec_type": "OPT",
            "last_trade": "20260821 16:00:00 US/Eastern", "strike": 182.5, "right": "C",
            "exchange": "SMART", "currency": "USD", "local_symbol": "NVDA  260821C00182500",
            "market_name": "NVDAM", "trading_class": "NVDAX", "con_id": 693427661,
            "min_tick": 0.05, "multiplier": "100", "order_types": "ACTIVETIM,AD",
            "valid_exchanges": "SMART,AMEX", "price_magnifier": 3, "under_con_id": 4815747,
            "long_name": "NVIDIA CORP", "primary_exchange": "NASDAQ", "contract_month": "202608",
            "industry": "Technology", "category": "Semiconductors", "subcategory": "Components",
            "time_zone": "US/Eastern", "trading_hours": "20260803:0930-20260803:1600",
            "liquid_hours": "20260803:0931-20260803:1559", "ev_rule": "aggPriceIncr",
            "ev_multiplier": 55, "sec_ids": [1, "ISIN", "US67066G1040"], "agg_group": 2,
            "under_symbol": "NVDAU", "under_sec_type": "STK", "market_rules": "32,110",
            "real_expiry": "20260822", "stock_type": "COMMON", "min_size": 0.0001,
            "size_increment": 0.01, "suggested_size": 10,
        },
        unheard={"20260821 16:00:00 US/Eastern": "both take it apart: date, time, zone"},
    ),
    Example("managed_accounts", {"accounts": "DU1234567,DU7654321"}),
    Example("current_time", {"time": 1785769200}),
    Example("contract_details_end", {"req_id": 9002}),
    Example("open_order_end"),
    Example("account_download_end", {"account": "DU7654321"}),
    Example("executions_end", {"req_id": 9003}),
    Example("snapshot_end", {"req_id": 9004}),
    Example("market_data_type", {"req_id": 9005, "kind": 3}),
    Example("position", {**CONTRACT, "account": "DU7654321", "position": -7,
                         "average_cost": 1214.71}),
    Example("position_end"),
    Example("account_summary", {"req_id": 9006, "account": "DU7654321", "tag": "NetLiquidation",
                                "value": "987654.32", "currency": "EUR"}),
    Example("account_summary_end", {"req_id": 9007}),
    Example("account_update_multi", {"req_id": 9008, "account": "DU7654321", "model": "M1",
                                     "key": "CashBalance", "value": "1234.56",
                                     "currency": "EUR"}),
    Example("account_update_multi_end", {"req_id": 9009}),
    Example("option_parameters", {"req_id": 9010, "exchange": "CBOE", "under_con_id": 4815747,
                                  "trading_class": "NVDAX", "multiplier": "100",
                                  "expiries": [2, "20260821", "20260918"],
                                  "strikes": [3, 180.0, 182.5, 185.0]}),
    Example("option_parameters_end", {"req_id": 9011}),
    Example("symbol_samples", build=lambda version: messages.encode(
        "symbol_samples", version, req_id=9012,
        samples=[1, 4815747, "NVDA", "STK", "NASDAQ", "USD", 2, "CFD", "OPT",
                 *(["NVIDIA CORP", "e123"] if version >= 176 else [])]),
        unheard={"1.0": "how many follow", "2.0": "the same"}),
    Example("tick_req_params", {"req_id": 9013, "min_tick": 0.05, "bbo_exchange": "9c0001",
                                "permissions": 3}),
    Example("market_rule", {"rule": 110, "increments": [2, 0, 0.01, 3, 0.05]}),
    Example("completed_orders_end"),
    *examples_orders.rows(),
    *examples_data.rows(),
)  # fmt: skip

_HEAD: Final = {"6.0": "the message's own version"}
_PRICED: Final = {**_HEAD, "3.0": "a mask: can auto-execute, past limit"}
_UNSIZED: Final = {"1200.0": "no size goes with this price: both drop it"}

HOT: Final[tuple[Example, ...]] = (
    *(
        Example(f"tick_price {kind}",
                build=lambda _v, kind=kind: wire.tick_price(71, kind, "182.51", "1200", 3),
                unheard=_PRICED if kind in (1, 2, 4, 66, 67, 68) else _PRICED | _UNSIZED)
        for kind in (1, 2, 4, 6, 7, 9, 14, 37, 66, 67, 68, 72, 73, 75)
    ),
    *(
        Example(f"tick_size {kind}", build=lambda _v, kind=kind: wire.tick_size(72, kind, "0.25"),
                unheard=_HEAD)
        for kind in (0, 3, 5, 8, 27, 28, 29, 30, 69, 70, 71, 74, 86, 87, 89)
    ),
    *(
        Example(f"tick_generic {kind}",
                build=lambda _v, kind=kind: wire.tick_generic(73, kind, "0.2214"),
                unheard=_HEAD)
        for kind in (23, 24, 31, 46, 49, 54, 55, 56, 58)
    ),
    *(
        Example(f"tick_string {kind}",
                build=lambda _v, kind=kind: wire.tick_string(74, kind, "182.5;1;1785769200123;9"),
                unheard=_HEAD)
        for kind in (32, 33, 45, 48, 59, 77, 84, 88)
    ),
    *(
        Example(f"tick_computation {kind}", build=lambda _v, kind=kind: wire.tick_computation(
            75, kind, "1\x000.31\x000.52\x0012.25\x000.11\x000.03\x000.21\0-0.06\x00182.4\0"))
        for kind in (10, 11, 12, 13, 80, 81, 82, 83)
    ),
    Example("tick_computation 10 (not computed)", build=lambda _v: wire.tick_computation(
        76, 10, "1\0-1\0-2\0-1\0-1\0-2\0-2\0-2\0-1\0"),
        unheard={"-1.0": "not computed", "-2.0": "the same"}),
)  # fmt: skip

# The hot ticks are functions of `wire`, not entries of the table.
HOT_ENCODERS: Final = frozenset(name for name in vars(wire) if name.startswith("tick_"))

_NOT_COMPUTED: Final = Explained(
    "the official client turns -1 and -2 (not computed) into None; ib_async later on",
    lambda mine, theirs: mine in (-1.0, -2.0) and theirs is None,
)

# Where the two clients hand on different things for the same bytes: facts about the clients, not
# about the simulator. A key is a message's method, the argument's place, the member's name.
EXPLAINED: Final[dict[str, Explained]] = {
    "securityDefinitionOptionParameter.2": Explained(
        "ib_async leaves underConId text", lambda mine, theirs: float(mine) == theirs
    ),
    **examples_orders.EXPLAINED,
    **examples_data.EXPLAINED,
    **{f"tickOptionComputation.{place}": _NOT_COMPUTED for place in range(3, 11)},
}

# What only one of the two has a place for.
ONE_SIDED: Final[dict[str, str]] = {
    **examples_orders.ONE_SIDED,
    **examples_data.ONE_SIDED,
    "mdsizemultiplier": "the size multiplier of servers before 164, which ib_async skips",
    "funddistributionpolicyindicator": "an enumeration whose first member stands for nothing",
    "fundassettype": "the same",
    "tickPrice.3": "ib_async hands on no attribute mask",
    "lasttradedate": "the official client's own; set where it reads contract details",
    "lasttradetime": "ib_async has it in ContractDetails, the official client in Contract",
}
