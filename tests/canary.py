"""The canary: a word in every secret that a test gives, and the ears for it after every test.

Nothing that a test printed, logged or left in a file or a row may have it; a test that writes it
somewhere itself is marked `sings`. What a test reads of a process, it holds against `silent`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

from ibcore.config import TOML_FILE
from ibcore.models import METADATA, SCHEMA
from ibcore.sim.alpaca.rules import Rules

SONG: Final = "kanarienvogel"
PASSWORD: Final = f"{SONG}-4711"
# Also the secret that the simulated Alpaca knows, which tests give as a setting.
WORDS: Final = (SONG, Rules().secret_key)
# What must hold a secret, where it is its owner's alone: an address of a database, the settings.
MAY_HOLD: Final = {"run.json", TOML_FILE}
# Their texts are words of a CHECK constraint, and they may have millions of rows.
_CLOSED: Final = {"quote", "trade", "greeks"}
_OPEN: Final = [table.name for table in METADATA.sorted_tables if table.name not in _CLOSED]
_ROWS: Final = sql.SQL(" UNION ALL ").join(
    sql.SQL(
        "SELECT {} WHERE EXISTS (SELECT FROM {} AS t WHERE t::text LIKE ANY (%(words)s::text[]))"
    ).format(name, sql.Identifier(SCHEMA, name))
    for name in _OPEN
)


def sings(text: str) -> bool:
    """Say whether the canary is heard in a text."""
    return any(word in text for word in WORDS)


def silent(text: str) -> str:
    """Return a text that somebody may read; fail where the canary is heard in it."""
    heard = [line[:300] for line in text.splitlines() if sings(line)]
    assert not heard, f"the canary sings: {heard}"
    return text


def files_with_it(folder: Path) -> list[str]:
    """Return the files that have it, but for those that must and that only their owner reads."""
    return [str(file.relative_to(folder)) for file in _files(folder) if _is_heard(file)]


def _files(folder: Path) -> Iterator[Path]:
    # Not `rglob`, which fails over a folder that goes while it looks.
    found = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return (file for file in found if file.is_file() and not file.is_symlink())


def _is_heard(file: Path) -> bool:
    try:
        if not any(word.encode() in file.read_bytes() for word in WORDS):
            return False
        private = stat.S_IMODE(file.stat().st_mode) & 0o077 == 0
    except FileNotFoundError:  # of a server that is still tidying up
        return False
    return not (file.name in MAY_HOLD and private)


def tables_with_it(conn: psycopg.Connection[Any]) -> list[str]:
    """Return the tables of ibkeeper that have it in any column of any row."""
    asked = {"words": [f"%{word}%" for word in WORDS]}
    return [name for (name,) in conn.execute(_ROWS, asked)]


def judge(item: pytest.Item, report: pytest.TestReport) -> None:
    """Fail the test whose output or files have it; say so of one that failed anyway."""
    if item.get_closest_marker("sings") is not None:
        return
    heard = [f"{name}: {line}" for name, text in _told(report) for line in _lines(text)]
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.when == "teardown" and isinstance(folder, Path):
        heard += [f"{folder}/{file}" for file in files_with_it(folder)]
    if not heard:
        return
    said = "\n".join(["A secret is heard where it has no business:", *heard])
    report.sections.append(("canary", said))
    if report.passed:
        report.outcome = "failed"
        report.longrepr = said


def _told(report: pytest.TestReport) -> Iterable[tuple[str, str]]:
    return [*report.sections, ("traceback", report.longreprtext)]


def _lines(text: str) -> list[str]:
    return [line.strip()[:300] for line in text.splitlines() if sings(line)] if sings(text) else []
