"""Option symbols and IB's fields say the same, both ways; what cannot be said is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.domain import ContractSpec
from ibcore.errors import SymbolUnmapped
from ibcore.symbols import (
    Osi,
    alpaca_stock,
    alpaca_symbol,
    option_spec,
    osi_of,
    parse_osi,
    stock_spec,
)

OPTIONS = st.builds(
    Osi,
    st.from_regex(r"[A-Z][A-Z0-9]{0,5}", fullmatch=True),
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.sampled_from("CP"),
    st.integers(1, 10**8 - 1).map(lambda n: Decimal(n).scaleb(-3).normalize()),
)
STOCKS = st.from_regex(r"[A-Z][A-Z0-9]{0,5}( [A-Z]{1,4})?", fullmatch=True)
AAPL = ContractSpec("AAPL", "OPT", expiry="20240119", strike=100.0, right="C")


@given(OPTIONS)
def test_both_written_forms_are_read_back_as_the_same_option(option: Osi) -> None:
    assert parse_osi(option.compact) == parse_osi(option.padded) == option
    assert len(option.padded) == 21
    assert option.padded.replace(" ", "") == option.compact


@given(OPTIONS, STOCKS)
def test_the_fields_of_ib_and_the_symbol_say_the_same(option: Osi, underlying: str) -> None:
    spec = option_spec(option, underlying)
    assert osi_of(spec) == osi_of(spec, option.padded) == option
    assert alpaca_symbol(spec) == option.compact


@given(STOCKS)
def test_a_stock_comes_back_as_itself(symbol: str) -> None:
    assert stock_spec(alpaca_stock(symbol)).symbol == symbol


@given(st.text(max_size=25))
def test_any_other_text_is_refused_or_is_the_symbol_that_it_is_read_as(text: str) -> None:
    try:
        option = parse_osi(text)
    except SymbolUnmapped:
        return
    assert text in (option.compact, option.padded)


@pytest.mark.parametrize(
    ("spec", "symbol"),
    [
        (AAPL, "AAPL240119C00100000"),
        (AAPL._replace(strike=172.5, right="P"), "AAPL240119P00172500"),
        (AAPL._replace(strike=0.125), "AAPL240119C00000125"),
        (AAPL._replace(symbol="SPX", trading_class="SPXW"), "SPXW240119C00100000"),
        (AAPL._replace(symbol="AMD", trading_class="AMD1"), "AMD1240119C00100000"),
        (AAPL._replace(symbol="BRK B", trading_class="BRKB"), "BRKB240119C00100000"),
        (AAPL._replace(symbol="BRK B"), "BRKB240119C00100000"),
        (ContractSpec("BRK B"), "BRK.B"),
        (ContractSpec("BAC PRL"), "BAC.PRL"),
        (ContractSpec("SPY", primary_exchange="ARCA"), "SPY"),
    ],
)
def test_what_alpaca_has_is_named_as_alpaca_names_it(spec: ContractSpec, symbol: str) -> None:
    assert alpaca_symbol(spec) == symbol


def test_the_local_symbol_knows_the_expiry_of_an_option_settled_in_the_morning() -> None:
    spec = AAPL._replace(symbol="SPX", trading_class="SPX", expiry="20240118", strike=4500.0)
    assert alpaca_symbol(spec, "SPX   240119C04500000") == "SPX240119C04500000"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (ContractSpec("ES", "FUT", expiry="202403"), "no FUT"),
        (ContractSpec("SPX", "IND"), "no IND"),
        (ContractSpec("EUR", "CASH"), "no CASH"),
        (ContractSpec("SAP", currency="EUR"), "quotes in USD"),
        (ContractSpec("AAPL", exchange="ARCA"), "not ARCA's"),
        (ContractSpec("TCEHY", primary_exchange="PINK"), "listed at PINK"),
        (ContractSpec("brk b"), "no symbol of a US stock"),
        (ContractSpec("600519"), "no symbol of a US stock"),
        (AAPL._replace(strike=100.0005), "at most 3 decimals"),
        (AAPL._replace(strike=0.0), "above 0"),
        (AAPL._replace(strike=100_000.0), "below 100000"),
        (AAPL._replace(strike=float("nan")), "cannot hold"),
        (AAPL._replace(strike=float("inf")), "cannot hold"),
        (AAPL._replace(expiry="202401"), "no day of expiry"),
        (AAPL._replace(expiry="20240230"), "no day of expiry"),
        (AAPL._replace(right=""), "neither a call nor a put"),
        (AAPL._replace(trading_class="TOOLONG"), "no root"),
    ],
)
def test_what_alpaca_cannot_have_is_refused_in_words(spec: ContractSpec, why: str) -> None:
    with pytest.raises(SymbolUnmapped, match=why):
        alpaca_symbol(spec)


def test_a_local_symbol_that_contradicts_the_fields_is_refused() -> None:
    with pytest.raises(SymbolUnmapped, match="but calls it"):
        alpaca_symbol(AAPL, "AAPL  240119P00100000")
