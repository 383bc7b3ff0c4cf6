"""`make test-at`: a command, and what it starts, runs as if it were another moment."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

CHILD = "import subprocess; subprocess.run(['date', '-u', '+%F %H'], check=True)"


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_grandchild_sees_the_moment_too() -> None:
    command = [sys.executable, "-m", "tests.at", "2031-12-31 23:10", sys.executable, "-c", CHILD]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "2031-12-31 23\n"
