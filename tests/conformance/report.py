"""The table of decoded messages that the test report ends with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from tests.conformance.agreement import Agreement

_HEAD = f"{'id':>4}  {'message':<28} {'versions':<8} {'rows':>4} {'values':>6} {'explained':>9}"
PROPERTY: Final = "decoded"  # what a test records of itself, and xdist carries to the report
Row: TypeAlias = tuple[int, str, str, int, int]


def row(name: str, msg_id: int, versions: Sequence[int], found: Agreement) -> Row:
    """Return the record of one message that both clients decoded to the same values."""
    spoken = f"{min(versions)}-{max(versions)}"
    return (msg_id, name.split(" ")[0], spoken, found.compared, len(found.differences))


def table(rows: Iterable[Row]) -> list[str]:
    """Return the table: message by message, its variants added up."""
    by_message: dict[tuple[int, str], list[tuple[str, int, int]]] = {}
    for msg_id, name, *rest in rows:
        by_message.setdefault((msg_id, name), []).append((rest[0], rest[1], rest[2]))
    lines = [_line(key, by_message[key]) for key in sorted(by_message)]
    return [_HEAD, *lines] if lines else []


def _line(key: tuple[int, str], rows: list[tuple[str, int, int]]) -> str:
    values = sum(row[1] for row in rows)
    explained = sum(row[2] for row in rows)
    return (
        f"{key[0]:>4}  {key[1]:<28} {rows[0][0]:<8} {len(rows):>4} {values:>6} {explained or '':>9}"
    )
