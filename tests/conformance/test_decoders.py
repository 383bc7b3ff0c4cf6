"""Every message the simulator can send means the same to ib_async and to the official client."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ibcore.sim import messages, wire
from tests.conformance import naming, report
from tests.conformance.agreement import Agreement, compare, plain, scalars
from tests.conformance.decoders import Call, Undecoded, by_ib_async, by_official
from tests.conformance.examples import EXPLAINED, HOT, HOT_ENCODERS, ONE_SIDED, ROWS
from tests.conformance.rows import Example

# Each adds or drops fields: 163/164 sizes, 166 the reject's JSON, 170..173 order fields,
# 176 issuers, 177 faProfile, 178 pendingPriceRevision.
VERSIONS = (157, 164, 166, 173, 177, 178)


def unexplained(found: Agreement) -> dict[str, object]:
    """Return the differences that no table entry accounts for."""
    return {
        path: pair
        for path, pair in found.differences.items()
        if path not in EXPLAINED or not EXPLAINED[path].holds(*pair)
    }


def unknown_sides(found: Agreement) -> set[str]:
    """Return what one client does not have, unless a table entry says so."""
    return {path for path in found.one_sided if not _known(path)}


def _known(path: str) -> bool:
    return any(path == known or path.endswith(f".{known}") for known in ONE_SIDED)


def not_heard(example: Example, calls: list[Call], version: int) -> set[str]:
    """Return the sent values that did not arrive."""
    heard = {plain(value) for call in calls for value in scalars(call.values)}
    missing = {plain(value) for value in sent(example, version)} - heard
    return {str(value) for value in missing} - example.unheard.keys()


def sent(example: Example, version: int) -> Iterator[object]:
    """Yield the values of an example; a list's first item is its count."""
    if example.build is not None:
        yield from wire.unframe(example.frame(version))[1:]
        return
    for place in naming.fields(example.name, version):
        value = example.values.get(place.name)
        if isinstance(value, list):
            yield from value[1:]
        elif value is not None:
            yield value


@pytest.mark.parametrize("example", [*ROWS, *HOT], ids=lambda example: example.name)
def test_both_clients_decode_the_same_values(
    example: Example, record_property: Callable[[str, object], None]
) -> None:
    worst = Agreement()
    for version in VERSIONS:
        frame = example.frame(version)
        mine, theirs = by_ib_async(frame, version), by_official(frame, version)
        assert mine, f"ib_async heard nothing of {example.name} at {version}"
        found = compare(mine, theirs)
        assert unexplained(found) == {}, version
        assert unknown_sides(found) == set(), version
        assert not_heard(example, mine, version) == set(), version
        assert not_heard(example, theirs, version) == set(), version
        worst = found if found.compared >= worst.compared else worst
    row = report.row(example.name, int(wire.unframe(frame)[0]), VERSIONS, worst)
    record_property(report.PROPERTY, row)


def test_every_message_of_the_table_has_an_example() -> None:
    named = {example.name.split(" ")[0] for example in ROWS}
    assert messages.MESSAGES.keys() - named == set()


def test_every_hot_tick_encoder_has_an_example() -> None:
    assert HOT_ENCODERS - {example.name.split(" ")[0] for example in HOT} == set()


def test_no_example_is_left_without_a_message() -> None:
    named = {example.name.split(" ")[0] for example in ROWS}
    assert named - messages.MESSAGES.keys() == set()


def test_a_shifted_field_is_noticed() -> None:
    fields = list(wire.unframe(ROWS[0].frame(178)))
    shifted = wire.frame(fields[0], *fields[2:], "")
    with pytest.raises((Undecoded, AssertionError)):
        assert not_heard(ROWS[0], by_ib_async(shifted, 178), 178) == set()
