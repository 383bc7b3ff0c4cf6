"""What nobody should believe is kept aside with its reason, and a storm of it is bounded."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ibcore.domain import Quote, RejectReason, Stat
from sidecar import doubts
from sidecar.empties import UNSET_INT32
from sidecar.line import Line
from sidecar.rejects import ROWS_A_MINUTE, ROWS_HELD, RejectBook, Rejected
from tests.property.test_feed import opened

R = RejectReason


@pytest.mark.parametrize(
    ("value", "size", "sec_type", "doubt"),
    [
        (443.6, 100.0, "STK", None),
        (-1.0, 0.0, "STK", None),  # IB's "no quote"
        (-1.0, 100.0, "STK", R.negative_price),
        (-0.05, 3.0, "BAG", None),
        (-37.63, 3.0, "FUT", None),  # oil, 20 April 2020
        (-1.0, 0.0, "IND", None),
        (-0.05, 3.0, "OPT", R.negative_price),
        (math.nan, 1.0, "STK", R.not_finite),
        (-math.inf, 1.0, "FUT", R.not_finite),
        (1.7976931348623157e308, 1.0, "STK", R.out_of_range),
        (2147483647.0, 1.0, "STK", R.out_of_range),
        (443.6012345678, 1.0, "STK", R.too_fine),
        (4100.12345678912, 0.0, "IND", None),
        (0.1 + 0.2, 1.0, "STK", None),  # noise of doubles is no precision
        (99.99609375, 1.0, "BOND", None),  # 255/256
        (0.00000001, 1.0, "CRYPTO", None),
    ],
)
def test_a_price_is_doubted_where_there_can_be_none(value, size, sec_type, doubt):
    assert doubts.price(value, size, sec_type=sec_type) is doubt


@settings(max_examples=25)
@given(st.integers(-(10**11), 10**11), st.integers(0, 8))
def test_no_price_of_up_to_eight_decimals_is_too_fine(digits: int, decimals: int) -> None:
    price = digits / 10**decimals
    assume(price != UNSET_INT32)  # IB's unset size, which is no price
    assert doubts.price(price, 1.0, sec_type="FUT") is None


@pytest.mark.parametrize(
    ("value", "doubt"),
    [
        (0.0, None),
        (0.00012345, None),  # a fraction of a coin
        (2147483647.0, None),  # IB's unset size, and the unset decimal
        (1.7014118346046923e38, None),
        (-1.0, R.negative_amount),
        (math.inf, R.not_finite),
        (1.7976931348623157e308, R.out_of_range),
    ],
)
def test_a_size_is_doubted_where_there_can_be_none(value, doubt):
    assert doubts.size(value) is doubt


def test_a_statistic_of_minus_one_is_unknown_and_of_minus_two_is_doubted():
    assert doubts.amount(-1.0) is None
    assert doubts.amount(-2.0) is R.negative_amount


def test_a_computation_without_a_result_is_not_doubted_and_one_of_nan_is():
    assert doubts.computation(-1.0, -2.0, -1.0, 0.0, -2.0, -2.0, -2.0, 443.0) is None
    assert doubts.computation(0.2, 1.7976931348623157e308, 1.0) is None
    assert doubts.computation(0.2, math.nan, 1.0) is R.not_finite


def test_a_doubted_size_leaves_the_price_and_a_doubted_print_is_none():
    feed, tray = opened()
    assert feed.price_size(1, 2, 10.0, -5.0) is R.negative_amount
    assert feed.price_size(1, 4, -1.0, 5.0) is R.negative_price
    (row,) = tray.rows
    assert isinstance(row, Quote)
    assert (row.ask, row.ask_size) == (10.0, None)


def test_a_timed_print_at_no_price_is_refused_and_its_totals_are_kept():
    feed, tray = opened()
    assert feed.string(1, 48, "NaN;1;1348075471534;67854;701.46;true") is R.not_finite
    assert [(r.field, r.value) for r in tray.rows if isinstance(r, Stat)] == [
        ("rt_volume", 67854.0)
    ]
    assert feed.string(1, 48, "-701;1;1348075471534;67855;701.46;true") is R.negative_price
    assert len(tray.rows) == 1


def test_a_future_below_zero_is_a_quote():
    feed, tray = opened(Line(9, "FUT"))
    assert feed.price_size(1, 1, -37.63, 3.0) is None
    assert [row.bid for row in tray.rows if isinstance(row, Quote)] == [-37.63]


def test_halted_is_kept_exactly_and_unknown_is_not_refused():
    feed, tray = opened()
    assert [feed.generic(1, 49, value) for value in (-1.0, 0.0, 2.0)] == [None] * 3
    assert [row.value for row in tray.rows if isinstance(row, Stat)] == [0.0, 2.0]


def refused(instrument_id: int = 7, raw: str = "NaN;1", at: int = 5) -> Rejected:
    return Rejected(at, instrument_id, 1, R.not_finite, raw)


def test_what_is_alike_within_a_minute_is_one_row_with_the_first_text_and_a_count():
    book = RejectBook()
    for second in range(3):
        book.refuse(second, refused(raw=f"NaN;{second}", at=second))
    (row,) = book.unwritten()
    assert (row["raw"], row["alike"], row["recv_us"], row["last_us"]) == ("NaN;0", 2, 0, 2)
    book.refuse(61.0, refused())
    assert len(book.unwritten()) == 2


def test_a_row_that_grew_while_it_was_written_is_written_again():
    book = RejectBook()
    book.refuse(0.0, refused())
    rows = book.unwritten()
    book.refuse(1.0, refused())
    book.written(rows)
    assert [row["alike"] for row in book.unwritten()] == [1]
    book.written(book.unwritten())
    assert book.unwritten() == []


def test_a_storm_is_a_few_rows_a_minute_and_every_tick_of_it_is_counted():
    book = RejectBook()
    for number in range(50_000):
        book.refuse(number / 1_000, refused(number % 5_000))
    rows = book.unwritten()
    assert len(rows) == ROWS_A_MINUTE + 1
    assert rows[-1]["reason"] == R.too_many
    assert sum(row["alike"] + 1 for row in rows) == book.total == 50_000


def test_while_the_database_is_away_the_memory_is_bounded():
    book = RejectBook()
    for minute in range(60):
        for number in range(100):
            book.refuse(minute * 60.0, refused(number))
    assert len(book.unwritten()) <= ROWS_HELD + 60
    assert sum(row["alike"] + 1 for row in book.unwritten()) == 6_000
