"""After an outage: how fast does the spool drain, and how late are live rows meanwhile?

10,000 rows/s go on all the time. PostgreSQL is stopped for 30 s and started again. The drain
lasts from the first commit after the outage to the last of a batch that was sealed before it; its
speed is the rows of those batches a second over the rate at which rows come in. Live is what the
simulator sent during the drain. A run that misses or doubles a row has no figures: it fails.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import psycopg

from benchmarks.figures import Figure
from benchmarks.rig import Rig
from benchmarks.tick_rate import RATE, last, quantile, within

OUTAGE_S = 30.0
NAMES = ("spool_drain_x_realtime", "spool_drain_live_p99_ms")
LATE = """
SELECT (extract(epoch FROM min(committed_at)) * 1e9)::bigint,
       (extract(epoch FROM max(committed_at)) * 1e9)::bigint, sum(rows)
  FROM ibkeeper.ingest_batch WHERE committed_at > %(back)s::timestamptz AND sealed_at < %(back)s"""
BACK = "SELECT pg_postmaster_start_time()"
BEATS = "SELECT count(*) FROM ibkeeper.sidecar WHERE heartbeat_at > pg_postmaster_start_time()"
WAITING = "SELECT backlog_rows FROM ibkeeper.sidecar"


class Drain(NamedTuple):
    """When it was, and how many rows it had."""

    start_ns: int
    end_ns: int
    rows: int

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return (self.end_ns - self.start_ns) / 1e9


def measure() -> list[Figure]:
    """Go through one outage and return the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder,
        Rig(Path(folder), rate=RATE, seconds=300) as rig,
    ):
        rig.start_sidecar()
        last(2.0)
        rig.stop_database()
        last(OUTAGE_S)
        rig.start_database()
        rig.wait_for(lambda: rig.count(BEATS), "a heartbeat")
        rig.wait_for(lambda: rig.count(WAITING) < RATE, "the drain", within_s=120)
        last(2.0)
        drain = _drain(rig.url)
        verdict = rig.judge(rig.end_sidecar())
    live = within(verdict, drain.start_ns, drain.end_ns)
    print(f"{drain.rows} rows in {drain.seconds:.1f} s, {len(live)} live, {verdict[:4]}")
    if not verdict.clean:
        raise AssertionError(f"rows are missing, wrong or doubled: {verdict[:4]}")
    speed = drain.rows / drain.seconds / RATE
    against = f"{drain.rows} rows of {OUTAGE_S:g} s without a database, {RATE} rows/s going on"
    return [
        Figure(NAMES[0], speed, "x", "higher", 4.0, against),
        Figure(NAMES[1], quantile(live, 0.99), "ms", "lower", 500.0, against),
    ]


def _drain(url: str) -> Drain:
    with psycopg.connect(url, autocommit=True) as conn:
        back = conn.execute(BACK).fetchone()
        found = conn.execute(LATE, {"back": back and back[0]}).fetchone()
    assert found is not None
    return Drain(*map(int, found))
