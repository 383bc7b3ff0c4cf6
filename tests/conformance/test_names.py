"""Every value that is sent arrives under its own name, and no value of the examples is trivial."""

from __future__ import annotations

import pytest

from ibcore.sim.messages import MESSAGES
from tests.conformance.agreement import plain
from tests.conformance.examples import ROWS
from tests.conformance.examples_orders import FLAGS
from tests.conformance.naming import NOT_NAMED, fields, strangers
from tests.conformance.rows import Example
from tests.conformance.test_decoders import VERSIONS

TABLED = [example for example in ROWS if example.values]
FULL = [example for example in TABLED if example.name in {"open_order", "completed_order"}]
ALONE = [
    (example, place.name)
    for example in FULL
    for place in fields(example.name, 178)
    if place.name in FLAGS and place.name not in NOT_NAMED
]


@pytest.mark.parametrize("example", TABLED, ids=lambda example: example.name)
def test_each_value_arrives_under_its_own_name(example: Example) -> None:
    for version in VERSIONS:
        assert strangers(example, version) == {}, version


@pytest.mark.parametrize(("example", "flag"), ALONE, ids=lambda it: getattr(it, "name", it))
def test_a_flag_that_is_set_alone_arrives_alone(example: Example, flag: str) -> None:
    places = {place.name for place in fields(example.name, 178)}
    cleared = {name: "0" for name in FLAGS if name in places}
    alone = Example(example.name, {**example.values, **cleared, flag: "1"})
    assert strangers(alone, 178).keys() & FLAGS == set()


@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_has_a_value_that_tells(name: str) -> None:
    rows = [example for example in TABLED if example.name.split(" ")[0] == name]
    silent = {
        place.name
        for place in MESSAGES[name].fields
        if place.constant is None
        and not any(row.values.get(place.name) not in (None, "", 0, "0", []) for row in rows)
    }
    assert silent == ({"req_id", "samples"} if name == "symbol_samples" else set())  # built by hand


@pytest.mark.parametrize("example", TABLED, ids=lambda example: example.name)
def test_no_two_numbers_of_an_example_are_equal(example: Example) -> None:
    """But for flags and kinds, whose order the tests above hold."""
    names = [place.name for place in fields(example.name, 178) if place.name not in FLAGS]
    values = [plain(example.values.get(name, "")) for name in names]
    numbers = [value for value in values if isinstance(value, float) and value > 7]
    if "(plain)" not in example.name:
        assert sorted(numbers) == sorted(set(numbers))


def test_two_fields_that_changed_places_are_noticed() -> None:
    [bar] = [example for example in ROWS if example.name == "historical_update"]
    swapped = {**bar.values, "high": bar.values["low"], "low": bar.values["high"]}
    wrong = Example(bar.name, bar.values, build=lambda v: Example(bar.name, swapped).frame(v))
    assert strangers(wrong, 178).keys() == {"high", "low"}
