"""Real processes under load; the database or the sidecar goes away; the simulator's ledger judges.

Nothing may be missing or doubled after an outage of the database, whatever its kind. A sidecar
that is killed may lose what it had not yet written: the last 100 ms.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.rig import Life, Rig
from benchmarks.tick_rate import last

pytestmark = [pytest.mark.alone, pytest.mark.timeout(240)]

WAITING = "SELECT backlog_rows FROM ibkeeper.sidecar"
BEATS = "SELECT heartbeat_at > clock_timestamp() - interval '2 s' FROM ibkeeper.sidecar"
Outage = Callable[[Rig, float], None]


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a folder whose path is short enough for the socket to stay where it is."""
    with tempfile.TemporaryDirectory(prefix="ibk-") as folder:
        yield Path(folder)


def stopped(rig: Rig, seconds: float) -> None:
    rig.stop_database()
    last(seconds)
    rig.start_database()


def frozen(rig: Rig, seconds: float) -> None:
    rig.freeze_database(frozen=True)
    last(seconds)
    rig.freeze_database(frozen=False)


def killed(rig: Rig, seconds: float) -> None:
    rig.kill_database()
    last(seconds)
    rig.start_database()


def through(rig: Rig, outage: Outage, seconds: float) -> None:
    """Go through an outage, and wait until all of it is committed."""
    before = rig.count("SELECT coalesce(sum(rows), 0) FROM ibkeeper.ingest_batch")
    outage(rig, seconds)
    rig.wait_for(lambda: rig.count(BEATS), "a heartbeat", within_s=60)
    rig.wait_for(lambda: rig.count(WAITING) < 5_000, "the drain", within_s=60 + seconds)
    after = rig.count("SELECT sum(rows) FROM ibkeeper.ingest_batch")
    assert after - before > seconds * rig.rate * 0.9


def test_thirty_seconds_without_a_database_lose_and_double_nothing(home: Path) -> None:
    with Rig(home, rate=10_000, seconds=120) as rig:
        rig.start_sidecar()
        for outage in (stopped, frozen, killed):
            through(rig, outage, 10.0)
        verdict = rig.judge(rig.end_sidecar())
    assert verdict.clean, verdict[:4]


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("outage", [stopped, frozen, killed])
def test_ten_minutes_without_a_database_lose_and_double_nothing(home: Path, outage: Outage) -> None:
    with Rig(home, rate=10_000, seconds=900) as rig:
        rig.start_sidecar()
        through(rig, outage, 600.0)
        verdict = rig.judge(rig.end_sidecar())
    assert verdict.clean, verdict[:4]


def lives_of(rig: Rig, dice: random.Random, kills: int) -> Iterator[Life]:
    for number in range(kills):
        rig.start_sidecar()
        last(dice.uniform(0.0, 1.0))
        if number % 2 == 0:
            # Then only the spool has what comes: it is what the next start must commit.
            rig.stop_database()
            last(dice.uniform(0.3, 1.0))
        yield rig.kill_sidecar()
        if number % 2 == 0:
            rig.start_database()
    rig.start_sidecar()
    rig.wait_for(lambda: rig.count(WAITING) < 5_000, "the replay")
    yield rig.end_sidecar()


@pytest.mark.parametrize(
    "kills", [5, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])]
)
def test_a_sidecar_that_is_killed_loses_at_most_the_last_moment(
    home: Path, dice: random.Random, kills: int
) -> None:
    with Rig(home, rate=10_000, seconds=10.0 * (kills + 1)) as rig:
        lives = list(lives_of(rig, dice, kills))
        verdict = rig.judge(*lives)
    assert verdict.clean, verdict[:4]
