"""The feed: one row for each change, in order, with the right origin; nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from ibcore.clock import PG_EPOCH_UNIX_US
from ibcore.domain import Greeks, MarketRow, Quote, RejectReason, Stat, Trade
from sidecar.feed import Feed, Line
from sidecar.fold import Print

STOCK = Line(7, "STK")


@dataclass
class Tray:
    """What the feed hands over."""

    rows: list[MarketRow] = field(default_factory=list)
    forgotten: list[tuple[int, str]] = field(default_factory=list)
    known: dict[int, Print] = field(default_factory=dict)
    messages: int = 0
    seq: int = 0

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def record(self, row: MarketRow) -> None:
        self.rows.append(row)

    def forget(self, instrument_id: int, field: str) -> None:
        self.forgotten.append((instrument_id, field))

    def last_print(self, instrument_id: int) -> Print | None:
        return self.known.get(instrument_id)

    def heard(self, messages: int = 1) -> None:
        self.messages += messages

    def take(self) -> list[MarketRow]:
        taken, self.rows = self.rows, []
        return taken


def opened(line: Line = STOCK, *, tray: Tray | None = None) -> tuple[Feed, Tray]:
    tray = tray or Tray()
    feed = Feed(tray, epoch=3)
    feed.open_line(1, line)
    feed.packet(1_000)
    return feed, tray


def test_a_bid_is_a_quote_row_and_its_size_echo_is_not() -> None:
    feed, tray = opened()
    feed.price_size(1, 1, 443.6, 100.0)
    feed.size(1, 0, 100.0)
    assert tray.rows == [
        Quote(1_000, 1_000, 7, 1, 3, "ib", "live", 1, 443.6, 100.0, None, None),
    ]
    assert tray.messages == 2


def test_a_last_price_and_each_new_size_is_a_trade() -> None:
    feed, tray = opened()
    feed.size(1, 5, 300.0)
    feed.price_size(1, 4, 443.6, 100.0)
    feed.size(1, 5, 100.0)
    feed.size(1, 5, 200.0)
    rows = [(row.tick_type, row.price, row.size, row.source) for row in tray.take()]
    assert rows == [(4, 443.6, 100.0, "last"), (5, 443.6, 200.0, "last")]


def test_a_delayed_tick_is_never_called_live() -> None:
    feed, tray = opened()
    feed.price_size(1, 66, 443.6, 100.0)
    feed.data_type(1, 4)
    feed.price_size(1, 67, 443.8, 100.0)
    feed.data_type(1, 2)
    feed.price_size(1, 1, 443.5, 100.0)
    assert [row.quality for row in tray.rows] == ["delayed", "delayed_frozen", "frozen"]


def test_the_last_print_outlives_a_reconnect_and_the_book_does_not() -> None:
    feed, tray = opened()
    feed.price_size(1, 1, 443.6, 100.0)
    feed.price_size(1, 4, 443.7, 50.0)
    feed.generic(1, 49, 0.0)
    feed.close_line(1)
    tray.take()
    feed.open_line(2, STOCK)
    feed.price_size(2, 1, 443.6, 100.0)
    feed.price_size(2, 4, 443.7, 50.0)
    feed.generic(2, 49, 0.0)
    assert [type(row) for row in tray.rows] == [Quote]


def test_the_last_print_of_an_earlier_process_is_no_new_one() -> None:
    feed, tray = opened(tray=Tray(known={7: Print(443.7, 50.0)}))
    feed.price_size(1, 4, 443.7, 50.0)
    assert tray.rows == []
    feed.size(1, 5, 60.0)
    assert len(tray.rows) == 1


def test_a_timed_print_has_the_exchange_s_time_and_is_recorded_once() -> None:
    feed, tray = opened()
    for _ in range(2):
        feed.string(1, 48, "701.28;1;1348075471534;67854;701.46;true")
    (row,) = tray.rows
    assert isinstance(row, Trade)
    assert row.ts == 1348075471534 * 1_000 - PG_EPOCH_UNIX_US
    assert row[8:] == ("rt_volume", 701.28, 1.0, 67854.0, 701.46)


def test_a_computation_is_a_row_each_time_and_its_absence_once() -> None:
    feed, tray = opened(Line(8, "OPT", "C"))
    some = (0, 0.2, 0.5, 1.0, 0.0, 0.01, 0.1, -0.05, 443.0)
    none = (0, -1.0, -2.0, -1.0, -1.0, -2.0, -2.0, -2.0, 443.0)
    for numbers in (none, some, some, none, none):
        feed.computation(1, 13, *numbers)
    rows = [row for row in tray.rows if isinstance(row, Greeks)]
    assert [row.iv for row in rows] == [0.2, 0.2, None]
    assert rows[0].kind == "model"
    assert rows[0][8:] == (0.2, 0.5, 0.01, 0.1, -0.05, 1.0, 0.0, 443.0, False)


def test_statistics_are_rows_when_they_change() -> None:
    feed, tray = opened()
    feed.generic(1, 49, -1.0)
    feed.generic(1, 49, 0.0)
    feed.generic(1, 49, 0.0)
    feed.size(1, 63, 1200.0)
    feed.price_size(1, 37, 443.65, 0.0)
    feed.string(1, 45, "1641535089")
    feed.string(1, 32, "PQ")
    rows = [(row.field, row.value) for row in tray.rows if isinstance(row, Stat)]
    assert rows == [
        ("halted", 0.0),
        ("volume_rate_3min", 1200.0),
        ("mark", 443.65),
        ("last_timestamp", 1641535089.0),
        ("bid_exchange", "PQ"),
    ]


def test_a_statistic_that_becomes_unknown_is_forgotten_and_may_come_back() -> None:
    feed, tray = opened()
    for value in (1.0, -1.0, 1.0):
        feed.generic(1, 49, value)
    assert tray.forgotten == [(7, "halted")]
    assert len(tray.rows) == 2


def test_an_option_s_own_open_interest_is_named_so() -> None:
    feed, tray = opened(Line(9, "OPT", "P"))
    feed.size(1, 28, 5_000.0)
    assert [row.field for row in tray.rows if isinstance(row, Stat)] == ["open_interest"]


def test_what_arrives_for_a_closed_line_is_counted_not_recorded() -> None:
    feed, tray = opened()
    feed.close_line(1)
    feed.price_size(1, 1, 443.6, 100.0)
    assert tray.rows == []
    assert feed.oddities.orphans == 1


def test_a_price_that_is_no_number_empties_its_side_and_is_doubted() -> None:
    feed, tray = opened()
    feed.price_size(1, 1, 443.6, 100.0)
    assert feed.price_size(1, 1, math.nan, 100.0) is RejectReason.not_finite
    assert [row.bid for row in tray.rows if isinstance(row, Quote)] == [443.6, None]


numbers = st.one_of(
    st.sampled_from([math.nan, math.inf, 1.7976931348623157e308, 2147483647.0, -1.0, -2.0, 0.0]),
    st.floats(allow_nan=True),
    st.integers(1, 500).map(float),
)
messages = st.one_of(
    st.tuples(st.just("price_size"), st.integers(0, 110), numbers, numbers),
    st.tuples(st.just("size"), st.integers(0, 110), numbers),
    st.tuples(st.just("generic"), st.integers(0, 110), numbers),
    st.tuples(st.just("string"), st.integers(0, 110), st.text("0123456789.;-einfa\0", max_size=30)),
)


@settings(max_examples=25)
@given(st.lists(messages, max_size=25))
def test_whatever_ib_sends_every_row_is_clean_and_seq_is_unbroken(
    sent: list[tuple[object, ...]],
) -> None:
    feed, tray = opened()
    for name, *arguments in sent:
        getattr(feed, str(name))(1, *arguments)
    assert tray.messages == len(sent)
    assert [row.seq for row in tray.rows] == list(range(1, len(tray.rows) + 1))
    for row in tray.rows:
        floats = [value for value in row if isinstance(value, float)]
        assert all(math.isfinite(value) and abs(value) < 1e15 for value in floats)


@settings(max_examples=25)
@given(st.lists(messages, max_size=25))
def test_a_quote_row_is_written_if_and_only_if_the_book_changes(
    sent: list[tuple[object, ...]],
) -> None:
    feed, tray = opened()
    for name, *arguments in sent:
        getattr(feed, str(name))(1, *arguments)
    books = [row[8:] for row in tray.rows if isinstance(row, Quote)]
    assert all(old != new for old, new in zip([(None,) * 4, *books], books, strict=False))
    before = len(tray.rows)
    # The last message of each kind again: a state that is already there makes no row.
    for name, *arguments in sent[-1:]:
        getattr(feed, str(name))(1, *arguments)
    assert len(tray.rows) == before
