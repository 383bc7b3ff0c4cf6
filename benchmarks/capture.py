"""How many tick messages are kept, and at what cost, against stock ib_async.

One blast of messages through a socket, each variant in a process of its own, in turn; the median
of the rounds. The reader is saturated, so messages per CPU second are messages a second on a core
of its own; CPU seconds do not move with what else runs on the machine.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import threading

from benchmarks import blast
from benchmarks.figures import Figure
from benchmarks.processes import PROJECT

NAMES = (
    "capture_share",
    "capture_vs_stock",
    "capture_messages_s",
    "capture_with_ticker_vs_stock",
    "capture_to_rows_vs_stock",
    "stock_share",
    "stock_messages_s",
)
MESSAGES = 300_000
ROUNDS = 3
VARIANTS = ("stock", "ticker", "ours", "feed")


def measure() -> list[Figure]:
    """Return the share kept and the ratios."""
    stream = blast.ticks(MESSAGES)
    runs: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
    for _ in range(ROUNDS):
        for variant in VARIANTS:
            runs[variant].append(_run(variant, stream))
    rate = {
        variant: MESSAGES / statistics.median(run["cpu_s"] for run in done)
        for variant, done in runs.items()
    }
    share = {variant: done[0]["kept"] / MESSAGES for variant, done in runs.items()}
    against = "ib_async 2.0.1, every row of Ticker.ticks copied in pendingTickersEvent"
    unit = "messages/CPU s"
    return [
        Figure(NAMES[0], min(share["ours"], share["feed"]), "share", "higher", 1.0, "sent"),
        Figure(NAMES[1], rate["ours"] / rate["stock"], "ratio", "higher", 1.5, against),
        Figure(NAMES[2], rate["ours"], unit, "higher", None, "every message kept, no Ticker"),
        Figure(NAMES[3], rate["ticker"] / rate["stock"], "ratio", "higher", None, against),
        Figure(NAMES[4], rate["feed"] / rate["stock"], "ratio", "higher", None, against),
        Figure(NAMES[5], share["stock"], "share", "higher", None, "sent"),
        Figure(NAMES[6], rate["stock"], unit, "higher", None, against),
    ]


def _run(variant: str, stream: bytes) -> dict[str, float]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = threading.Thread(target=blast.serve, args=(listener, stream), daemon=True)
        gateway.start()
        argv = [sys.executable, "-m", "benchmarks.reader", variant, str(listener.getsockname()[1])]
        done = subprocess.run(argv, check=True, capture_output=True, cwd=PROJECT, timeout=120)
        gateway.join(10.0)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
