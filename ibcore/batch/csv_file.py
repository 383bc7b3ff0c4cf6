"""A batch as a CSV file: read whole or not at all; every mistake is named by line and column.

The first line names the columns, in any order: those of `OrderLine`. An empty cell is the
column's default. Lines are counted as an editor counts them.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from ibcore.batch.line import OrderLine
from ibcore.errors import IbkeeperError

COLUMNS: Final = tuple(OrderLine.model_fields)
REQUIRED: Final = tuple(n for n, field in OrderLine.model_fields.items() if field.is_required())
MOST_BYTES: Final = 5_000_000
MOST_SHOWN: Final = 20


class BatchRefused(IbkeeperError):
    """A batch was not taken as it is; nothing was sent."""

    exit_code = 2


class Mistake(NamedTuple):
    """One thing that is wrong with a file; line 0 and column "" where it is all of it."""

    line: int
    column: str
    what: str

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line else []
        where += [f"column {self.column}"] if self.column else []
        return f"{', '.join(where)}: {self.what}" if where else self.what


def read(file: Path) -> list[OrderLine]:
    """Return the lines of `file`, or raise BatchRefused with every mistake in it."""
    lines: list[OrderLine] = []
    mistakes: list[Mistake] = []
    for number, cells in _rows(file):
        try:
            lines.append(OrderLine.model_validate(cells))
        except ValidationError as wrong:
            mistakes += [_mistake(number, error, cells) for error in wrong.errors()]
    if mistakes:
        _refuse(file, mistakes)
    if not lines:
        _refuse(file, [Mistake(0, "", "it holds no order")])
    return lines


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(_text(file).splitlines(keepends=True), strict=True)
    header = _header(file, next(reader, []))
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) > len(header):
                extra = f"{len(row)} cells, but only {len(header)} columns"
                _refuse(file, [Mistake(reader.line_num, header[-1], extra)])
            cells = zip(header, (cell.strip() for cell in row), strict=False)
            yield reader.line_num, {name: cell for name, cell in cells if cell}
    except csv.Error as broken:
        _refuse(file, [Mistake(reader.line_num, "", str(broken))])


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MOST_BYTES:
            _refuse(file, [Mistake(0, "", f"it is larger than {MOST_BYTES:,} bytes")])
        return file.read_text("utf-8-sig")
    except OSError as unreadable:
        _refuse(file, [Mistake(0, "", f"it cannot be read ({unreadable.strerror})")])
    except UnicodeDecodeError as broken:
        line = file.read_bytes()[: broken.start].count(b"\n") + 1
        _refuse(file, [Mistake(line, "", "it is not UTF-8 text")])
    raise AssertionError("it was refused")


def _header(file: Path, row: Sequence[str]) -> list[str]:
    names = [name.strip().lower() for name in row]
    mistakes = [Mistake(1, name or f"{place}", _unknown(name)) for place, name in
                enumerate(names, 1) if name not in COLUMNS]  # fmt: skip
    mistakes += [
        Mistake(1, name, "it is there twice")
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    mistakes += [Mistake(1, name, "it is missing") for name in REQUIRED if name not in names]
    if mistakes:
        _refuse(file, mistakes)
    return names


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COLUMNS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(COLUMNS)}"
    return f"no column is called {name!r}; {hint}"


def _mistake(line: int, error: object, cells: dict[str, str]) -> Mistake:
    assert isinstance(error, dict)
    column = str(error["loc"][0]) if error["loc"] else ""
    said = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "missing":
        said = "is missing"
    given = f"{cells[column]!r} " if column in cells else ""
    return Mistake(line, column, f"{given}{said[:1].lower()}{said[1:]}")


def _refuse(file: Path, mistakes: Sequence[Mistake]) -> None:
    shown = [str(mistake) for mistake in mistakes[:MOST_SHOWN]]
    if len(mistakes) > MOST_SHOWN:
        shown.append(f"and {len(mistakes) - MOST_SHOWN} more")
    raise BatchRefused(
        f"{file.name} is no batch of orders. " + "; ".join(shown) + ".",
        remedy="Nothing was sent. Correct the file and submit it again.",
    )
