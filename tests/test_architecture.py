"""The shape of the code, held by a machine: sizes, names, bans, imports.

import-linter holds the direction of imports (`make check`, and again here); ruff bans
nest_asyncio, unittest.mock and clocks outside `ibcore.clock`.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = ("ibcore", "sidecar", "flows")
MEANINGLESS = {"utils", "helpers", "common", "manager", "base", "misc"}
MAX_MODULE, MAX_FUNCTION, MAX_P90, MAX_MEDIAN = 300, 50, 30, 10


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def functions() -> list[tuple[int, str]]:
    found = []
    for path in modules(*PRODUCTION):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                found.append((lines, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"))
    return sorted(found)


def lines_with(pattern: str, *folders: str) -> list[str]:
    found = []
    for path in modules(*folders):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    return found


def test_no_module_is_longer_than_300_lines():
    long = [
        f"{path.relative_to(ROOT)}: {count}"
        for path in modules(*PRODUCTION, "migrations", "benchmarks")
        if (count := len(path.read_text().splitlines())) > MAX_MODULE
    ]
    assert not long


def test_functions_are_short():
    sized = functions()
    sizes = [lines for lines, _ in sized]
    assert [where for lines, where in sized if lines > MAX_FUNCTION] == []
    assert statistics.median(sizes) <= MAX_MEDIAN
    assert statistics.quantiles(sizes, n=10)[-1] <= MAX_P90


def test_no_module_has_a_name_that_says_nothing():
    assert [p for p in modules(*PRODUCTION, "tests", "benchmarks") if p.stem in MEANINGLESS] == []


def test_every_module_opens_with_what_it_promises():
    silent = [
        path.relative_to(ROOT)
        for path in modules(*PRODUCTION)
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_ib_codes_stand_in_notices_only():
    codes = r"\b(1100|1101|1102|2103|2104|2105|2106|2107|2108|2119|2158|10197|10167|10168|10089)\b"
    spoken = [
        line
        for line in lines_with(codes, *PRODUCTION)
        if not line.startswith(("ibcore/notices/", "ibcore/sim/"))
    ]
    assert spoken == []


def test_hot_sql_stands_in_queries_sql_only():
    statement = r"\"(?:SELECT|INSERT|UPDATE|DELETE|COPY|TRUNCATE)\s"
    allowed = ("ibcore/db.py",)
    spoken = [line for line in lines_with(statement, *PRODUCTION) if not line.startswith(allowed)]
    assert spoken == []


def test_no_sql_is_built_from_strings():
    built = (
        r"(?i)f\"{1,3}[^\"]*\b(?:select\s.+\sfrom|insert\s+into|update\s.+\sset|delete\s+from)\b"
    )
    assert lines_with(built, *PRODUCTION, "migrations", "tests", "benchmarks") == []


def test_nothing_is_mocked():
    mocked = [
        line
        for line in lines_with(r"unittest\.mock|MagicMock", "tests", *PRODUCTION)
        if not line.startswith("tests/test_architecture.py")
    ]
    assert mocked == []


def test_no_ignored_exceptions_and_no_notes_to_self():
    smells = lines_with(r"^\s*except\s*:|# *(TODO|FIXME|XXX)\b", *PRODUCTION, "migrations")
    assert smells == []


def test_nothing_committed_names_a_machine_path_or_a_registry():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    named = re.compile(
        r"/work/|/root/|files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs\.org"
    )
    found = []
    for name in listed:
        path = ROOT / name
        if name == "tests/test_architecture.py" or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if named.search(text):
            found.append(name)
    assert found == []


@pytest.mark.timeout(120)
def test_imports_point_in_one_direction():
    linted = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout
