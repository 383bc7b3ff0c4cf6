"""10,000 tick messages a second on 100 lines: is every one there, how late, at what cost?

Sent is what the simulator's ledger says, committed is `ingest_batch.committed_at` of the batch
that holds the row's seq. A run that misses or doubles a row has no figures: it fails.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import psutil

from benchmarks import processes
from benchmarks.figures import Figure
from benchmarks.judge import Verdict
from benchmarks.rig import LINES, Rig
from ibcore.clock import monotonic, unix_ns

RATE = 10_000
WARM_UP_S = 5.0
NAMES = ("commit_p50_ms_10k", "commit_p99_ms_10k", "commit_max_ms_10k", "sidecar_cpu_share_10k")


def measure(*, seconds: float) -> list[Figure]:
    """Run the load for `seconds` and return the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder,
        Rig(Path(folder), rate=RATE, seconds=seconds) as rig,
    ):
        rig.start_sidecar()
        window, cpu = _hold(rig, seconds)
        verdict = rig.judge(rig.end_sidecar())
    return _figures(verdict, window=window, cpu=cpu)


def _hold(rig: Rig, seconds: float) -> tuple[tuple[int, int], float]:
    assert rig.sidecar is not None
    process = psutil.Process(rig.sidecar.pid)
    last(WARM_UP_S)
    start_ns, before = unix_ns(), process.cpu_times()
    last(seconds)
    end_ns, after = unix_ns(), process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return (start_ns, end_ns), used / ((end_ns - start_ns) / 1e9)


def last(seconds: float) -> None:
    """Let the load run on for a while."""
    end = monotonic() + seconds
    processes.wait_for(lambda: monotonic() >= end, "the load", within_s=seconds + 60)


def _figures(verdict: Verdict, *, window: tuple[int, int], cpu: float) -> list[Figure]:
    late = within(verdict, *window)
    rate = len(late) / ((window[1] - window[0]) / 1e9)
    print(f"{len(late)} rows, {rate:.0f}/s, {verdict._replace(latencies_ms=[])}")
    if not verdict.clean:
        raise AssertionError(f"rows are missing, wrong or doubled: {verdict[:4]}")
    against = f"{rate:.0f} changes/s on {LINES} lines, 0 missing, 0 doubled"
    return [
        Figure(NAMES[0], quantile(late, 0.50), "ms", "lower", 50.0, against),
        Figure(NAMES[1], quantile(late, 0.99), "ms", "lower", 60.0, against),
        Figure(NAMES[2], late[-1], "ms", "lower", None, against),
        Figure(NAMES[3], cpu, "cores", "lower", 0.6, against),
    ]


def within(verdict: Verdict, start_ns: int, end_ns: int) -> list[float]:
    """Return the latencies of what was sent within a window, sorted, in ms."""
    return sorted(ms for at_ns, ms in verdict.latencies_ms if start_ns <= at_ns < end_ns)


def quantile(ordered: list[float], share: float) -> float:
    """Return a quantile of sorted numbers."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
