"""`python -m benchmarks [--only NAME,…] [--seconds S]`: measure, print a table, write the file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks import (
    capture,
    chain,
    compression,
    drain,
    figures,
    first_quote,
    intent,
    peer,
    resubscribe,
    spool_drain,
    tick_rate,
)
from benchmarks.figures import Figure
from ibcore import log
from ibcore.config import LogSettings


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One run, and the names of the figures it gives."""

    names: Sequence[str]
    measure: Callable[[float], list[Figure]]


BENCHMARKS = (
    Benchmark(capture.NAMES, lambda _: capture.measure()),
    Benchmark(tick_rate.NAMES, lambda seconds: tick_rate.measure(seconds=seconds)),
    Benchmark(tick_rate.QUIET_NAMES, lambda seconds: tick_rate.measure_quiet(seconds=seconds)),
    Benchmark(drain.NAMES, lambda _: drain.measure()),
    Benchmark(peer.NAMES, lambda _: peer.measure()),
    Benchmark(compression.NAMES, lambda _: compression.measure()),
    Benchmark(spool_drain.NAMES, lambda _: spool_drain.measure()),
    Benchmark(intent.NAMES, lambda _: intent.measure()),
    Benchmark(chain.NAMES, lambda _: chain.measure()),
    Benchmark(resubscribe.NAMES, lambda _: resubscribe.measure()),
    Benchmark(first_quote.NAMES, lambda _: first_quote.measure()),
)


def main() -> int:
    """Run what was asked for; 0 when every target is met."""
    options = _options()
    log.configure(LogSettings(level="warning"))
    wanted = [name for name in options.only.split(",") if name]
    known = [name for benchmark in BENCHMARKS for name in benchmark.names]
    if unknown := sorted(set(wanted) - set(known)):
        print(f"No such figure: {', '.join(unknown)}. There are: {', '.join(known)}.")
        return 2
    console = Console()
    measured: list[Figure] = []
    for benchmark in BENCHMARKS:
        if not wanted or set(wanted) & set(benchmark.names):
            console.print(f"measuring {', '.join(benchmark.names)} …")
            measured += benchmark.measure(options.seconds)
    figures.show(measured, console)
    figures.save(measured, options.out)
    return 1 if any(figure.met is False for figure in measured) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="names of figures, comma between")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the tick-rate run")
    parser.add_argument("--out", type=Path, default=figures.RESULTS, help="file to write")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
