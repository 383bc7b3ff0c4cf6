"""Our option model against another implementation (vollib, Jaeckel's method), and itself."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ibcore.option_model import NoVol, greeks, implied_vol, spot_terms

RIGHTS = st.sampled_from("CP")
STRIKES = st.floats(50, 200)
YEARS = st.floats(1 / 365, 3)
RATES = st.floats(-0.02, 0.1)
VOLS = st.floats(0.03, 2.5)


@pytest.fixture(scope="module")
def vollib() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba is not there, and it says so
        from vollib.black.implied_volatility import implied_volatility
        from vollib.black_scholes_merton.greeks import analytical
    return implied_volatility, analytical


@settings(deadline=None)  # the first call loads QuantLib
@given(RIGHTS, STRIKES, YEARS, RATES, VOLS)
def test_the_volatility_of_a_price_is_the_one_that_made_it(
    right: str, strike: float, years: float, rate: float, vol: float
) -> None:
    terms = spot_terms(right, strike, years, spot=100.0, rate=rate, dividend=0.01)
    price = greeks(terms, vol).price
    sign = 1.0 if right == "C" else -1.0
    time_value = price - terms.discount * max(0.0, sign * (terms.forward - strike))
    assume(time_value > 1e-4)
    assume(greeks(terms, vol).vega > 1e-6)
    found = implied_vol(terms, price)
    assert not isinstance(found, NoVol)
    assert found == pytest.approx(vol, abs=1e-6)


@settings(deadline=None)  # the first call loads QuantLib
@given(RIGHTS, STRIKES, YEARS, RATES, VOLS)
def test_another_library_says_the_same(
    vollib: Any, right: str, strike: float, years: float, rate: float, vol: float
) -> None:
    implied, analytical = vollib
    terms = spot_terms(right, strike, years, spot=100.0, rate=rate, dividend=0.01)
    ours = greeks(terms, vol)
    flag = right.lower()
    for name in ("delta", "gamma", "vega", "theta"):
        theirs = getattr(analytical, name)(flag, 100.0, strike, years, rate, vol, 0.01)
        assert getattr(ours, name) == pytest.approx(theirs, abs=1e-9), name
    assume(ours.vega > 1e-4)
    sign = 1.0 if right == "C" else -1.0
    assume(ours.price - terms.discount * max(0.0, sign * (terms.forward - strike)) > 1e-4)
    theirs = implied(ours.price, terms.forward, strike, rate, years, flag)
    assert implied_vol(terms, ours.price) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(
    ("years", "price", "why"),
    [
        (0.0, 5.0, NoVol.expired),
        (-0.1, 5.0, NoVol.expired),
        (0.5, 0.0, NoVol.below_intrinsic),
        (0.5, 19.0, NoVol.below_intrinsic),
        (0.5, 100.0, NoVol.above_bound),
        (0.5, 250.0, NoVol.above_bound),
    ],
)
def test_a_price_that_no_volatility_explains_is_a_word(
    years: float, price: float, why: NoVol
) -> None:
    terms = spot_terms("C", 80.0, years, spot=100.0, rate=0.0)
    assert implied_vol(terms, price) is why
