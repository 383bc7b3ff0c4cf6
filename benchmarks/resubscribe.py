"""A gateway comes back: how long until all 100 lines are subscribed again and have ticked?

Real processes. The simulated gateway, at IB's own pace, cuts every connection and refuses new ones
for five seconds; the clock runs from the moment it listens again to the first row of the line that
is last, by the time at which its tick was received.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg

from benchmarks.figures import Figure
from benchmarks.rig import LINES, Rig, ask
from benchmarks.tick_rate import last
from ibcore.clock import unix_ns

NAMES = ("resubscribe_100_lines_s",)
AWAY_S = 5.0
TICKED = """
SELECT (extract(epoch FROM first) * 1e9)::bigint FROM (
    SELECT min(recv_ts) AS first FROM ibkeeper.quote
     WHERE recv_ts > to_timestamp(%(back_ns)s / 1e9) GROUP BY instrument_id) AS lines
 ORDER BY 1"""


def measure() -> list[Figure]:
    """Go through one absence and return the figure."""
    with (
        tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder,
        Rig(Path(folder), rate=0, seconds=0, cadence=1.0) as rig,
    ):
        rig.start_sidecar()
        next(iter(ask(rig.control, {"do": "fault", "name": "refuse", "for": 600, "values": {}})))
        last(AWAY_S)
        next(iter(ask(rig.control, {"do": "fault", "name": "accept", "values": {}})))
        back_ns = unix_ns()
        rig.wait_for(lambda: len(_ticked(rig.url, back_ns)) == LINES, "every line", within_s=60)
        seconds = (_ticked(rig.url, back_ns)[-1] - back_ns) / 1e9
        rig.end_sidecar()
    against = f"{LINES} lines, from the gateway's return to the first row of the last of them"
    return [Figure(NAMES[0], seconds, "s", "lower", 5.0, against)]


def _ticked(url: str, back_ns: int) -> list[int]:
    with psycopg.connect(url, autocommit=True) as conn:
        return [int(first) for (first,) in conn.execute(TICKED, {"back_ns": back_ns})]
