"""Real processes for the benchmarks: the simulator and the sidecar, and how to wait for them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ibcore.clock import monotonic

PROJECT = Path(__file__).resolve().parents[1]
STOP_S = 10.0


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(argv: Sequence[str], log: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python argv…` with IBKEEPER_ settings of `environ` only; stop it at the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IBKEEPER_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *argv],
            env={**clean, **environ},
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process: asked first, killed when it does not listen."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], object], what: str, *, within_s: float) -> None:
    """Wait until `condition` holds, or say what never came."""
    pause = threading.Event()
    give_up_at = monotonic() + within_s
    while not condition():
        if monotonic() > give_up_at:
            raise TimeoutError(f"{what} did not happen within {within_s:g} s")
        pause.wait(0.05)
