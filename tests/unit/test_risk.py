"""Risk before the wire: every refusal names its limit, the value and the remedy."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibcore.risk import (
    LIMITS,
    REQUIRED_LIVE,
    Beside,
    Contract,
    Facts,
    Leg,
    Limits,
    Margin,
    MarginOutcome,
    Move,
    ProposedOrder,
    Quote,
    assess,
    assess_margin,
    closes_parent,
    effects,
    is_paper,
)
from ibcore.risk.hours import common, intervals
from ibcore.risk.moves import multiplier, natural

NOW = datetime(2026, 11, 27, 15, 0, tzinfo=timezone.utc)  # a Friday, 10:00 in New York
D = Decimal
ORDER = ProposedOrder("DU1", "SPY", "STK", 756733, "BUY", D(100), "LMT", D("500"))
QUOTE = Quote(D("499.9"), D("500.1"), D("500"), 1.0)
BUYS_60 = Move(756733, "BUY", D(60))
LIVE = {
    "allowed_accounts": "U1",
    "max_quantity": "1000",
    "max_notional": "100000",
    "price_collar_percent": "5",
    "max_working_orders": "10",
    "max_orders_per_s": "5",
    "max_orders_per_day": "100",
    "max_daily_loss": "5000",
    "duplicate_window_s": "30",
    "max_position": "500",
    "no_orders_between": "23:40-00:50",
    "margin_check": "on",
}


def facts(limits: dict[str, str] | None = None, **more: Any) -> Facts:
    rows = [("*", name, value) for name, value in (limits or {}).items()]
    return Facts(Limits.of("DU1", rows), quote=more.pop("quote", QUOTE), **more)


def names(order: ProposedOrder, known: Facts, now: datetime = NOW) -> list[str]:
    return [refusal.limit for refusal in assess(order, known, now)]


def an_order(**values: Any) -> ProposedOrder:
    return replace(ORDER, **values)


def test_a_plain_paper_order_goes_without_any_limit_set() -> None:
    assert assess(ORDER, facts(), NOW) == ()


@pytest.mark.parametrize(
    ("limits", "order", "known", "refused"),
    [
        ({}, {}, {"stopped": "row: flood, by ann"}, "kill_switch"),
        ({}, {}, {"managed": frozenset({"DU2"})}, "managed_accounts"),
        ({"allowed_accounts": "DU2,DU3"}, {}, {}, "allowed_accounts"),
        ({"allowed_instruments": "QQQ"}, {}, {}, "allowed_instruments"),
        ({"denied_instruments": "SPY:STK"}, {}, {}, "denied_instruments"),
        ({"denied_instruments": "*:STK"}, {}, {}, "denied_instruments"),
        ({"denied_instruments": "756733"}, {}, {}, "denied_instruments"),
        ({"max_quantity": "99"}, {}, {}, "max_quantity"),
        ({}, {"quantity": D(0)}, {}, "max_quantity"),
        ({}, {"quantity": D("NaN")}, {}, "max_quantity"),
        ({"max_notional": "49999.99"}, {}, {}, "max_notional"),
        ({"max_notional": "1"}, {"order_type": "MKT", "limit_price": None}, {}, "max_notional"),
        ({"price_collar_percent": "1"}, {"limit_price": D("505.2")}, {}, "price_collar_percent"),
        ({"price_collar_percent": "1"}, {}, {"quote": None}, "price_collar_percent"),
        (
            {"price_collar_percent": "1"},
            {"side": "SELL", "limit_price": D(494)},
            {},
            "price_collar_percent",
        ),
        (
            {"price_collar_percent": "1"},
            {"order_type": "STP", "limit_price": None, "stop_price": D(520)},
            {},
            "price_collar_percent",
        ),
        ({}, {"limit_price": None}, {}, "limit_price"),
        ({}, {"limit_price": D(-1)}, {}, "limit_price"),
        ({}, {"order_type": "STP", "limit_price": None}, {}, "stop_price"),
        ({}, {"order_type": "MKT", "limit_price": None}, {"quote": None}, "max_quote_age_s"),
        (
            {"max_quote_age_s": "0.5"},
            {"order_type": "MKT", "limit_price": None},
            {},
            "max_quote_age_s",
        ),
        ({"max_position": "150"}, {}, {"position": D(60)}, "max_position"),
        ({"max_position": "150"}, {}, {"working": (BUYS_60,)}, "max_position"),
        ({"max_position": "150"}, {}, {"position": None}, "max_position"),
        ({"max_daily_loss": "10"}, {}, {"daily_pnl": D(-10)}, "max_daily_loss"),
        ({"max_daily_loss": "10"}, {}, {"daily_pnl": None}, "max_daily_loss"),
        ({"max_working_orders": "3"}, {}, {"working_orders": 3}, "max_working_orders"),
        ({"max_orders_per_s": "3"}, {}, {"sent_last_s": 3}, "max_orders_per_s"),
        ({"max_orders_per_day": "3"}, {}, {"sent_today": 3}, "max_orders_per_day"),
        ({"duplicate_window_s": "3"}, {}, {"alike_age_s": 2.9}, "duplicate_window_s"),
        ({"trading_hours": "all"}, {}, {}, "trading_hours"),
        ({"no_orders_between": "09:55-10:05"}, {}, {}, "no_orders_between"),
        ({"no_orders_between": "23:40-10:01"}, {}, {}, "no_orders_between"),
        ({"max_quantity": "many"}, {}, {}, "max_quantity"),
        ({}, {"account": "U1"}, {}, "live_trading"),
    ],
)
def test_a_refusal_names_the_limit_the_value_and_the_remedy(
    limits: dict[str, str], order: dict[str, Any], known: dict[str, Any], refused: str
) -> None:
    refusals = assess(an_order(**order), facts(limits, **known), NOW)
    (found,) = [refusal for refusal in refusals if refusal.limit == refused]
    assert all((found.value, found.allowed, found.remedy))
    assert str(found).startswith(f"{refused}: {found.value}; allowed: ")
    assert found.remedy.endswith(".")


@pytest.mark.parametrize(
    ("limits", "order", "known"),
    [
        ({"max_quantity": "100", "max_notional": "50000"}, {}, {}),
        ({"allowed_instruments": "SPY", "allowed_accounts": "DU1"}, {}, {}),
        ({"price_collar_percent": "1"}, {"limit_price": D(300)}, {}),
        ({"max_position": "150"}, {"side": "SELL"}, {"position": D(900)}),
        ({"max_daily_loss": "10"}, {"side": "SELL"}, {"daily_pnl": D(-99), "position": D(100)}),
        ({"max_position": "150"}, {}, {"working": (BUYS_60._replace(side="SELL"),)}),
        ({"max_position": "150"}, {}, {"working": (BUYS_60._replace(con_id=1),)}),
        ({"max_working_orders": "3"}, {"replaces": D(60)}, {"working_orders": 3}),
        ({"trading_hours": "market_orders"}, {}, {}),
        ({"no_orders_between": "23:40-00:50"}, {}, {}),
        (
            {"trading_hours": "all"},
            {},
            {"regular_hours": ((NOW, NOW + timedelta(hours=1)),)},
        ),
    ],
)
def test_what_keeps_the_limits_goes(
    limits: dict[str, str], order: dict[str, Any], known: dict[str, Any]
) -> None:
    assert assess(an_order(**order), facts(limits, **known), NOW) == ()


SPREAD = replace(ORDER, symbol="GOOG", sec_type="BAG", con_id=0, quantity=D(10), limit_price=D(2),
                 legs=(Leg(11, 1), Leg(12, -3)))  # fmt: skip
LEG = Contract("GOOG C750", "GOOG", "OPT", D(100), D(0), Quote(D(4), D(5), None, 1.0))
CHEAP = LEG._replace(name="GOOG C760", quote=Quote(D(1), D("1.5"), None, 3.0, "delayed"))


@pytest.mark.parametrize(
    ("limits", "known", "said"),
    [
        ({"max_quantity": "29"}, {}, "max_quantity: 30 of its largest leg; allowed: 29."),
        ({"max_position": "29"}, {}, "max_position: -30 of GOOG C760 (con id 12) after the fill"),
        ({"max_notional": "1999"}, {}, "max_notional: 2000.00; allowed: 1999."),
        ({"denied_instruments": "12"}, {}, "denied_instruments: its leg GOOG C760 (con id 12);"),
        ({"denied_instruments": "*:OPT"}, {}, "denied_instruments: its leg GOOG C750 (con id 11)"),
        ({"denied_instruments": "GOOG:BAG"}, {}, "denied_instruments: GOOG:BAG; allowed: all but"),
        ({"allowed_instruments": "*:BAG,11"}, {}, "allowed_instruments: its leg GOOG C760 (con"),
        ({"allowed_instruments": "*:OPT"}, {}, "allowed_instruments: GOOG:BAG; allowed: *:OPT."),
        (
            {"denied_instruments": "QQQ"},
            {"contracts": {11: LEG}},
            "denied_instruments: a leg (con id 12): nobody knows what it is;",
        ),
        ({"max_position": "99"}, {"contracts": {11: LEG}}, "max_position: the position of an unkn"),
        ({"max_daily_loss": "1"}, {"daily_pnl": D(-2)}, "max_daily_loss: -2.00 today;"),
    ],
)
def test_a_combination_is_held_to_every_limit_by_its_legs(
    limits: dict[str, str], known: dict[str, Any], said: str
) -> None:
    told = facts(limits, **({"contracts": {11: LEG, 12: CHEAP}} | known))
    assert str(assess(SPREAD, told, NOW)[0]).startswith(said)


def test_a_combination_goes_where_all_of_its_legs_may() -> None:
    limits = {"max_quantity": "30", "max_position": "30", "allowed_instruments": "GOOG"}
    known = facts(limits, contracts={11: LEG, 12: CHEAP})
    assert assess(SPREAD, known, NOW) == ()
    closing = {11: LEG._replace(position=D(-10)), 12: CHEAP._replace(position=D(40))}
    losing = facts({"max_daily_loss": "1"}, daily_pnl=D(-2), contracts=closing)
    assert assess(SPREAD, losing, NOW) == ()  # every leg of it makes a position smaller


def test_a_combination_is_quoted_at_what_its_legs_could_be_traded_at() -> None:
    known = facts(contracts={11: LEG, 12: CHEAP})
    assert natural(SPREAD, known) == Quote(D("-0.5"), D(2), None, 3.0, "delayed")
    assert natural(SPREAD, replace(known, contracts={11: LEG})) is None
    empty = CHEAP._replace(quote=Quote(D(1), None, None, 1.0))
    assert natural(SPREAD, replace(known, contracts={11: LEG, 12: empty})) == Quote(
        None, D(2), None, 1.0
    )


@pytest.mark.parametrize(
    ("multipliers", "worth"), [((1, 1), 1), ((1, 100), 100), ((50, 50), 50), ((1, None), 100)]
)
def test_a_combination_is_worth_its_price_by_the_largest_multiplier_of_its_legs(
    multipliers: tuple[int | None, ...], worth: int
) -> None:
    contracts = {
        con_id: LEG._replace(multiplier=D(each or 1), sec_type="X" if each else "")
        for con_id, each in zip((11, 12), multipliers, strict=True)
    }
    spread = replace(SPREAD, multiplier=D(100))
    assert multiplier(spread, facts(contracts=contracts)) == worth


CHILD = replace(ORDER, side="SELL", limit_price=D(600), family="P", parent=ORDER)


@pytest.mark.parametrize(
    ("child", "working", "closes"),
    [
        ({}, (), True),
        ({"quantity": D(101)}, (), False),
        ({"side": "BUY"}, (), False),
        ({"con_id": 1}, (), False),
        ({"parent": None}, (), False),
        ({}, (Move(756733, "SELL", D(100), family="P", covered=D(100)),), True),
        ({"group": "b"}, (Move(756733, "SELL", D(50), "a", "P", D(100)),), False),
        ({"group": "b", "quantity": D(50)}, (Move(756733, "SELL", D(50), "a", "P", D(100)),), True),
    ],
)
def test_a_child_needs_no_what_if_only_where_it_gives_back_what_its_parent_opens(
    child: dict[str, Any], working: tuple[Move, ...], closes: bool
) -> None:
    assert closes_parent(replace(CHILD, **child), working) is closes


@pytest.mark.parametrize(
    ("child", "after"),
    [({}, 0), ({"quantity": D(130)}, -30), ({"side": "BUY"}, 200), ({"parent": None}, -100)],
)
def test_a_child_counts_for_what_it_trades_beyond_its_parent(
    child: dict[str, Any], after: int
) -> None:
    beside = Beside()
    beside.add(ORDER)
    order = replace(CHILD, **child)
    (effect,) = effects(order, beside.added_to(facts(), order))
    assert effect.after == after


def test_after_the_days_loss_no_child_makes_a_new_position_possible() -> None:
    known = facts({"max_daily_loss": "10"}, daily_pnl=D(-10), position=D(0))
    assert names(CHILD, known) == ["max_daily_loss"]


def test_what_goes_beside_an_order_counts_as_if_it_worked() -> None:
    beside = Beside()
    beside.add(ORDER)
    limits = {"max_position": "150", "max_working_orders": "1", "duplicate_window_s": "5"}
    limits["max_orders_per_day"] = "1"
    assert names(ORDER, facts(limits)) == []
    refused = names(ORDER, beside.added_to(facts(limits), ORDER))
    assert refused == [
        "max_position", "max_working_orders", "max_orders_per_day", "duplicate_window_s",
    ]  # fmt: skip


def test_hours_of_legs_are_those_in_which_all_are_open() -> None:
    hour = timedelta(hours=1)
    day, late = (
        ((NOW, NOW + 3 * hour),),
        ((NOW - hour, NOW + hour), (NOW + 2 * hour, NOW + 9 * hour)),
    )
    assert common([day, late]) == ((NOW, NOW + hour), (NOW + 2 * hour, NOW + 3 * hour))
    assert common([day]) == day
    assert common([day, None]) is None
    assert common([]) is None


def test_a_rate_is_the_one_refusal_that_passes_by_itself() -> None:
    (rate,) = assess(ORDER, facts({"max_orders_per_s": "3"}, sent_last_s=3), NOW)
    (day,) = assess(ORDER, facts({"max_orders_per_day": "3"}, sent_today=3), NOW)
    assert (rate.passing, day.passing) == (True, False)


def test_live_trading_without_limits_is_refused_limit_by_limit() -> None:
    known = facts(live_enabled=True, armed_until=NOW + timedelta(hours=1))
    assert set(names(an_order(account="U1"), known)) == REQUIRED_LIVE


def test_live_trading_needs_the_flag_and_an_arming_that_has_not_expired() -> None:
    limits = Limits.of("U1", [("U1", name, value) for name, value in LIVE.items()])
    known = Facts(limits, True, armed_until=NOW + timedelta(seconds=1), daily_pnl=D(0), quote=QUOTE)
    live = an_order(account="U1")
    assert names(live, known) == []
    assert names(live, known, NOW + timedelta(seconds=1)) == ["arming"]
    assert names(live, replace(known, armed_until=None)) == ["arming"]
    assert names(live, replace(known, live_enabled=False)) == ["live_trading"]


def test_a_delayed_quote_is_good_enough_for_paper_only() -> None:
    market = {"order_type": "MKT", "limit_price": None}
    known = facts(quote=replace(QUOTE, quality="delayed"))
    assert names(an_order(**market), known) == []
    assert "max_quote_age_s" in names(an_order(account="U1", **market), known)


def test_the_accounts_own_limit_is_stronger_than_everybodys() -> None:
    limits = Limits.of("DU1", [("DU1", "max_quantity", "7"), ("*", "max_quantity", "5")])
    assert limits.max_quantity == 7
    assert Limits.of("DU2", [("DU1", "max_quantity", "7")]).max_quantity is None


@pytest.mark.parametrize("outcome", MarginOutcome)
def test_only_a_what_if_that_passed_or_is_not_needed_lets_the_order_through(
    outcome: MarginOutcome,
) -> None:
    refusals = assess_margin(Limits(margin_check="on"), Margin(outcome))
    fine = {MarginOutcome.passed, MarginOutcome.closes_parent}
    assert (refusals == ()) is (outcome in fine)
    assert assess_margin(Limits(), Margin(outcome)) == ()


@pytest.mark.parametrize(
    ("account", "paper"), [("DU1", True), ("DF1", True), ("U1", False), ("", False)]
)
def test_only_accounts_that_ib_names_so_are_paper(account: str, paper: bool) -> None:
    assert is_paper(account) is paper


def test_every_limit_says_what_it_is_and_has_a_field() -> None:
    assert set(LIMITS) == set(Limits.__dataclass_fields__) - {"unreadable"}
    assert all(kind.what.endswith((".", "10.", "2.")) for kind in LIMITS.values())


def test_ibs_hours_are_read_with_holidays_and_nights() -> None:
    text = "20261126:CLOSED;20261127:0930-20261127:1300;20261129:1700-20261130:1600"
    found = intervals(text, "US/Eastern")
    assert found is not None
    assert [(o.hour, c.hour, (c - o).total_seconds() / 3600) for o, c in found] == [
        (14, 18, 3.5),
        (22, 21, 23.0),
    ]
    assert intervals("20261127:0930-1600", "US/Eastern") is not None
    assert intervals("nonsense", "US/Eastern") is None
    assert intervals("20261127:0930-1600", "Mars/North") is None
    assert intervals(None, None) is None


def test_the_page_lists_every_limit_and_which_ones_live_needs() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "orders.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([a-z]*) ?\|", page, re.MULTILINE)
    assert {name: live == "needed" for name, live in rows} == {
        name: kind.required_live for name, kind in LIMITS.items()
    }
