"""What docs/simulator.md shows runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ibcore.cli.sim import app
from ibcore.sim.catalogue import DEFAULT_SYMBOLS
from ibcore.sim.config import SimConfig

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
SCRIPTS = [text for language, text in BLOCKS if language == "python"]


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_an_example_runs(script: str, tmp_path: Path) -> None:
    path = tmp_path / "test_example.py"
    path.write_text(script)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    pytest_args = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command = [sys.executable, *(pytest_args if "def test_" in script else []), str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_examples_for_pytest_for_a_thread_and_for_a_loop() -> None:
    assert len(SCRIPTS) == 3
    assert [("def test_" in script) for script in SCRIPTS].count(True) == 1


def test_every_setting_is_described_and_no_other() -> None:
    table = PAGE.partition("### Settings")[2].partition("## What")[0]
    names = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in row.split(", ")
    }
    assert names == {f"`{setting.name}`" for setting in fields(SimConfig)}


def test_every_name_there_is_is_named() -> None:
    told = PAGE.partition("Without a tape there are ")[2].partition("\n\n")[0]
    assert [name for name in DEFAULT_SYMBOLS if name not in told] == []


@pytest.mark.parametrize("command", ["run", "ledger", "fault"])
def test_the_synopsis_names_every_option_there_is(command: str) -> None:
    synopsis = BLOCKS[0][1].replace("\n    ", " ")
    [line] = [line for line in synopsis.splitlines() if line.startswith(f"ibkeeper sim {command}")]
    shown = set(re.findall(r"--[a-z-]+", line))
    said = CliRunner().invoke(app, [command, "--help"], terminal_width=200).output
    offered = set(re.findall(r"--[a-z-]+", re.sub(r"\x1b\[[0-9;]*m", "", said)))
    assert shown - offered == set()
    assert offered - shown - {"--help", "--host", "--control-port", "--no-loop"} == set()
