"""Put-call parity gives back the forward and the rate that made the prices."""

from __future__ import annotations

from datetime import date, datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibcore.option_model import greeks, spot_terms
from ibcore.parity import Pair, parity, years_to


def pairs(spot: float, years: float, rate: float, *, noise: float = 0.0) -> list[Pair]:
    made = []
    for number, strike in enumerate(range(int(spot * 0.8), int(spot * 1.2), 2)):
        call, put = (
            greeks(spot_terms(right, float(strike), years, spot=spot, rate=rate), 0.3).price
            for right in "CP"
        )
        made.append(Pair(float(strike), call + noise * (-1) ** number, put))
    return made


@settings(deadline=None)  # the first call loads QuantLib
@given(st.floats(50, 500), st.floats(0.05, 2), st.floats(-0.03, 0.12))
def test_exact_prices_give_the_exact_rate_and_forward(
    spot: float, years: float, rate: float
) -> None:
    found = parity(pairs(spot, years, rate), spot=spot, years=years)
    assert found.rate == pytest.approx(rate, abs=1e-6)
    assert found.forward == pytest.approx(
        spot_terms("C", spot, years, spot=spot, rate=rate).forward, rel=1e-6
    )


def test_prices_too_coarse_to_say_a_rate_still_give_the_forward() -> None:
    found = parity(pairs(100.0, 0.1, 0.05, noise=0.4), spot=100.0, years=0.1)
    assert found.rate is None
    assert found.forward == pytest.approx(100.5, abs=0.2)


def test_with_few_pairs_the_nearest_to_the_money_says_the_forward_and_with_none_the_spot() -> None:
    assert parity([Pair(100.0, 5.0, 4.0)], spot=100.0, years=0.5) == (101.0, None, 1)
    assert parity([], spot=100.0, years=0.5) == (100.0, None, 0)
    assert parity([Pair(150.0, 5.0, 4.0)], spot=100.0, years=0.5) == (100.0, None, 0)


def test_time_ends_with_the_session_of_the_expiry_also_on_a_half_day() -> None:
    half_day = date(2026, 11, 27)
    assert years_to(half_day, datetime(2026, 11, 27, 17, 0, tzinfo=timezone.utc)) == pytest.approx(
        1 / (365 * 24)
    )
    assert years_to(half_day, datetime(2026, 11, 27, 18, 30, tzinfo=timezone.utc)) == 0.0
    saturday = date(2026, 11, 28)
    assert years_to(saturday, datetime(2026, 11, 28, 20, 0, tzinfo=timezone.utc)) > 0
