"""What happened becomes events, grains and bars; what clients write becomes periods."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.sim import bars, grains, periods
from ibcore.sim.board import Board, Tick
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import stock
from ibcore.sim.grains import ASK, BID, START, TRADES, Ring
from ibcore.sim.historypacing import HistoryPacing
from ibcore.sim.observed import Observer, Print, Quote
from ibcore.sim.tally import Tally

APPLE = stock(CATALOGUE["AAPL"])
ID = APPLE.con_id
prints = st.lists(
    st.tuples(st.floats(0, 3_000), st.integers(1, 500), st.integers(1, 900)), min_size=1
)


@given(prints)
def test_the_bars_of_what_was_printed_sum_up_what_was_printed(
    printed: list[tuple[float, int, int]],
) -> None:
    tally = Tally()
    for at, price, size in sorted(printed):
        tally.note(Print(ID, float(price), float(size)), at)
    ordered = sorted(printed)
    for span in (60, 300, 3600):
        built = bars.build(tally.grains(ID, fine=False), "TRADES", span)
        assert sum(bar.volume for bar in built) == sum(size for *_, size in printed)
        assert sum(bar.trades for bar in built) == len(printed)
        assert max(bar.high for bar in built) == max(price for _, price, _ in printed)
        assert min(bar.low for bar in built) == min(price for _, price, _ in printed)
        assert built[0].open == ordered[0][1]
        assert built[-1].close == ordered[-1][1]


def test_a_quote_stands_until_the_next_one() -> None:
    ring = Ring(1, 10)
    ring.quote(5.0, 10.0, 10.1)
    ring.quote(5.5, 10.2, 0.0)
    ring.print(7.0, 10.1, 3.0)
    rows = ring.grains()
    assert rows[:, START].tolist() == [5.0, 7.0]
    assert rows[0, BID].tolist() == [10.0, 10.2, 10.0, 10.2]
    assert rows[1, BID].tolist() == [10.2] * 4
    assert rows[1, ASK].tolist() == [10.1] * 4
    assert np.isnan(rows[0, TRADES]).all()


def test_a_ring_forgets_its_oldest_rows() -> None:
    ring = Ring(1, 10)
    for second in range(100):
        ring.print(float(second), 1.0, 1.0)
    rows = ring.grains()
    assert 10 <= len(rows) <= 21
    assert rows[-1, START] == 99.0


def test_a_growing_volume_is_a_print_and_a_changed_side_a_quote() -> None:
    observer, board = Observer(), Board()
    board.quote(10.0, 100.0, -1.0, 0.0)
    assert observer.note(APPLE, board, ()) == [Quote(ID, 10.0, 100.0, 0.0, 0.0)]
    board.trade(10.0, 300.0, unix_ms=0)
    assert observer.note(APPLE, board, ()) == [Print(ID, 10.0, 300.0)]
    assert observer.note(APPLE, board, ()) == []


def test_a_tape_s_ticks_are_read_one_by_one() -> None:
    observer, board = Observer(), Board()
    ticks = (Tick(1, 9.9, 5.0), Tick(0, 5.0), Tick(4, 10.0, 2.0), Tick(5, 2.0), Tick(5, 3.0))
    assert observer.note(APPLE, board, ticks) == [
        Quote(ID, 9.9, 5.0, 0.0, 0.0),
        Print(ID, 10.0, 2.0),
        Print(ID, 10.0, 3.0),
    ]


@pytest.mark.parametrize("text", ["", "D", "0 D", "1 X", "1D", "-1 D", "86401 S", "366 D"])
def test_a_bad_duration_is_refused(text: str) -> None:
    with pytest.raises(periods.BadPeriod):
        periods.duration(text)


NOON = datetime(2026, 11, 20, 17, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("text", "zoned"),
    [
        ("20261120 12:00:00 US/Eastern", True),
        ("20261120-17:00:00", True),
        ("20261120  12:00:00", False),
        ("20261120 17:00:00 UTC", True),
        ("12:00:00", False),
        ("17:00:00 UTC", True),
        ("18:00:00 Europe/Berlin", True),
    ],
)
def test_end_times_are_read_in_every_form(text: str, zoned: bool) -> None:
    assert periods.moment(text, NOON) == NOON
    assert periods.has_zone(text) == zoned


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "20261120",
        "20261120-12:00:00 UTC",
        "20261340 12:00:00",
        "20261120 12:00:00 Mars/Base",
        "20261120 12:00:00 ../x",
    ],
)
def test_a_bad_end_time_is_refused_as_10314(text: str) -> None:
    with pytest.raises(periods.BadPeriod) as refused:
        periods.moment(text, NOON)
    assert refused.value.code == 10314


def test_bars_written_as_numbers_are_seconds_and_days_are_dates() -> None:
    assert bars.moment(1763648999.0, 60, as_number=True) == "1763648999"
    assert bars.moment(1763648999.0, bars.DAY_S, as_number=True) == "20251120"


def test_bars_of_nothing_are_none() -> None:
    assert bars.build(grains.blank(5), "TRADES", 60) == []


class TestPacing:
    """IB's rules, one by one."""

    def test_the_same_question_within_15_s_is_a_violation(self) -> None:
        pacing = HistoryPacing()
        assert pacing.allows(0.0, "s", "q", small=True)
        assert not pacing.allows(14.9, "s", "q", small=True)
        assert pacing.allows(15.1, "s", "q", small=True)

    def test_the_sixth_for_a_contract_within_2_s_is_a_violation(self) -> None:
        pacing = HistoryPacing()
        allowed = [pacing.allows(number / 10, "s", number, small=True) for number in range(6)]
        assert allowed == [True] * 5 + [False]
        assert pacing.allows(2.6, "s", "later", small=True)

    def test_the_61st_within_ten_minutes_is_a_violation(self) -> None:
        pacing = HistoryPacing()
        allowed = [pacing.allows(n * 5.0, n, n, small=True) for n in range(61)]
        assert allowed == [True] * 60 + [False]
        assert pacing.allows(601.0, "x", "x", small=True)

    def test_bid_ask_counts_twice(self) -> None:
        pacing = HistoryPacing()
        assert all(pacing.allows(n * 9.0, n, n, small=True, weight=2) for n in range(30))
        assert not pacing.allows(280.0, "x", "x", small=True)

    def test_bars_above_30_s_are_not_held_to_it_unless_all_are(self) -> None:
        assert all(HistoryPacing().allows(0.0, "s", "q", small=False) for _ in range(99))
        strict, off = HistoryPacing("all"), HistoryPacing("off")
        assert strict.allows(0.0, "s", "q", small=False)
        assert not strict.allows(0.0, "s", "q", small=False)
        assert all(off.allows(0.0, "s", "q", small=True) for _ in range(99))
