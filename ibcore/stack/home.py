"""The state folder: mode 0700, one `up` at a time, and `run.json` for every other command.

`run.json` says what runs where while `up` runs; it is removed at the stop. It may outlive a
killed `up`, so whoever reads it checks the process id.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psutil

from ibcore.clock import utcnow
from ibcore.errors import ConfigRefused, InstanceConflict

_LOCK: Final = "up.lock"
_RUN: Final = "run.json"


@dataclass(frozen=True, slots=True)
class RunFile:
    """What `ibkeeper up` tells the other commands."""

    pid: int
    database_url: str
    gateway: dict[str, Any]
    control_port: int | None
    prefect_api: str | None
    started_at: str
    tape: str | None = None

    @property
    def alive(self) -> bool:
        """Say whether the `up` that wrote this still runs (and its number is not a stranger's)."""
        try:
            born = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return False
        # Boot time, from which `create_time` is computed, is known to a second or so.
        return born <= datetime.fromisoformat(self.started_at).timestamp() + 2.0

    @property
    def simulated(self) -> bool:
        """Say whether the gateway is our simulator."""
        return self.control_port is not None


def prepare(home: Path) -> Path:
    """Make the folder (0700) with its logs; return its absolute path."""
    home = home.expanduser().absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        (home / "logs").mkdir(exist_ok=True)
    except OSError as refused:
        raise ConfigRefused(
            f"The state folder {home} cannot be used: {refused.strerror}.",
            remedy="Nothing was started. Point IBKEEPER_HOME at a folder that you may write.",
        ) from refused
    return home


@contextmanager
def lock(home: Path) -> Iterator[None]:
    """Hold the folder for one `up`; the kernel frees it however the process ends."""
    with (home / _LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _conflict(home, file.read()) from None
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "since": f"{utcnow():%Y-%m-%d %H:%M:%S} UTC"}))
        file.flush()
        yield
        file.truncate(0)


def write_run(home: Path, run: RunFile) -> None:
    """Publish what runs; readers see the old file or the new one, never half of one."""
    fresh = home / f"{_RUN}.new"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(run), indent=1) + "\n")
    fresh.replace(home / _RUN)


def remove_run(home: Path) -> None:
    """Say that nothing runs any more."""
    (home / _RUN).unlink(missing_ok=True)


def read_run(home: Path) -> RunFile | None:
    """Return what the running `up` wrote, None if none runs."""
    try:
        run = RunFile(**json.loads((home / _RUN).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return run if run.alive else None


def _conflict(home: Path, held_by: str) -> InstanceConflict:
    try:
        holder = json.loads(held_by)
        who = f"process {holder['pid']}, since {holder['since']}"
    except (ValueError, KeyError):
        who = "another process that is just starting"
    return InstanceConflict(
        f"`ibkeeper up` already runs in {home} ({who}).",
        remedy="It was left alone. Stop it, or start this one with another IBKEEPER_HOME.",
    )
