"""The tick table says what IB's own table says."""

from __future__ import annotations

from pathlib import Path

import pytest
from ib_async import wrapper

from ibcore.domain import GreeksKind
from sidecar.ib_compat import harden
from sidecar.latest import STAT_GROUP
from sidecar.lines import GENERIC_TICKS
from sidecar.tick_page import page
from sidecar.tick_words import WORDS
from sidecar.ticks import TICKS, Kind, field_of, meaning_of

PROJECT = Path(__file__).resolve().parents[2]
TWINS = {
    66: 1,
    67: 2,
    68: 4,
    69: 0,
    70: 3,
    71: 5,
    72: 6,
    73: 7,
    74: 8,
    75: 9,
    76: 14,
    80: 10,
    81: 11,
    82: 12,
    83: 13,
    88: 45,
    90: 49,
}


@pytest.mark.parametrize(("delayed", "live"), TWINS.items())
def test_a_delayed_type_means_what_its_live_twin_means(delayed: int, live: int) -> None:
    assert meaning_of(delayed) == meaning_of(live)._replace(delayed=True)


def test_no_live_type_is_marked_delayed() -> None:
    assert not any(TICKS[live].delayed for live in TWINS.values())


def test_every_statistic_of_quote_latest_has_a_tick_type() -> None:
    names = {meaning.field for meaning in TICKS.values()}
    assert set(STAT_GROUP) <= names


def test_every_kind_of_greeks_has_a_tick_type_but_those_that_are_not_ibs() -> None:
    kinds = {meaning.field for meaning in TICKS.values() if meaning.kind is Kind.greeks}
    others = {GreeksKind.vendor, GreeksKind.computed}
    assert kinds == {kind.value for kind in GreeksKind if kind not in others}


def test_the_types_that_ib_async_refuses_have_a_meaning() -> None:
    refused = {22, 57, 60, 78, 79, 90, 25, 26, 85, 88, *range(92, 103)}
    assert refused <= set(TICKS)


def test_an_unlisted_type_is_kept_under_its_number() -> None:
    assert meaning_of(777).field == "tick_777"
    assert meaning_of(777, text=True).kind is Kind.text_stat


@pytest.mark.parametrize(
    ("tick_type", "right", "field"),
    [
        (27, "C", "open_interest"),
        (28, "P", "open_interest"),
        (27, "P", "call_open_interest"),
        (28, "C", "put_open_interest"),
        (27, "", "call_open_interest"),
        (86, "", "open_interest"),
    ],
)
def test_open_interest_belongs_to_the_option_by_its_right(
    tick_type: int, right: str, field: str
) -> None:
    assert field_of(tick_type, meaning_of(tick_type), right) == field


def test_every_type_has_its_words_and_every_word_its_type() -> None:
    assert set(WORDS) == {number for number, meaning in TICKS.items() if not meaning.delayed}


def test_the_page_of_the_ticks_is_what_the_table_says() -> None:
    written = (PROJECT / "docs" / "ticks.md").read_text("utf-8")
    assert written == page(), "run: python -m sidecar.tick_page > docs/ticks.md"


def test_every_type_that_the_vendor_maps_is_in_the_table() -> None:
    harden()
    maps = (
        wrapper.PRICE_TICK_MAP,
        wrapper.SIZE_TICK_MAP,
        wrapper.GENERIC_TICK_MAP,
        wrapper.GREEKS_TICK_MAP,
    )
    for known in maps:
        for number, name in known.items():
            assert number in TICKS
            if not TICKS[number].delayed:
                assert WORDS[number].name == name


def test_every_generic_tick_that_is_asked_for_has_a_type() -> None:
    asked = {int(tick) for ticks in GENERIC_TICKS.values() for tick in ticks.split(",")}
    assert asked <= {words.generic for words in WORDS.values()}
