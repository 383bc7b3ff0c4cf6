"""Pacing, standstills and the hour of the nightly reset: pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.sim.config import SimConfig
from ibcore.sim.limits import Pacing, Verdict
from ibcore.sim.pace import Pace
from ibcore.sim.schedule import Nightly

ALLOWED, REFUSED, LAST = Verdict.allowed, Verdict.refused, Verdict.last


def test_fifty_at_once_are_allowed_and_the_next_is_not() -> None:
    pacing = Pacing(50.0)
    assert [pacing.spend(1.0) for _ in range(51)] == [ALLOWED] * 50 + [REFUSED]


def test_whoever_goes_on_after_several_warnings_is_cut_off() -> None:
    pacing = Pacing(50.0, warnings=3)
    verdicts = [pacing.spend(1.0) for _ in range(53)]
    assert verdicts[50:] == [REFUSED, REFUSED, LAST]


def test_old_warnings_are_forgotten() -> None:
    pacing = Pacing(1.0, warnings=2)
    assert [pacing.spend(at) for at in (0.0, 0.0, 20.0, 20.0)] == [
        *(ALLOWED, REFUSED, ALLOWED, REFUSED)
    ]


def test_forty_five_every_second_never_meet_the_limit() -> None:
    pacing = Pacing(50.0)
    for second in range(30):
        assert {pacing.spend(second + 0.001 * number) for number in range(45)} == {ALLOWED}


def test_the_gateway_s_own_standstill_is_not_the_client_s_fault() -> None:
    # 45 that came at 0.1 are read at 0.9, and the 45 that came at 1.1 right after them.
    for stalled_s, verdicts in ((0.0, {ALLOWED, REFUSED, LAST}), (0.8, {ALLOWED})):
        pacing = Pacing(50.0)
        pacing.spend(0.0)
        assert {pacing.spend(0.9, stalled_s) for _ in range(45)} == {ALLOWED}
        assert {pacing.spend(1.1, stalled_s) for _ in range(45)} == verdicts


@given(st.lists(st.floats(0, 0.2), max_size=400))
def test_never_more_than_two_seconds_worth_in_one_second(gaps: list[float]) -> None:
    pacing, now, allowed = Pacing(50.0, warnings=10_000), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if pacing.spend(now) is ALLOWED:
            allowed.append(now)
    for start in allowed:
        assert sum(start <= at <= start + 1.0 for at in allowed) <= 100


def test_without_a_rate_everything_is_allowed() -> None:
    pacing = Pacing(None)
    assert {pacing.spend(0.0) for _ in range(1_000)} == {ALLOWED}


def test_a_pump_that_turns_is_not_stalled_and_one_that_does_not_is() -> None:
    pace = Pace()
    for at in (0.0, 0.01, 0.02):
        pace.turn(at)
    assert pace.stalled_s(0.03) == 0.0
    assert pace.stalled_s(1.02) == pytest.approx(1.0)
    pace.turn(1.02)
    assert pace.stalled_s(1.03) == pytest.approx(1.0)


def test_the_market_s_time_runs_faster_and_then_stays_ahead() -> None:
    pace = Pace()
    passed = pace.turn(10.0)
    assert pace.market(passed, 1.0) == 10.0
    assert pace.market(pace.turn(11.0), 5.0) == pytest.approx(15.0)
    assert pace.market(pace.turn(12.0), 1.0) == pytest.approx(16.0)


def test_the_nightly_reset_comes_once_a_day_in_new_york() -> None:
    noon = datetime(2026, 7, 1, 16, 0, tzinfo=timezone.utc)  # 12:00 there
    nightly = Nightly("23:45", noon)
    assert not nightly.due(noon + timedelta(hours=11, minutes=44))
    assert nightly.due(noon + timedelta(hours=11, minutes=45))
    assert not nightly.due(noon + timedelta(hours=11, minutes=46))
    assert nightly.due(noon + timedelta(days=1, hours=11, minutes=45))


@pytest.mark.parametrize(
    ("setting", "hint"),
    [({"nightly": "25:00"}, "New York time"), ({"server_version": 179}, "100 to 178")],
)
def test_a_setting_that_cannot_be_is_refused(setting: dict[str, object], hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        SimConfig(**setting)  # type: ignore[arg-type]
