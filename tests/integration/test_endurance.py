"""A day of the market in minutes: what the sidecar holds, and its files, stay as large as they are.

Ten lines at sixty times IB's cadence for 24 minutes (IBKEEPER_TEST_HOURS: of simulated time, 24).
The database is away for a while early and late in the day: what a spool once took it uses again.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from benchmarks.judge import HOLES
from benchmarks.rig import Rig
from benchmarks.tick_rate import last

SPEED = 60.0
HOURS = float(os.environ.get("IBKEEPER_TEST_HOURS", "24"))
LOOKS = 48
AWAY_S = 5.0
pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(300 + HOURS * 3_600 / SPEED * 1.5),
]
WAITING = "SELECT backlog_rows FROM ibkeeper.sidecar"
ROWS = "SELECT sum(rows) FROM ibkeeper.ingest_batch"


class Size(NamedTuple):
    """What is looked at; bytes, and how many."""

    memory: int
    spool: int
    log: int
    files: int
    threads: int


def size(rig: Rig) -> Size:
    assert rig.sidecar is not None
    process = psutil.Process(rig.sidecar.pid)
    spool = sum(file.stat().st_size for file in (rig.home / "spool").iterdir())
    log = (rig.home / "sidecar.log").stat().st_size
    return Size(process.memory_info().rss, spool, log, process.num_fds(), process.num_threads())


def lasted(rig: Rig) -> list[Size]:
    """Let the day pass; look at the sizes."""
    seen = []
    for look in range(LOOKS):
        if look in (LOOKS // 6, LOOKS * 5 // 6):
            rig.stop_database()
            last(AWAY_S)
            rig.start_database()
        last(HOURS * 3_600 / SPEED / LOOKS)
        seen.append(size(rig))
    return seen


def test_memory_and_files_stay_as_large_as_they_are() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="ibk-") as folder,
        Rig(Path(folder), rate=0, seconds=0, lines=10, cadence=1 / SPEED) as rig,
    ):
        rig.start_sidecar()
        seen = lasted(rig)
        rig.wait_for(lambda: rig.count(WAITING) < 5_000, "the drain")
        rows, holes = rig.count(ROWS), rig.count(HOLES)
        rig.end_sidecar()
    third = LOOKS // 3
    early, late = seen[third : 2 * third], seen[2 * third :]
    most = [Size(*map(max, zip(*part, strict=True))) for part in (early, late)]
    assert rows > HOURS * 3_600 * 10
    assert holes == 0
    assert most[1].memory <= most[0].memory * 1.05 + (4 << 20)
    assert most[1].spool <= most[0].spool * 1.1 + (1 << 20)
    assert most[1].log <= most[0].log + (64 << 10)
    assert most[1].files <= most[0].files + 2
    assert most[1].threads <= most[0].threads + 1
