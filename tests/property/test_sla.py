"""Spans of time, announced windows and burn rates: arithmetic, tried with many values."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.calendar import NEW_YORK
from ibcore.incidents import IncidentKind, Severity
from ibcore.sla.check import Facts, findings, to_close, to_open
from ibcore.sla.report import adherence, announced, burns, scheduled, uptime
from ibcore.sla.spans import Span, market, midnight, seconds, shared, slices, union, without
from ibcore.windows import windows

ZERO = datetime(2026, 11, 23, tzinfo=timezone.utc)
NIGHT = windows("23:40-01:45", "Sun 00:45-12:00", "America/New_York")
NONE = windows("", "", "America/New_York")


def span(begin_s: float, end_s: float) -> Span:
    return ZERO + timedelta(seconds=begin_s), ZERO + timedelta(seconds=end_s)


SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda ends: span(*ends)), max_size=8
)


def moments(spans: list[Span]) -> set[int]:
    return {n for n in range(61) for begin, end in spans if begin <= span(n, n)[0] < end}


@given(SPANS, SPANS)
def test_spans_are_sets_of_moments(left: list[Span], right: list[Span]) -> None:
    assert moments(union(left)) == moments(left)
    assert moments(shared(left, right)) == moments(left) & moments(right)
    assert moments(without(left, right)) == moments(left) - moments(right)
    assert seconds(left) == len(moments(left))


@given(SPANS, st.integers(1, 40))
def test_slices_are_the_same_time_in_pieces_of_about_one_length(
    spans: list[Span], most: int
) -> None:
    pieces, whole = slices(spans, most), union(spans)
    assert union(pieces) == whole
    assert pieces == sorted(pieces)
    assert all(one[1] <= other[0] for one, other in pairwise(pieces))
    assert len(whole) <= len(pieces) <= most + len(whole)


def day(text: str) -> Span:
    which = date.fromisoformat(text)
    return midnight(which, NEW_YORK), midnight(which + timedelta(days=1), NEW_YORK)


def hours(spans: list[Span]) -> float:
    return seconds(spans) / 3600


def test_the_market_has_half_days_holidays_and_keeps_to_the_clock_of_new_york() -> None:
    assert hours(market(*day("2026-11-25"))) == 6.5
    assert hours(market(*day("2026-11-26"))) == 0
    assert hours(market(*day("2026-11-27"))) == 3.5
    before, after = market(*day("2026-10-30")), market(*day("2026-11-02"))
    assert (before[0][0].hour, after[0][0].hour) == (13, 14)


def test_a_day_of_a_clock_change_is_longer_or_shorter_and_its_window_too() -> None:
    assert [hours([day(one)]) for one in ("2026-10-31", "2026-11-01", "2027-03-14")] == [24, 25, 23]
    assert hours(announced(*day("2026-10-31"), NIGHT)) == 1.75 + 20 / 60
    night = windows("23:40-01:45", "", "America/New_York")
    assert hours(announced(*day("2026-11-01"), night)) == 2.75 + 20 / 60
    assert hours(scheduled(*day("2026-11-25"), NIGHT, hours="always")) == 24 - 1.75 - 20 / 60
    assert hours(scheduled(*day("2026-11-29"), NIGHT, hours="always")) == 24 - 12 - 20 / 60


def test_burn_rates_need_both_windows_and_say_how_bad_it_is() -> None:
    now = ZERO + timedelta(days=3)
    due = [(ZERO, now)]

    def burn(*away: tuple[float, float]) -> object:
        ready = without(
            due, [(now - timedelta(minutes=a), now - timedelta(minutes=b)) for a, b in away]
        )
        found = burns(ready, due, objective=0.999, now=now)
        return None if found is None else (found.rate, found.severity)

    assert burn() is None
    assert burn((1, 0)) == (14.4, Severity.critical)
    assert burn((30, 10)) == (6.0, Severity.critical)
    assert burn((300, 295)) == (1.0, Severity.warning)
    assert burn((1000, 990)) is None
    assert burns([], [], objective=0.999, now=now) is None
    assert uptime([], []).share is None


@pytest.mark.parametrize("late", [timedelta(seconds=10), timedelta(minutes=1), timedelta(hours=2)])
def test_a_moment_missed_just_after_the_open_burns_nothing_and_a_minute_does(
    late: timedelta,
) -> None:
    now = ZERO + late
    due = [(ZERO, now)]  # nothing was promised before
    blip = without(due, [(ZERO, ZERO + timedelta(seconds=1))])
    assert burns(blip, due, objective=0.999, now=now) is None
    away = without(due, [(now - timedelta(seconds=60), now)])
    assert burns(away, due, objective=0.999, now=now) is not None


def test_waits_are_held_against_the_sequence() -> None:
    kept = [{"attempt": n, "backoff_s": s} for n, s in ((1, 1.0), (2, 2.0), (6, 32.0), (9, 60.0))]
    assert adherence(kept) == (4, 4)
    assert adherence([*kept, {"attempt": 3, "backoff_s": 5.0}]) == (5, 4)


def facts(**more: object) -> Facts:
    given = {
        "sidecar": "main",
        "state": "running",
        "heartbeat_age_s": 1.0,
        "not_ready_s": 0.0,
        "stale_lines": [],
        "active_lines": 10,
        "latency_p99_ms": 40.0,
        "open_gaps": 0,
    }
    return Facts(**given | more)


def broken(found: Facts, *, market_open: bool = True, planned: str | None = None) -> list[str]:
    return [
        each.name
        for each in findings(found, market_open=market_open, planned=planned)
        if not each.kept
    ]


def test_a_look_names_what_is_beyond_its_bound() -> None:
    assert broken(facts()) == []
    assert broken(facts(not_ready_s=61.0)) == ["session not ready"]
    assert broken(facts(not_ready_s=61.0), planned="nightly reset") == []
    assert broken(facts(stale_lines=["A"])) == ["stale lines"]
    assert broken(facts(stale_lines=["A"]), market_open=False) == []
    assert broken(facts(latency_p99_ms=None)) == []
    assert broken(facts(heartbeat_age_s=20.0, stale_lines=["A"])) == ["heartbeat age"]


def test_a_silent_sidecar_is_critical_and_one_that_was_stopped_a_warning() -> None:
    (silent,) = to_open(facts(heartbeat_age_s=20.0))
    (stopped,) = to_open(facts(heartbeat_age_s=20.0, state="stopped"))
    assert (silent.severity, stopped.severity) == (Severity.critical, Severity.warning)
    assert to_close(facts(heartbeat_age_s=20.0)) == []
    assert [kind for kind, *_ in to_close(facts())] == [
        IncidentKind.sidecar_silent,
        IncidentKind.latency_high,
    ]
    (slow,) = to_open(facts(latency_p99_ms=1_500.0))
    assert slow.kind is IncidentKind.latency_high
