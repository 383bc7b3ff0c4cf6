"""One supervised process: its own session, its own log, an end that leaves nobody behind.

    started ──► running ──► ended (by itself: whoever awaits `wait` decides what that means)
                   └─ stop: SIGTERM to the group, wait, SIGKILL to the group, reap

A child leads its own session, so a terminal's Ctrl-C (sent to the foreground group) reaches
`up` alone and the order of stopping stays ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import anyio
import psutil

from ibcore.clock import monotonic
from ibcore.errors import ChildDied
from ibcore.stack import leash
from ibcore.stack.guardian import Guardian

_LOOK_EVERY_S: Final = 0.05
_AFTER_KILL_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to start and how to treat it.

    `restart`: whenever it dies. `restart_when_ready`: once everything was ready; before that its
    death says that it cannot run at all.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stop_s: float = 6.0
    restart: bool = False
    restart_when_ready: bool = False


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """What the live view shows of a child."""

    name: str
    state: str
    pid: int | None
    uptime_s: float
    memory_mb: float
    restarts: int


class Child:
    """Owner of one process group."""

    def __init__(self, spec: ChildSpec, guardian: Guardian, force: anyio.Event) -> None:
        self.spec = spec
        self.restarts = -1
        self._guardian = guardian
        self._force = force
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        """Return the process id while it runs."""
        return self._process.pid if self._process and self.alive else None

    @property
    def alive(self) -> bool:
        """Say whether the leader of the group runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def uptime_s(self) -> float:
        """Return the seconds since the last start."""
        return monotonic() - self._started_at

    def start(self) -> None:
        """Start it; its output goes to its log, the previous log is kept as `.1`.

        Call this on the main thread: the kernel ties the child to the *thread* that forked it.
        """
        self.restarts += 1
        with self._open_log() as output:
            self._process = subprocess.Popen(
                self._leashed(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._guardian.mark({**self.spec.env, "PYTHONUNBUFFERED": "1"}),
                cwd=self.spec.cwd,
                start_new_session=True,
            )
        self._guardian.watch(self._process.pid)
        self._started_at = monotonic()

    async def wait(self) -> int:
        """Wait until the leader has ended; return its exit code (negative: the signal)."""
        process = self._running()
        # Polling: the event for this differs by platform and Python, and 50 ms is soon enough.
        while (code := process.poll()) is None:  # noqa: ASYNC110
            await anyio.sleep(_LOOK_EVERY_S)
        return code

    async def stop(self) -> None:
        """End the whole group: politely, then not."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        if not await self._gone_within(self.spec.stop_s, give_up=self._force):
            self._signal(signal.SIGKILL)
            await self._gone_within(_AFTER_KILL_S)
        self._process.wait()
        self._guardian.forget(self._process.pid)
        self._process = None

    def obituary(self, code: int) -> str:
        """Say in one line how it ended."""
        return f"{self.spec.name} {_how(code)}."

    def died(self, code: int) -> ChildDied:
        """Describe an end that nobody asked for."""
        last = "\n".join(f"    {line}" for line in self.tail()) or "    (it wrote nothing)"
        return ChildDied(
            f"{self.obituary(code)} The last lines of {self.spec.log}:\n{last}\n",
            remedy="Everything else was stopped in order; what was committed is safe.",
        )

    def tail(self, lines: int = 8) -> list[str]:
        """Return the last lines of the log."""
        with self.spec.log.open(encoding="utf-8", errors="replace") as log:
            return [line.rstrip() for line in deque(log, maxlen=lines)]

    def info(self) -> ChildInfo:
        """Return what the live view shows."""
        pid = self.pid
        state = "running" if pid else ("ended" if self.restarts >= 0 else "waiting")
        return ChildInfo(
            self.spec.name,
            state,
            pid,
            self.uptime_s if pid else 0.0,
            memory_mb(pid) if pid else 0.0,
            max(self.restarts, 0),
        )

    def _leashed(self) -> list[str]:
        return [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *self.spec.argv]

    def _open_log(self) -> IO[bytes]:
        log = self.spec.log
        if self.restarts == 0 and log.exists():
            log.replace(log.with_name(f"{log.name}.1"))
        return log.open("ab")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.spec.name} was never started")
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._running().pid, number)
        except ProcessLookupError:  # The last member ended by itself.
            return

    async def _gone_within(self, seconds: float, give_up: anyio.Event | None = None) -> bool:
        process = self._running()
        deadline = monotonic() + seconds
        while process.poll() is None or group_members(process.pid):
            if monotonic() > deadline or (give_up is not None and give_up.is_set()):
                return False
            await anyio.sleep(_LOOK_EVERY_S)
        return True


def group_members(pgid: int) -> list[int]:
    """Return the living processes of a group (zombies wait for their parent, not for us)."""
    return [
        process.pid
        for process in psutil.process_iter(["status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE and _group_of(process.pid) == pgid
    ]


def memory_mb(pid: int) -> float:
    """Return the memory of a process and of its children, shared pages counted once."""
    try:
        leader = psutil.Process(pid)
        family = [leader, *leader.children(recursive=True)]
        return sum(_share(process) for process in family) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def _share(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
    # The proportional share, where the system knows it: 256 MB of PostgreSQL's buffers are
    # mapped by every one of its processes.
    return int(getattr(memory, "pss", memory.rss))


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def _how(code: int) -> str:
    if code >= 0:
        return f"ended by itself with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"
