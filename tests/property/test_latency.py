"""Latency figures are right to within a bucket, and forget what is older than a minute."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.latency import Histogram, LatencyWindow, Quantiles


def test_without_rows_there_is_no_latency() -> None:
    assert LatencyWindow().quantiles(0.0) == Quantiles(None, None, None)


@settings(max_examples=25)
@given(st.lists(st.integers(200, 5_000_000), min_size=1, max_size=50))
def test_a_quantile_is_right_to_within_four_percent(latencies: list[int]) -> None:
    histogram = Histogram()
    for latency in latencies:
        histogram.add(latency, 1)
    found = histogram.quantiles()
    ordered = sorted(latencies)
    median = ordered[(len(ordered) + 1) // 2 - 1] / 1_000
    assert found.p50_ms is not None
    assert median <= found.p50_ms + 1e-9
    assert found.p50_ms <= median * 1.041
    assert found.max_ms == ordered[-1] / 1_000


def test_a_minute_later_everything_is_forgotten() -> None:
    window = LatencyWindow()
    window.add(0.0, 30_000, {0: 10})
    window.add(30.0, 10_000, {0: 10})
    assert window.quantiles(30.0).max_ms == 30.0
    assert window.quantiles(61.0).max_ms == 10.0
    assert window.quantiles(91.0).max_ms is None


def test_a_clock_that_was_set_back_makes_no_negative_latency() -> None:
    window = LatencyWindow()
    window.add(0.0, 1_000, {5_000: 1})
    assert window.quantiles(0.0).max_ms == 0.0
