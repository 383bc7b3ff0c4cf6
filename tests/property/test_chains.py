"""What a chain snapshot chooses, when a line has said enough, and what may be asked at all."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ibcore.chain import ChainRequest
from ibcore.domain import Quality, QuoteState
from sidecar.chain_plan import (
    Cell,
    ChainClass,
    Window,
    choose_cells,
    choose_class,
    choose_expiries,
    choose_strikes,
    floor_s,
)
from sidecar.chain_quote import UNDERLYING, LineValues

SPX = [
    ChainClass("SMART", "SPX", "100", ("20261218",)),
    ChainClass("SMART", "SPXW", "100", ("20261124", "20261125")),
    ChainClass("CBOE", "SPX", "100", ("20261218",)),
]
STRIKES = st.lists(st.integers(1, 400).map(float), unique=True, max_size=40)
BID, ASK, LAST, BID_SIZE, CLOSE, CALL_OI, PUT_OI, BID_MODEL, MODEL = 1, 2, 4, 0, 9, 27, 28, 10, 13
GREEKS = (0.2, 0.5, 5.0, 0.0, 0.01, 0.3, -0.1, 600.0)  # in the order of the wire


@pytest.mark.parametrize(
    ("symbol", "exchange", "trading_class", "expected"),
    [
        ("SPX", "SMART", "", SPX[0]),
        ("SPX", "SMART", "SPXW", SPX[1]),
        ("SPX", "CBOE", "", SPX[2]),
        ("XSP", "SMART", "", SPX[1]),  # none of that name: the one with most expiries
        ("SPX", "SMART", "XSP", None),
        ("SPX", "ISE", "", None),
    ],
)
def test_the_class_is_the_named_one_else_the_underlyings_own(
    symbol: str, exchange: str, trading_class: str, expected: ChainClass | None
) -> None:
    found = choose_class(SPX, symbol, exchange=exchange, trading_class=trading_class)
    assert found == expected


def test_expiries_that_have_passed_are_not_chosen() -> None:
    listed = ["20261218", "20261120", "20261123", "20261123", "20270115"]
    assert choose_expiries(listed, date(2026, 11, 23), count=2) == ["20261123", "20261218"]


@settings(max_examples=40)
@given(STRIKES, st.floats(1, 400), st.integers(1, 50))
def test_the_chosen_strikes_are_the_nearest(strikes: list[float], spot: float, count: int) -> None:
    chosen = choose_strikes(strikes, spot, Window(count))
    assert len(chosen) == min(count, len(strikes))
    left = set(strikes) - chosen
    if chosen and left:
        furthest = max(abs(strike - spot) for strike in chosen)
        assert furthest <= min(abs(strike - spot) for strike in left)


@settings(max_examples=40)
@given(STRIKES, st.floats(1, 400), st.floats(0.1, 100))
def test_a_window_in_percent_takes_every_strike_inside(
    strikes: list[float], spot: float, percent: float
) -> None:
    chosen = choose_strikes(strikes, spot, Window(1, percent))
    reach = spot * percent / 100
    assert chosen == {strike for strike in strikes if abs(strike - spot) <= reach}


def test_strikes_are_chosen_per_expiry_among_those_listed_there() -> None:
    near = [Cell(n, "20261127", 95.0 + n, "C") for n in range(10)]
    far = [Cell(100 + n, "20270115", 80.0 + 10 * n, "C") for n in range(5)]
    cells = choose_cells([*far, *near], 100.0, Window(3))
    assert {cell.strike for cell in cells if cell.expiry == "20261127"} == {99.0, 100.0, 101.0}
    assert {cell.strike for cell in cells if cell.expiry == "20270115"} == {90.0, 100.0, 110.0}
    away = [abs(cell.strike - 100.0) for cell in cells]
    assert away == sorted(away)


def test_the_floor_is_two_messages_a_contract() -> None:
    assert floor_s(500, messages_per_s=50) == 20.0


def test_a_line_is_complete_with_bid_ask_and_ibs_model() -> None:
    line = LineValues(right="C")
    assert (line.state(), line.missing()) == (QuoteState.missing, ("bid", "ask", "model"))
    line.price(BID, 5.0, 10.0)
    line.price(ASK, 5.2, 12.0)
    line.computation(BID_MODEL, 0, *GREEKS)
    assert (line.state(), line.missing()) == (QuoteState.partial, ("model",))
    line.computation(MODEL, 0, *GREEKS)
    assert (line.state(), line.missing()) == (QuoteState.complete, ())


def test_an_empty_bid_is_no_bid_and_takes_an_old_one_away() -> None:
    line = LineValues()
    line.price(BID, 5.0, 10.0)
    line.price(BID, -1.0, 0.0)
    line.size(BID_SIZE, 0.0)
    assert (line.book.bid, line.book.bid_size) == (None, None)
    assert "bid" in line.missing()


def test_a_model_that_could_not_be_computed_is_none() -> None:
    line = LineValues()
    line.computation(MODEL, 0, -1.0, -2.0, -1.0, 0.0, -2.0, -2.0, -2.0, 600.0)
    assert "model" in line.missing()
    assert line.model is not None
    assert (line.model.iv, line.model.delta, line.model.underlying_price) == (None, None, 600.0)


@pytest.mark.parametrize(("right", "expected"), [("C", 11.0), ("P", 22.0)])
def test_open_interest_is_that_of_the_options_own_right(right: str, expected: float) -> None:
    line = LineValues(right=right)
    line.size(CALL_OI, 11.0)
    line.size(PUT_OI, 22.0)
    assert line.stats["open_interest"] == expected


def test_the_spot_is_the_last_price_else_the_middle_else_the_close() -> None:
    line = LineValues(wanted=UNDERLYING)
    assert line.spot() is None
    line.price(CLOSE, 99.0, 0.0)
    assert (line.spot(), line.state()) == (99.0, QuoteState.missing)  # worth waiting for more
    line.price(BID, 100.0, 1.0)
    line.price(ASK, 102.0, 1.0)
    assert (line.spot(), line.state()) == (101.0, QuoteState.complete)
    line.price(LAST, 101.5, 1.0)
    assert line.spot() == 101.5


def test_the_quality_of_a_line_is_what_the_gateway_says() -> None:
    line = LineValues()
    line.data_type(3)
    assert line.quality is Quality.delayed
    line.data_type(99)
    assert line.quality is Quality.delayed


@settings(max_examples=60)
@given(st.text(max_size=20))
def test_no_symbol_that_passes_can_end_a_field_of_the_wire(text: str) -> None:
    try:
        symbol = ChainRequest(underlying=text).underlying
    except ValidationError:
        return
    assert symbol
    assert symbol.isascii()
    assert symbol.isprintable()
    assert symbol == symbol.upper()


@pytest.mark.parametrize(
    "wrong",
    [
        {"underlying": "AAPL\0"},
        {"underlying": "'; drop table"},
        {"underlying": ""},
        {"underlying": "١٢"},
        {"expiries": 0},
        {"strikes": -1},
        {"window_percent": math.nan},
        {"window_percent": math.inf},
        {"deadline_s": 1e309},
        {"deadline_s": math.nan},
        {"currency": "US"},
        {"sec_type": "BOND"},
        {"surprise": 1},
    ],
)
def test_input_that_makes_no_sense_is_refused_before_anything_happens(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        ChainRequest(**wrong)


def test_the_defaults_are_a_whole_request() -> None:
    request = ChainRequest()
    assert (request.underlying, request.exchange, request.expiries) == ("SPY", "SMART", 2)
