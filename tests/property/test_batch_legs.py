"""The syntax of legs: what is written is read again, and what is none never becomes one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ibcore.batch.legs import FEWEST, LARGEST_RATIO, MOST, LegLine, parse_legs, written
from ibcore.batch.line import OrderLine

words = st.from_regex(r"[A-Z][A-Z0-9.]{0,9}", fullmatch=True).filter(lambda word: word != "FOP")
symbols = words | st.sampled_from(["BRK B", "BRK C", "BF A", "700", "ES"])
days = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(lambda day: day.strftime("%Y%m%d"))
strikes = st.decimals("0.000001", 999_999, places=6) | st.integers(1, 99_999).map(Decimal)
ratios = st.integers(-LARGEST_RATIO, LARGEST_RATIO).filter(bool)
stocks = st.tuples(ratios, symbols)
futures = st.tuples(ratios, symbols, st.just("FUT"), days | days.map(lambda day: day[:6]))
kinds, rights = st.sampled_from(["OPT", "FOP"]), st.sampled_from(["C", "P"])
options = st.tuples(ratios, symbols, kinds, days, rights, strikes)
legs = st.lists(
    (stocks | futures | options).map(lambda words: LegLine(*words)),
    min_size=FEWEST, max_size=MOST, unique_by=lambda leg: leg._replace(ratio=1),
).map(tuple)  # fmt: skip


@given(legs)
def test_what_is_written_is_read_again(made: tuple[LegLine, ...]) -> None:
    assert parse_legs(written(made)) == made


@given(legs, st.randoms())
def test_spaces_and_case_change_nothing(made: tuple[LegLine, ...], dice: object) -> None:
    text = written(made).lower().replace(" ", "   ").replace(";", " ;  ")
    assert parse_legs(f"  {text} ") == made


@given(legs)
def test_a_line_keeps_its_legs_and_trades_each_of_them(made: tuple[LegLine, ...]) -> None:
    line = OrderLine(
        symbol="GOOG", side="BUY", quantity=1, limit_price=-1, sec_type="BAG", legs=written(made)
    )
    assert line.combination == made
    assert OrderLine.model_validate_json(line.model_dump_json()) == line
    assert [(spec.symbol, spec.sec_type, spec.expiry, spec.right) for spec in line.contracts] == [
        (leg.symbol, leg.sec_type, leg.expiry, leg.right) for leg in made
    ]


@given(st.text(alphabet="+-0123456789 GOCPF;.\0\nx", max_size=60))
def test_any_text_is_legs_or_refused_with_what_is_expected(text: str) -> None:
    read, said = tried(text)
    assert "expected" in said if read is None else parse_legs(written(read)) == read


def tried(text: str) -> tuple[tuple[LegLine, ...] | None, str]:
    try:
        return parse_legs(text), ""
    except ValueError as refused:
        return None, str(refused)
