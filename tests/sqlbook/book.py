"""docs/sql.md as data: its recipes, what each claims of its plan, and the output it shows.

`python -m tests.sqlbook.book` (`make sql-book`) runs them all and writes the outputs anew.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from ibcore import db
from ibcore.embedded import Server

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "sql.md"
SHOWN_ROWS: Final = 8
_RECIPE: Final = re.compile(
    r"^### (?P<number>\d+)\. (?P<title>[^\n]+)\n```sql\n(?P<sql>.*?)```\n"
    r"(?:```text\n(?P<output>.*?)```\n)?Plan: (?P<plan>[^\n]+)\.\n",
    re.MULTILINE | re.DOTALL,
)
_NUMBERS: Final = frozenset({20, 21, 23, 700, 701, 1700})  # types that read better on the right


@dataclass(frozen=True, slots=True)
class Recipe:
    """One query of the page."""

    number: int
    title: str
    sql: str
    output: str
    plan: str

    @property
    def header(self) -> list[str]:
        """Return the names of the columns that the page shows."""
        return [name.strip() for name in self.output.split("\n", 1)[0].split("|")]

    @property
    def indexes(self) -> set[str]:
        """Return the indexes that the plan must use."""
        return set(re.findall(r"`(\w+)`", self.plan))

    @property
    def days(self) -> int:
        """Return how many day partitions of each market table may be opened."""
        found = re.search(r"days: (\d+)", self.plan)
        return int(found[1]) if found else 0


def recipes() -> list[Recipe]:
    """Return the recipes of the page, in its order."""
    found = _RECIPE.finditer(PAGE.read_text("utf-8"))
    return [
        Recipe(int(m["number"]), m["title"], m["sql"], m["output"] or "", m["plan"]) for m in found
    ]


def run(conn: psycopg.Connection[Any], recipe: Recipe) -> tuple[list[str], list[Sequence[Any]]]:
    """Return the column names and the rows of a recipe."""
    cursor = conn.execute(recipe.sql.encode())
    return [column.name for column in cursor.description or ()], cursor.fetchall()


def shown(conn: psycopg.Connection[Any], recipe: Recipe) -> str:
    """Return the first rows of a recipe as aligned text."""
    cursor = conn.execute(recipe.sql.encode())
    columns = cursor.description or []
    rows = cursor.fetchall()
    names = [column.name for column in columns]
    table = [names, *([_text(value) for value in row] for row in rows[:SHOWN_ROWS])]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    right = [column.type_code in _NUMBERS for column in columns]
    lines = [_line(row, widths, right) for row in table]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    more = len(rows) - SHOWN_ROWS
    if more > 0:
        lines.append(f"… {more} more rows" if more > 1 else "… 1 more row")
    return "\n".join(lines) + "\n"


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = [
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(row, widths, right, strict=True)
    ]
    return " | ".join(cells).rstrip()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "strftime") and hasattr(value, "hour"):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def rewrite(conn: psycopg.Connection[Any]) -> None:
    """Write the output of every recipe into the page."""

    def filled(match: re.Match[str]) -> str:
        recipe = Recipe(int(match["number"]), match["title"], match["sql"], "", match["plan"])
        head = f"### {recipe.number}. {recipe.title}\n```sql\n{recipe.sql}```\n"
        return f"{head}```text\n{shown(conn, recipe)}```\nPlan: {recipe.plan}.\n"

    PAGE.write_text(_RECIPE.sub(filled, PAGE.read_text("utf-8")), "utf-8")


def main() -> None:
    """Run the recipes on a database of our own and write their outputs."""
    from tests.sqlbook import story

    with (
        tempfile.TemporaryDirectory(prefix="ibkeeper-book-") as folder,
        Server(Path(folder) / "home", settings={"fsync": "off"}) as server,
    ):
        db.migrate(server.url())
        story.tell(server.url())
        with psycopg.connect(server.url(), autocommit=True) as conn:
            rewrite(conn)


if __name__ == "__main__":
    main()
