"""Tick messages on 100 lines, 10,000 or 1,000 a second: is every one there, how late, at what cost?

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
QUIET_RATE = 1_000
QUIET_NAMES = ("commit_p50_ms_1k", "commit_p99_ms_1k")


def measure(*, seconds: float) -> list[Figure]:
    """Run the load for `seconds` and return the figures."""
    verdict, window, cpu = _run(RATE, seconds)
    late, against = _judged(verdict, window)
    return [
        Figure(NAMES[0], quantile(late, 0.50), "ms", "lower", 50.0, against),
        Figure(NAMES[1], quantile(late, 0.99), "ms", "lower", 60.0, against),
        Figure(NAMES[2], late[-1], "ms", "lower", None, against),
        Figure(NAMES[3], cpu, "cores", "lower", 0.6, against),
    ]


def measure_quiet(*, seconds: float) -> list[Figure]:
    """Run a tenth of the load for `seconds` and return the figures."""
    verdict, window, _ = _run(QUIET_RATE, seconds)
    late, against = _judged(verdict, window)
    return [
        Figure(QUIET_NAMES[0], quantile(late, 0.50), "ms", "lower", None, against),
        Figure(QUIET_NAMES[1], quantile(late, 0.99), "ms", "lower", None, against),
    ]


def _run(rate: int, seconds: float) -> tuple[Verdict, tuple[int, int], float]:
    with (
        tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder,
        Rig(Path(folder), rate=rate, seconds=seconds) as rig,
    ):
        rig.start_sidecar()
        window, cpu = _hold(rig, seconds)
        verdict = rig.judge(rig.end_sidecar())
    return verdict, window, cpu


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


def _judged(verdict: Verdict, window: tuple[int, int]) -> tuple[list[float], str]:
    late = within(verdict, *window)
    rate = len(late) / ((window[1] - window[0]) / 1e9)
    print(f"{len(late)} rows, {rate:.0f}/s, {verdict._replace(latencies_ms=[])}")
    if not verdict.clean:
        raise AssertionError(f"rows are missing, wrong or doubled: {verdict[:4]}")
    return late, f"{rate:.0f} changes/s on {LINES} lines, 0 missing, 0 doubled"


def within(verdict: Verdict, start_ns: int, end_ns: int) -> list[float]:
    """Return the latencies of what was sent within a window, sorted, in ms."""
    return sorted(ms for at_ns, ms in verdict.latencies_ms if start_ns <= at_ns < end_ns)


def quantile(ordered: list[float], share: float) -> float:
    """Return a quantile of sorted numbers."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
