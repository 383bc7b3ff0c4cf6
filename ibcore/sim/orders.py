"""Orders as clients place them: every field of placeOrder, read strictly into one frozen value.

The layout is the one of servers 157 to 178, as ib_async and the official client write it. Values
are kept as canonical text (unset ones blank), because an order is echoed in openOrder field by
field; `number`, `integer` and `flag` read the few that the book acts on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ibcore.sim import wire
from ibcore.sim.contracts import Spec
from ibcore.sim.fields import Fields, Malformed

Group: TypeAlias = tuple[tuple[str, ...], ...]

# name:kind, where kind is t(ext), f(lag), i(nteger), n(umber), p(rice: a Java double).
_HEAD: Final = """
    sec_id_type:t sec_id:t action:t total_quantity:n order_type:t lmt_price:p aux_price:p tif:t
    oca_group:t account:t open_close:t origin:i order_ref:t transmit:f parent_id:i block_order:f
    sweep_to_fill:f display_size:i trigger_method:i outside_rth:f hidden:f
"""
_AFTER_LEGS: Final = """
    shares_allocation:t discretionary_amt:n good_after_time:t good_till_date:t fa_group:t
    fa_method:t fa_percentage:t fa_profile:t<177 model_code:t short_sale_slot:i
    designated_location:t exempt_code:i oca_type:i rule_80a:t settling_firm:t all_or_none:f
    min_qty:i percent_offset:n e_trade_only:f firm_quote_only:f nbbo_price_cap:n
    auction_strategy:i starting_price:p stock_ref_price:p delta:n stock_range_lower:p
    stock_range_upper:p override_percentage_constraints:f volatility:n volatility_type:i
    delta_neutral_order_type:t delta_neutral_aux_price:p
"""
_DELTA_NEUTRAL: Final = """
    delta_neutral_con_id:i delta_neutral_settling_firm:t delta_neutral_clearing_account:t
    delta_neutral_clearing_intent:t delta_neutral_open_close:t delta_neutral_short_sale:f
    delta_neutral_short_sale_slot:i delta_neutral_designated_location:t
"""
_SCALE: Final = """
    continuous_update:f reference_price_type:i trail_stop_price:p trailing_percent:n
    scale_init_level_size:i scale_subs_level_size:i scale_price_increment:p
"""
_SCALE_DETAILS: Final = """
    scale_price_adjust_value:p scale_price_adjust_interval:i scale_profit_offset:p
    scale_auto_reset:f scale_init_position:i scale_init_fill_qty:i scale_random_percent:f
"""
_HEDGE: Final = "scale_table:t active_start_time:t active_stop_time:t hedge_type:t"
_CLEARING: Final = (
    "opt_out_smart_routing:f clearing_account:t clearing_intent:t not_held:f contract_neutral:f"
)
_CONTRACT_NEUTRAL: Final = "contract_neutral_con_id:i contract_neutral_delta:n neutral_price:p"
_MISC: Final = "algo_id:t what_if:f misc_options:t solicited:f randomize_size:f randomize_price:f"
_BENCHMARK: Final = """
    reference_contract_id:i is_pegged_change_amount_decrease:f pegged_change_amount:n
    reference_change_amount:n reference_exchange_id:t
"""
_CONDITIONED: Final = "conditions_ignore_rth:f conditions_cancel_order:f"
_ADJUSTED: Final = """
    adjusted_order_type:t trigger_price:p lmt_price_offset:p adjusted_stop_price:p
    adjusted_stop_limit_price:p adjusted_trailing_amount:p adjustable_trailing_unit:i
    ext_operator:t soft_dollar_name:t soft_dollar_value:t cash_qty:n mifid2_decision_maker:t
    mifid2_decision_algo:t mifid2_execution_trader:t mifid2_execution_algo:t
    dont_use_auto_price_for_hedge:f is_oms_container:f discretionary_up_to_limit_price:f
    use_price_mgmt_algo:i duration:i>158 post_to_ats:i>160 auto_cancel_parent:f>162
    advanced_error_override:t>166 manual_order_time:t>169
"""
_MID_OFFSETS: Final = "mid_offset_at_whole:n mid_offset_at_half:n"
_BEST: Final = "min_compete_size:i compete_against_best_offset:t"

# Fields of one condition after its type: price, time, margin, execution, volume, percent change.
_CONDITION_WIDTHS: Final = {1: 6, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5}
_MAX_ENTRIES: Final = 1_000
_UNSET: Final = float(wire.UNSET_DOUBLE)


@dataclass(frozen=True)
class Order:
    """One order as its client described it; unset values are blank."""

    values: Mapping[str, str] = field(default_factory=dict)
    legs: Group = ()
    leg_prices: Group = ()
    routing: Group = ()
    algo_params: Group = ()
    conditions: Group = ()

    def text(self, name: str) -> str:
        """Return a value as text."""
        return self.values.get(name, "")

    def number(self, name: str) -> float | None:
        """Return a number, or nothing where it is unset."""
        value = self.values.get(name, "")
        return float(value) if value else None

    def integer(self, name: str) -> int:
        """Return an integer; unset is 0."""
        return int(self.values.get(name, "") or 0)

    def flag(self, name: str) -> bool:
        """Return a flag; unset is false."""
        return self.values.get(name) == "1"

    @property
    def quantity(self) -> float:
        """How much is to be bought or sold."""
        return self.number("total_quantity") or 0.0

    @property
    def is_buy(self) -> bool:
        """Whether the order buys."""
        return self.values.get("action") == "BUY"

    @property
    def order_type(self) -> str:
        """The type, without the spellings' differences: `STP LMT`, `TRAIL LIMIT`."""
        name = self.values.get("order_type", "")
        return {"STPLMT": "STP LMT", "TRAILLMT": "TRAIL LIMIT"}.get(name, name)

    @property
    def summary(self) -> str:
        """The order in one line."""
        names = ("action", "total_quantity", "order_type", "lmt_price", "aux_price", "tif")
        return " ".join(filter(None, (self.text(name) for name in names)))


def read(fields: Fields, version: int) -> tuple[Spec, Order]:
    """Read what follows the order id in placeOrder."""
    spec = _spec(fields)
    values: dict[str, str] = {}
    groups: dict[str, Group] = {}
    _take(fields, _HEAD, values, version=version)
    if spec.sec_type == "BAG":
        groups |= _legs(fields)
    _take(fields, _AFTER_LEGS, values, version=version)
    _take_if(fields, _DELTA_NEUTRAL, values, wanted=bool(values["delta_neutral_order_type"]))
    _take(fields, _SCALE, values, version=version)
    increment = values["scale_price_increment"]
    _take_if(fields, _SCALE_DETAILS, values, wanted=bool(increment) and float(increment) > 0)
    _take(fields, _HEDGE, values, version=version)
    _take_if(fields, "hedge_param:t", values, wanted=bool(values["hedge_type"]))
    _take(fields, _CLEARING, values, version=version)
    _take_if(fields, _CONTRACT_NEUTRAL, values, wanted=values["contract_neutral"] == "1")
    _take(fields, "algo_strategy:t", values, version=version)
    if values["algo_strategy"]:
        groups["algo_params"] = read_entries(fields, 2)
    _take(fields, _MISC, values, version=version)
    _take_if(fields, _BENCHMARK, values, wanted=values["order_type"] in {"PEG BENCH", "PEGBENCH"})
    groups["conditions"] = _conditions(fields)
    _take_if(fields, _CONDITIONED, values, wanted=bool(groups["conditions"]))
    _take(fields, _ADJUSTED, values, version=version)
    if version >= 170:
        _pegged(fields, values, exchange=spec.exchange)
    return spec, Order(values, **groups)


def _spec(fields: Fields) -> Spec:
    return Spec(
        con_id=fields.integer(),
        symbol=fields.text(),
        sec_type=fields.text(),
        expiry=fields.text(),
        strike=fields.number(),
        right=fields.text(),
        multiplier=fields.text(),
        exchange=fields.text(),
        primary_exchange=fields.text(),
        currency=fields.text(),
        local_symbol=fields.text(),
        trading_class=fields.text(),
    )


def _take(fields: Fields, names: str, values: dict[str, str], *, version: int) -> None:
    for item in names.split():
        name, _, rest = item.partition(":")
        kind, since, until = rest[0], 0, 1_000
        if rest[1:2] == ">":
            since = int(rest[2:])
        elif rest[1:2] == "<":
            until = int(rest[2:])
        if since <= version < until:
            values[name] = _value(fields, kind)


def _take_if(fields: Fields, names: str, values: dict[str, str], *, wanted: bool) -> None:
    if wanted:
        _take(fields, names, values, version=wire.SERVER_VERSION)


def _value(fields: Fields, kind: str) -> str:
    if kind == "t":
        return fields.text()
    if kind == "f":
        return "1" if fields.flag() else "0"
    if kind == "i":
        number = fields.integer(int(wire.UNSET_INT))
        return "" if number == int(wire.UNSET_INT) else str(number)
    value = fields.number(_UNSET)
    if math.isclose(value, _UNSET):
        return ""
    return repr(value) if kind == "p" else wire.number(value)


def read_entries(fields: Fields, width: int) -> Group:
    """Read a list that begins with its length."""
    count = fields.integer()
    if not 0 <= count <= _MAX_ENTRIES:
        raise Malformed(f"a list of {count}", fields.req_id)
    return tuple(tuple(fields.text() for _ in range(width)) for _ in range(count))


def _legs(fields: Fields) -> dict[str, Group]:
    return {
        "legs": read_entries(fields, 8),
        "leg_prices": read_entries(fields, 1),
        "routing": read_entries(fields, 2),
    }


def _conditions(fields: Fields) -> Group:
    count = fields.integer()
    if not 0 <= count <= _MAX_ENTRIES:
        raise Malformed(f"a list of {count}", fields.req_id)
    return tuple(_condition(fields) for _ in range(count))


def _condition(fields: Fields) -> tuple[str, ...]:
    kind = fields.integer()
    width = _CONDITION_WIDTHS.get(kind)
    if width is None:
        raise Malformed(f"no condition has type {kind}", fields.req_id)
    return (str(kind), *(fields.text() for _ in range(width)))


def _pegged(fields: Fields, values: dict[str, str], *, exchange: str) -> None:
    order_type = values["order_type"]
    _take_if(fields, "min_trade_qty:i", values, wanted=exchange == "IBKRATS")
    best = order_type in {"PEG BEST", "PEGBEST"}
    _take_if(fields, _BEST, values, wanted=best)
    up_to_mid = values.get("compete_against_best_offset") in {"Infinity", "inf", "Infinite"}
    mid = order_type in {"PEG MID", "PEGMID"} or (best and up_to_mid)
    _take_if(fields, _MID_OFFSETS, values, wanted=mid)
