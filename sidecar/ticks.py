"""What each IB tick type means: the only table of tick-type numbers in the sidecar.

A meaning says which fold takes the tick (`Kind`), which field it changes, whether it is the
delayed twin of a live type, and in what unit the value is. The callback a value arrives through
(price, size, generic, string) does not matter: the type decides. Types that are not in the table
are recorded as statistics named `tick_<number>`, so nothing that IB sends is lost.

Sources: IB's tick type table, ib_async 2.0.1 wrapper.py:82-147, and the types it refuses.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from ibcore.domain import GreeksKind


class Kind(Enum):
    """Which fold takes the tick."""

    bid = "bid"
    ask = "ask"
    bid_size = "bid_size"
    ask_size = "ask_size"
    last = "last"
    last_size = "last_size"
    price_stat = "price_stat"
    amount_stat = "amount_stat"
    number_stat = "number_stat"
    text_stat = "text_stat"
    seconds_stat = "seconds_stat"
    prints = "prints"
    greeks = "greeks"


class Meaning(NamedTuple):
    """One tick type: `field` is the name in `instrument_stat` (or the greeks' kind)."""

    kind: Kind
    field: str
    unit: str = ""
    delayed: bool = False


def _stats(kind: Kind, unit: str, **fields: int) -> dict[int, Meaning]:
    return {tick_type: Meaning(kind, field, unit) for field, tick_type in fields.items()}


_LIVE: Final[dict[int, Meaning]] = {
    0: Meaning(Kind.bid_size, "bid_size", "shares or contracts"),
    1: Meaning(Kind.bid, "bid", "price"),
    2: Meaning(Kind.ask, "ask", "price"),
    3: Meaning(Kind.ask_size, "ask_size", "shares or contracts"),
    4: Meaning(Kind.last, "last", "price"),
    5: Meaning(Kind.last_size, "last_size", "shares or contracts"),
    45: Meaning(Kind.seconds_stat, "last_timestamp", "Unix seconds"),
    48: Meaning(Kind.prints, "rt_volume"),
    77: Meaning(Kind.prints, "rt_trade_volume"),
    10: Meaning(Kind.greeks, GreeksKind.bid.value),
    11: Meaning(Kind.greeks, GreeksKind.ask.value),
    12: Meaning(Kind.greeks, GreeksKind.last.value),
    13: Meaning(Kind.greeks, GreeksKind.model.value),
    53: Meaning(Kind.number_stat, "custom_greeks", "not a single number: refused"),
    **_stats(
        Kind.price_stat,
        "price",
        high=6,
        low=7,
        close=9,
        open=14,
        low_13week=15,
        high_13week=16,
        low_26week=17,
        high_26week=18,
        low_52week=19,
        high_52week=20,
        auction_price=35,
        mark=37,
        last_rth_trade=57,
        creditman_mark=78,
        creditman_slow_mark=79,
        etf_nav_close=92,
        etf_nav_prior_close=93,
        etf_nav_bid=94,
        etf_nav_ask=95,
        etf_nav_last=96,
        etf_nav_frozen_last=97,
        etf_nav_high=98,
        etf_nav_low=99,
        estimated_ipo_midpoint=101,
        final_ipo_price=102,
    ),
    **_stats(
        Kind.amount_stat,
        "shares or contracts",
        volume=8,
        avg_volume=21,
        open_interest=22,
        call_open_interest=27,
        put_open_interest=28,
        call_volume=29,
        put_volume=30,
        auction_volume=34,
        volume_rate_3min=63,
        volume_rate_5min=64,
        volume_rate_10min=65,
        avg_option_volume=87,
        shortable_shares=89,
    ),
    86: Meaning(Kind.amount_stat, "open_interest", "contracts"),
    **_stats(Kind.amount_stat, "fraction a year", historical_volatility=23, implied_volatility=24),
    **_stats(Kind.amount_stat, "fraction a year", rt_historical_volatility=58),
    **_stats(Kind.amount_stat, "0 no, 1 halted, 2 volatility halt", halted=49),
    **_stats(Kind.amount_stat, "> 2.5: 1000 shares, > 1.5: locate", shortable=46),
    **_stats(Kind.amount_stat, "trades today", trade_count=54),
    **_stats(Kind.amount_stat, "a minute", trade_rate=55, volume_rate=56),
    # A premium, a yield and an imbalance may be negative: -1 is a value here.
    **_stats(Kind.number_stat, "points", index_future_premium=31),
    **_stats(Kind.number_stat, "percent", bid_yield=50, ask_yield=51, last_yield=52),
    **_stats(Kind.number_stat, "shares", auction_imbalance=36, regulatory_imbalance=61),
    **_stats(Kind.text_stat, "exchange letters", bid_exchange=32, ask_exchange=33),
    **_stats(Kind.text_stat, "exchange letters", last_exchange=84),
    **_stats(Kind.text_stat, "as IB sends it", option_bid_exchange=25, option_ask_exchange=26),
    **_stats(Kind.text_stat, "as IB sends it", fundamental_ratios=47, news=62),
    **_stats(Kind.text_stat, "past 12 m, next 12 m, next date, next amount", dividends=59),
    **_stats(Kind.text_stat, "as IB sends it", last_reg_time=85),
    **_stats(Kind.text_stat, "as IB sends it", social_market_analytics=100),
    **_stats(Kind.number_stat, "ratio", bond_factor_multiplier=60),
}

_DELAYED_TWINS: Final = {
    66: 1,
    67: 2,
    68: 4,
    69: 0,
    70: 3,
    71: 5,
    72: 6,
    73: 7,
    74: 8,
    75: 9,
    76: 14,
    80: 10,
    81: 11,
    82: 12,
    83: 13,
    88: 45,
    90: 49,
    103: 50,
    104: 51,
}

TICKS: Final[dict[int, Meaning]] = {
    **_LIVE,
    **{twin: _LIVE[live]._replace(delayed=True) for twin, live in _DELAYED_TWINS.items()},
}

# An option's own open interest arrives as call (27) or put (28) open interest by its right.
OPEN_INTEREST_OF_RIGHT: Final = {(27, "C"): "open_interest", (28, "P"): "open_interest"}


def meaning_of(tick_type: int, *, text: bool = False) -> Meaning:
    """Return what `tick_type` means; an unlisted one is a statistic under its number."""
    known = TICKS.get(tick_type)
    if known is not None:
        return known
    return Meaning(Kind.text_stat if text else Kind.number_stat, f"tick_{tick_type}")


def field_of(tick_type: int, meaning: Meaning, right: str) -> str:
    """Return the statistic's name on a line of an option with `right` ("" for the rest)."""
    return OPEN_INTEREST_OF_RIGHT.get((tick_type, right), meaning.field)
