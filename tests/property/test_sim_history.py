"""Drawn history: seconds, minutes and bars of every size agree with each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibcore.sim import bars, daygrains, grains, hours, optiongrains
from ibcore.sim.archive import Archive, Query
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.config import SimConfig
from ibcore.sim.contracts import option, stock
from ibcore.sim.daygrains import Course
from ibcore.sim.grains import ASK, BID, COUNT, START, TRADES, VOLUME, Grains
from ibcore.sim.market import Market
from ibcore.sim.periods import Duration, duration
from ibcore.sim.tally import Tally

DAY = date(2026, 11, 20)
APPLE = stock(CATALOGUE["AAPL"])
CALL = option(CATALOGUE["AAPL"], date(2027, 1, 15), 230.0, right="C")
NOON = datetime(2026, 11, 23, 17, 0, tzinfo=timezone.utc)

courses = st.builds(
    Course,
    st.floats(5, 900),
    st.floats(5, 900),
    st.floats(0.002, 0.06),
    st.floats(1e5, 1e8),
    st.just(0.01),
)
seeds = st.integers(0, 2**31)


def day(course: Course, seed: int) -> Grains:
    return daygrains.minutes(DAY, course, np.random.default_rng(seed))


def consistent(shown: np.ndarray) -> bool:
    opened, high, low, closed = shown.T
    return bool(
        (high >= opened).all()
        and (high >= closed).all()
        and (low <= opened).all()
        and (low <= closed).all()
        and (low > 0).all()
    )


@given(courses, seeds)
@settings(max_examples=25, deadline=None)
def test_a_day_is_consistent_on_the_grid_and_ends_at_its_close(course: Course, seed: int) -> None:
    rows = day(course, seed)
    for side in (TRADES, BID, ASK):
        assert consistent(rows[:, side])
    assert np.allclose(np.round(rows[:, TRADES] / 0.01) * 0.01, rows[:, TRADES])
    assert (rows[:, BID] < rows[:, ASK]).all()
    assert (rows[1:, TRADES.start] == rows[:-1, TRADES.stop - 1]).all()
    assert rows[daygrains.CLOSE_MINUTE - 1, TRADES.stop - 1] == pytest.approx(
        course.close, abs=0.0051
    )


@given(courses, seeds, st.integers(0, 959))
@settings(max_examples=40, deadline=None)
def test_the_seconds_of_a_minute_make_up_the_minute(course: Course, seed: int, number: int) -> None:
    minute = day(course, seed)[number]
    rows = daygrains.seconds(minute, tick=0.01, rng=np.random.default_rng(seed))
    [bar] = bars.build(rows, "TRADES", 60)
    assert bar[:6] == (minute[START], *minute[TRADES], minute[VOLUME])
    assert bar.trades == minute[COUNT]
    assert consistent(rows[:, TRADES])
    assert (rows[:, VOLUME] >= rows[:, COUNT]).all()
    for show in ("BID", "ASK", "MIDPOINT"):
        [seen] = bars.build(rows, show, 60)
        [whole] = bars.build(minute[None, :], show, 60)
        assert seen[1:5] == pytest.approx(whole[1:5])


@given(courses, seeds, st.sampled_from([60, 120, 300, 900, 1800, 3600, 14400, 28800]))
@settings(max_examples=25, deadline=None)
def test_bars_of_every_size_sum_up_the_same_day(course: Course, seed: int, span: int) -> None:
    rows = day(course, seed)
    [whole] = bars.build(rows, "TRADES", bars.DAY_S)
    built = bars.build(rows, "TRADES", span)
    assert sum(bar.volume for bar in built) == whole.volume
    assert sum(bar.trades for bar in built) == whole.trades
    assert max(bar.high for bar in built) == whole.high
    assert min(bar.low for bar in built) == whole.low
    assert (built[0].open, built[-1].close) == (whole.open, whole.close)
    assert all(bar.low <= bar.wap <= bar.high for bar in built)
    starts = [bar.start for bar in built]
    assert starts == sorted(set(starts))


def test_a_summary_of_a_day_gives_the_day_bar_of_its_minutes() -> None:
    rows = day(Course(226, 228, 0.02, 4e7, 0.01), 7)
    for show in ("TRADES", "MIDPOINT", "BID", "ASK"):
        [whole] = bars.build(rows, show, bars.DAY_S)
        [short] = bars.build(grains.summary(rows), show, bars.DAY_S)
        assert whole[1:5] == pytest.approx(short[1:5])
        assert (whole.volume, whole.trades) == (short.volume, short.trades)


def test_hour_bars_follow_the_clock_and_the_first_begins_with_the_session() -> None:
    rows = day(Course(226, 228, 0.02, 4e7, 0.01), 7)
    opens, closes = hours.regular(DAY)
    built = bars.build(grains.between(rows, opens, closes), "TRADES", 3600)
    written = [bars.moment(bar.start, 3600, as_number=False) for bar in built]
    assert written[0] == "20261120 09:30:00 US/Eastern"
    assert [text[9:14] for text in written[1:]] == [f"{hour}:00" for hour in range(10, 16)]


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_an_option_is_never_worth_less_than_nothing_and_its_quotes_never_cross(seed: int) -> None:
    under = day(Course(226, 228, 0.02, 4e7, 0.01), seed)
    for contract in (CALL, replace(CALL, right="P")):
        rows = optiongrains.minutes(contract, under, np.random.default_rng(seed))
        assert (rows[:, BID] >= 0).all()
        assert (rows[:, BID] < rows[:, ASK]).all()
        for side in (BID, ASK):
            shown = rows[:, side]
            assert (shown[:, 1] >= shown[:, [0, 3]].max(axis=1)).all()
            assert (shown[:, 2] <= shown[:, [0, 3]].min(axis=1)).all()
        traded = rows[:, COUNT] > 0
        assert 0 < traded.sum() < len(rows) / 4
        assert (rows[traded, TRADES.start] == rows[traded, BID.stop - 1]).all()


class Still:
    """A clock that stands."""

    def monotonic(self) -> float:
        return 0.0

    def utcnow(self) -> datetime:
        return NOON

    def unix_ns(self) -> int:
        return int(NOON.timestamp() * 1e9)


def archive(seed: int) -> tuple[Market, Archive]:
    market = Market(SimConfig(seed=seed, symbols=("AAPL",), clock=Still()))
    return market, Archive(market.past, Tally())


def collect(known: Archive, back: Duration, **more: bool) -> Grains:
    query = Query(APPLE, "TRADES", NOON.timestamp(), back, **more)
    return grains.join(list(known.pieces(query))[::-1])


def test_the_same_seed_has_the_same_past_and_another_seed_another() -> None:
    one, two, other = (collect(archive(seed)[1], Duration(3, "D")) for seed in (7, 7, 8))
    assert np.array_equal(one, two, equal_nan=True)
    assert not np.array_equal(one, other, equal_nan=True)


def test_the_past_ends_at_the_previous_close_that_the_stream_shows() -> None:
    market, known = archive(7)
    rows = collect(known, Duration(1, "D"))
    assert rows[-1, TRADES.stop - 1] == pytest.approx(market.board(APPLE).values[9], abs=0.0051)


def test_days_weeks_months_and_years_hold_their_trading_days() -> None:
    _, known = archive(7)
    lengths = [
        len(collect(known, Duration(*given), whole_days=True))
        for given in ((1, "D"), (30, "D"), (2, "W"), (1, "M"), (1, "Y"))
    ]
    assert lengths == [1, 30, 10, 20, 260]


def test_seconds_back_are_seconds_of_trading() -> None:
    _, known = archive(7)
    fine = collect(known, Duration(1_800, "S"), fine=True)
    coarse = collect(known, Duration(1_800, "S"))
    assert (len(fine), len(coarse)) == (1_800, 30)
    assert fine[-1, START] == hours.regular(DAY)[1] - 1
    of_seconds, of_minutes = (bars.build(rows, "TRADES", 60) for rows in (fine, coarse))
    assert [bar[:6] for bar in of_seconds] == [bar[:6] for bar in of_minutes]


def test_years_reach_back_to_the_month_even_from_a_leap_day() -> None:
    assert Duration(1, "Y").first_day(date(2028, 2, 29)) == date(2027, 2, 28)
    assert Duration(3, "M").first_day(date(2026, 5, 31)) == date(2026, 2, 28)
    assert Duration(1, "M").first_day(date(2026, 1, 31)) == date(2025, 12, 31)


@pytest.mark.parametrize(
    ("text", "began"),
    [("600 S", "16:21:22"), ("2 D", "20230413"), ("1 W", "20230408"), ("1 M", "20230315"),
     ("1 Y", "20220415")],
)  # fmt: skip
def test_a_period_begins_by_the_calendar(text: str, began: str) -> None:
    end = datetime(2023, 4, 15, 20, 31, 22, tzinfo=timezone.utc).timestamp()
    written = bars.moment(duration(text).began(end), 1, as_number=False)
    assert began in written
    assert written.endswith("US/Eastern")
