"""The table of decoded messages that the test report ends with."""

from __future__ import annotations

from collections.abc import Sequence

from tests.conformance.agreement import Agreement

_HEAD = f"{'id':>4}  {'message':<28} {'versions':<8} {'rows':>4} {'values':>6} {'explained':>9}"
_rows: dict[tuple[int, str], list[tuple[str, int, int]]] = {}


def note(name: str, msg_id: int, versions: Sequence[int], found: Agreement) -> None:
    """Note that both clients decoded a message to the same values."""
    spoken = f"{min(versions)}-{max(versions)}"
    row = (spoken, found.compared, len(found.differences))
    _rows.setdefault((msg_id, name.split(" ")[0]), []).append(row)


def table() -> list[str]:
    """Return the table: message by message, its variants added up."""
    return [_HEAD, *(_line(key, _rows[key]) for key in sorted(_rows))] if _rows else []


def _line(key: tuple[int, str], rows: list[tuple[str, int, int]]) -> str:
    values = sum(row[1] for row in rows)
    explained = sum(row[2] for row in rows)
    return (
        f"{key[0]:>4}  {key[1]:<28} {rows[0][0]:<8} {len(rows):>4} {values:>6} {explained or '':>9}"
    )
