"""Whether two clients understood the same: values compared one by one, each difference named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.decoders import Call

# The official client's newer names, and ib_async's.
_SAME_MEMBER = {
    "commissionandfees": "commission",
    "mincommissionandfees": "mincommission",
    "maxcommissionandfees": "maxcommission",
    "commissionandfeescurrency": "commissioncurrency",
    "marginccurrency": "margincurrency",
    "wap": "average",
}
_ABSENT = object()
_EMPTY: tuple[Any, ...] = (0.0, "", None, [], {})


@dataclass
class Agreement:
    """What came of one comparison."""

    compared: int = 0
    blank: int = 0  # of those: not set, which one client keeps as 0 and the other as unset
    differences: dict[str, tuple[Any, Any]] = field(default_factory=dict)  # ib_async, official
    one_sided: list[str] = field(default_factory=list)  # set, and one client has no such member


def compare(mine: Sequence[Call], theirs: Sequence[Call]) -> Agreement:
    """Compare what ib_async heard (`mine`) with what the official client heard."""
    result = Agreement()
    names = [call.method for call in mine]
    if names != [call.method for call in theirs]:
        result.differences["calls"] = (names, [call.method for call in theirs])
        return result
    for ours, others in zip(mine, theirs, strict=True):
        width = max(len(ours.values), len(others.values))
        for place in range(width):
            _value(result, f"{ours.method}.{place}", _at(ours, place), _at(others, place))
    return result


def _at(call: Call, place: int) -> Any:
    return call.values[place] if place < len(call.values) else _ABSENT


def _value(result: Agreement, path: str, mine: Any, theirs: Any) -> None:
    if mine is _ABSENT or theirs is _ABSENT:
        if (theirs if mine is _ABSENT else mine) not in _EMPTY:
            result.one_sided.append(path)
    elif isinstance(mine, dict) and isinstance(theirs, dict):
        _members(result, path, mine, theirs)
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for ours, others in zip(mine, theirs, strict=True):
            _value(result, path, ours, others)
    else:
        result.compared += 1
        if mine in _EMPTY and theirs in _EMPTY:
            result.blank += mine != theirs
        elif mine != theirs:
            result.differences[path] = (mine, theirs)


def _members(result: Agreement, path: str, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    renamed = {_SAME_MEMBER.get(name, name): value for name, value in theirs.items()}
    for name in sorted(mine.keys() | renamed.keys()):
        _value(result, f"{path}.{name}", mine.get(name, _ABSENT), renamed.get(name, _ABSENT))


def plain(value: object) -> object:
    """Return a number for whatever reads as one, anything else as it is."""
    try:
        return float(str(value))
    except ValueError:
        return value


def scalars(value: Any) -> Iterator[Any]:
    """Yield every single value of what a client heard, however deep it lies."""
    if isinstance(value, dict):
        for member in value.values():
            yield from scalars(member)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from scalars(item)
    else:
        yield value
