"""`ibkeeper up` as a real process in a home of its own, on ports of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg

from ibcore.clock import monotonic
from tests import windows
from tests.acceptance.system import _Pause
from tests.canary import silent
from tests.ports import free_port


class Up:
    """One `ibkeeper up` and everything that can be seen of it from outside."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.output = home.with_name(f"{home.name}.out")
        self.ports = {
            "IBKEEPER_GATEWAY__PORT": str(free_port()),
            "IBKEEPER_SIM__CONTROL_PORT": str(free_port()),
            "IBKEEPER_PREFECT__PORT": str(free_port()),
            "IBKEEPER_HTTP__PORT": str(free_port()),
        }
        self.settings: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    def start(self, *options: str) -> None:
        """Start it in a process group of its own, as a shell with job control does."""
        self.started_at = monotonic()
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ibcore.cli", "up", *options],
                env=self.environ,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment in which commands find this system."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("IBKEEPER")
        }
        home = {"IBKEEPER_HOME": str(self.home)}
        return {**kept, **self.ports, **home, **windows.NONE, **self.settings}

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Return the process."""
        assert self._process is not None
        return self._process

    def said(self) -> str:
        """Return what it printed."""
        return self.output.read_text()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `ibkeeper` command beside it; no secret is in what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "ibcore.cli", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        silent(done.stdout + done.stderr)
        return done

    def status(self) -> dict[str, Any]:
        """Return what `ibkeeper status --json` says."""
        said: dict[str, Any] = json.loads(self.command("status", "--json").stdout)
        return said

    def value(self, statement: str) -> Any:
        """Return the one value of a statement; None while there is no database to ask."""
        try:
            url = json.loads((self.home / "run.json").read_text())["database_url"]
            with psycopg.connect(url, autocommit=True) as conn:
                row = conn.execute(statement.encode()).fetchone()
        except (OSError, ValueError, psycopg.Error):
            return None
        return row[0] if row else None

    def scheduled_runs(self) -> int:
        """Ask Prefect's server how many runs its scheduler has made."""
        wanted = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['IBKEEPER_PREFECT__PORT']}/api/flow_runs/count",
            data=json.dumps(wanted).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.read())

    def wait_for(self, condition: Callable[[], object], *, within_s: float, what: str) -> float:
        """Wait until the condition holds; return the seconds since the start."""
        pause, began = _Pause(), monotonic()
        while not condition():
            if monotonic() - began > within_s:
                raise AssertionError(f"after {within_s:g} s still not: {what}\n{self.story()}")
            pause.briefly()
        return monotonic() - self.started_at

    def child(self, module: str) -> psutil.Process:
        """Return the child that runs a module."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if module in child.cmdline())

    def interrupt(self) -> None:
        """Press Ctrl-C: SIGINT to the whole foreground process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self, within_s: float = 20.0) -> int:
        """Wait for its end; return the exit code."""
        self.wait_for(
            lambda: self.process.poll() is not None, within_s=within_s, what="the end of up"
        )
        return self.process.returncode

    def processes(self) -> list[str]:
        """Return every living process that has this home in its command line or environment."""
        return [
            f"{process.pid} {' '.join(process.info['cmdline'] or [])}"
            for process in psutil.process_iter(["cmdline", "environ", "status", "cwd"])
            if process.info["status"] != psutil.STATUS_ZOMBIE and self._is_ours(process.info)
        ]

    def clean_up(self) -> None:
        """End whatever a failed test left; harmless otherwise."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.wait_for(lambda: not self.processes(), within_s=30.0, what="nothing left")

    def story(self) -> str:
        """Return what it said and the ends of its logs."""
        parts = [self.said()]
        for log in sorted((self.home / "logs").glob("*.log")):
            parts += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-8:]]
        return "\n".join(parts)

    def _is_ours(self, info: dict[str, Any]) -> bool:
        places = [*(info["cmdline"] or []), *(info["environ"] or {}).values(), info["cwd"] or ""]
        return any(str(self.home) in place for place in places)
