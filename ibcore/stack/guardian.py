"""The process that cleans up when `ibkeeper up` cannot: killed with -9, out of memory, a bug.

It sits in a session of its own and reads commands from a pipe whose other end only `up` holds.
End of file there means that `up` is gone, however it went; then everything goes, in order:

    1. SIGTERM to every process group it was told about, and to every process that carries the
       stack's mark in its environment (grandchildren in sessions of their own included)
    2. up to `GRACE_S` for the sidecar to write what it holds, then SIGKILL
    3. PostgreSQL, last, by its own "fast shutdown" signal: the sidecar needed it until now

Standard library only, started with `python -I -S`: 8 MB and 20 ms.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Final

MARK: Final = "SUPERVISED_BY_IBKEEPER"
GRACE_S: Final = 6.0
_POSTGRES_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.05


class Guardian:
    """The other end of the pipe: started first, told of every group, released last."""

    def __init__(self, token: str, log: Path) -> None:
        self.token = token
        self._process = _spawn(token, log)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Say whether it is still there."""
        return self._process.poll() is None

    def mark(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return `environ` with the mark by which stray grandchildren are found."""
        return {**environ, MARK: self.token}

    def watch(self, pgid: int) -> None:
        """Add a process group to what must not outlive `up`."""
        self._tell(f"group {pgid}")

    def forget(self, pgid: int) -> None:
        """Remove a group that has ended: its number may be used again by a stranger."""
        self._tell(f"drop {pgid}")

    def watch_postmaster(self, pid_file: Path) -> None:
        """Name the file in which an embedded PostgreSQL keeps its process id."""
        self._tell(f"postmaster {pid_file}")

    def release(self) -> None:
        """Let it sweep up what is left, if anything, and wait until it has gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(line.encode() + b"\n")
            pipe.flush()
        except BrokenPipeError:
            return  # It died; whoever supervises `up` sees that in `alive`.


def _spawn(token: str, log: Path) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if name != MARK}
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, token],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environ,
            start_new_session=True,
        )


def main(token: str, commands: IO[bytes]) -> None:
    """Follow the commands until the pipe ends, then leave nothing behind."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: set[int] = set()
    postmasters: list[Path] = []
    for line in commands:
        command, _, argument = line.decode().strip().partition(" ")
        if command == "group":
            groups.add(int(argument))
        elif command == "drop":
            groups.discard(int(argument))
        elif command == "postmaster":
            postmasters.append(Path(argument))
    _sweep(groups, token)
    for pid_file in postmasters:
        _stop_postmaster(pid_file)


def _sweep(groups: Iterable[int], token: str) -> None:
    groups = list(groups)
    _signal_all(groups, token, signal.SIGTERM)
    if _wait_until_gone(groups, token, GRACE_S):
        return
    _signal_all(groups, token, signal.SIGKILL)
    _wait_until_gone(groups, token, GRACE_S)


def _signal_all(groups: list[int], token: str, number: signal.Signals) -> None:
    for pid in _members(groups) | _marked(token):
        _signal(pid, number)


def _wait_until_gone(groups: list[int], token: str, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while _members(groups) or _marked(token):
        if time.monotonic() > deadline:
            return False
        _pause()
    return True


def _members(groups: list[int]) -> set[int]:
    """Return the living processes of the groups; zombies do not count."""
    if sys.platform != "linux":
        return {-pgid for pgid in groups if _exists(-pgid)}
    wanted = set(groups)
    return {pid for pid, state, pgid in _processes() if pgid in wanted and state != "Z"}


def _marked(token: str) -> set[int]:
    """Return the living processes that were started with our mark."""
    needle = f"{MARK}={token}".encode()
    found = set()
    for pid, state, _pgid in _processes():
        if state != "Z" and needle in _read(Path(f"/proc/{pid}/environ")):
            found.add(pid)
    return found


def _processes() -> list[tuple[int, str, int]]:
    """Return (pid, state, process group) of every process that /proc shows."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(folder.name))
        if len(fields) > 2:
            found.append((int(folder.name), fields[0].decode(), int(fields[2])))
    return found


def _stat(pid: int) -> list[bytes]:
    # The name in parentheses may hold spaces and parentheses itself: cut at the last one.
    return _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()


def _stop_postmaster(pid_file: Path) -> None:
    lines = _read(pid_file).decode().splitlines()
    if not lines or not lines[0].isdigit() or not _is_postgres(int(lines[0])):
        return
    pid = int(lines[0])
    # SIGINT is PostgreSQL's fast shutdown, SIGQUIT the immediate one (recovers at next start).
    for number in (signal.SIGINT, signal.SIGQUIT):
        _signal(pid, number)
        deadline = time.monotonic() + _POSTGRES_S
        while _exists(pid) and time.monotonic() < deadline:
            _pause()
    if len(lines) > 4:
        _remove_socket_folder(Path(lines[4]))


def _remove_socket_folder(folder: Path) -> None:
    """Remove the folder that held the socket, if it was for nothing else."""
    try:
        folder.rmdir()
    except OSError:
        return


def _is_postgres(pid: int) -> bool:
    """Guard against a stale file whose number now belongs to a stranger."""
    return sys.platform != "linux" or b"postgres" in _read(Path(f"/proc/{pid}/cmdline"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # The process ended between listing and reading, or is not ours.
        return b""


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _exists(pid: int) -> bool:
    """Say whether the process (or group, if negative) is there and no zombie."""
    if sys.platform == "linux" and pid > 0:
        return _stat(pid)[:1] not in ([], [b"Z"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _pause() -> None:
    select.select([], [], [], _LOOK_EVERY_S)


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.buffer)
