"""Folds: what a tick changes, and that IB's empties never become numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar import empties, fold
from sidecar.fold import EMPTY_BOOK, Book, Print

UNSET_DOUBLE = 1.7976931348623157e308
POISON = [math.nan, math.inf, -math.inf, UNSET_DOUBLE, -UNSET_DOUBLE, 2147483647.0]

prices = st.one_of(
    st.sampled_from([*POISON, -1.0, 0.0, -0.05, 443.6]), st.floats(allow_nan=True, width=64)
)
sizes = st.one_of(st.sampled_from([*POISON, -1.0, 0.0, 100.0]), st.floats(allow_nan=True))


def clean(value: float | None) -> bool:
    return value is None or (math.isfinite(value) and value not in POISON)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("baBA"), prices, sizes), max_size=30))
def test_no_poison_ever_stands_in_a_book(ticks: list[tuple[str, float, float]]) -> None:
    book = EMPTY_BOOK
    for kind, price, size in ticks:
        match kind:
            case "b":
                book = fold.bid(book, price, size)
            case "a":
                book = fold.ask(book, price, size)
            case "B":
                book = fold.bid_size(book, size)
            case _:
                book = fold.ask_size(book, size)
        assert all(map(clean, book))
        assert all(number is None or number > 0 for number in (book.bid_size, book.ask_size))


@settings(max_examples=25)
@given(prices, sizes)
def test_the_echo_of_a_size_changes_nothing(price: float, size: float) -> None:
    book = fold.bid(EMPTY_BOOK, price, size)
    assert fold.bid_size(book, size) == book
    book = fold.ask(book, price, size)
    assert fold.ask_size(book, size) == book
    printed = fold.last(None, price, size)
    assert fold.last_size(printed, size) == printed


@settings(max_examples=25)
@given(prices, sizes)
def test_the_same_tick_twice_changes_the_book_once(price: float, size: float) -> None:
    once = fold.bid(EMPTY_BOOK, price, size)
    assert fold.bid(once, price, size) == once


@pytest.mark.parametrize("price", [-1.0, 0.0])
def test_ib_s_empty_side_is_nobody(price: float) -> None:
    book = fold.bid(Book(10.0, 5.0, 11.0, 6.0), price, 0.0)
    assert book == Book(None, None, 11.0, 6.0)


def test_a_negative_price_with_a_size_is_a_spread_s_price() -> None:
    assert fold.bid(EMPTY_BOOK, -1.0, 3.0) == Book(-1.0, 3.0, None, None)


def test_a_positive_price_without_a_size_stays() -> None:
    book = fold.ask(EMPTY_BOOK, 4100.5, 0.0)
    assert book == Book(None, None, 4100.5, None)
    assert fold.ask_size(book, 0.0) == book


def test_a_size_that_falls_to_zero_empties_the_side() -> None:
    assert fold.ask_size(Book(10.0, 5.0, 11.0, 6.0), 0.0) == Book(10.0, 5.0, None, None)


@settings(max_examples=25)
@given(prices, sizes)
def test_a_print_is_a_number_or_nothing(price: float, size: float) -> None:
    printed = fold.last(None, price, size)
    assert printed is None or (clean(printed.price) and clean(printed.size))


def test_nothing_traded_keeps_the_last_print() -> None:
    known = Print(10.0, 5.0)
    assert fold.last(known, -1.0, 0.0) == known
    assert fold.last(known, 0.0, 0.0) == known
    assert fold.last_size(known, 0.0) == known


def test_an_index_may_be_minus_one() -> None:
    assert fold.last(None, -1.0, 0.0, signed=True) == Print(-1.0, None)


def test_a_size_before_any_price_is_no_print() -> None:
    assert fold.last_size(None, 100.0) is None


def test_a_timed_print_is_read_with_its_exchange_time() -> None:
    printed = fold.timed_print("701.28;1;1348075471534;67854;701.46918464;true")
    assert printed == (701.28, 1.0, 1348075471534, 67854.0, 701.46918464)


def test_a_timed_print_without_a_price_carries_the_totals() -> None:
    printed = fold.timed_print(";0;1348075476533;67854;701.46918464;false")
    assert printed is not None
    assert printed.price is None
    assert printed.volume == 67854.0


@settings(max_examples=25)
@given(st.text("0123456789.;-einfa", max_size=40))
def test_no_text_breaks_a_timed_print(text: str) -> None:
    printed = fold.timed_print(text)
    assert printed is None or all(map(clean, printed))


@settings(max_examples=25)
@given(st.lists(prices, min_size=8, max_size=8))
def test_no_poison_ever_stands_in_a_computation(numbers: list[float]) -> None:
    computed = fold.computation(0, *numbers)
    assert all(map(clean, computed[:8]))
    assert -2.0 not in computed[1:5]


def test_what_ib_cannot_compute_says_nothing() -> None:
    computed = fold.computation(0, -1.0, -2.0, -1.0, 0.0, -2.0, -2.0, -2.0, 443.0)
    assert fold.says_nothing(computed)
    assert computed.pv_dividend == 0.0


def test_minus_two_is_no_vega_and_no_theta() -> None:
    computed = fold.computation(1, 0.2, 0.5, 1.0, 0.0, 0.01, -2.0, -2.0, 443.0)
    assert (computed.vega, computed.theta, computed.price_based) == (None, None, True)


@settings(max_examples=25)
@given(st.floats(allow_nan=True))
def test_amounts_are_never_negative(value: float) -> None:
    kept = empties.amount(value)
    assert kept is None or kept >= 0.0


def test_not_halted_is_kept_and_unknown_is_not() -> None:
    assert empties.amount(0.0) == 0.0
    assert empties.amount(-1.0) is None
