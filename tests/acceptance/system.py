"""A simulated gateway and a sidecar as real processes over a real database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from ibcore.clock import monotonic
from ibcore.domain import ContractSpec
from tests import windows
from tests.conftest import empty
from tests.ports import free_port

SIMULATOR = (sys.executable, "-m", "ibcore.cli", "sim", "run")


@dataclass
class System:
    """The two processes and a look into their database."""

    db_url: str
    home: Path
    port: int = field(default_factory=free_port)
    control_port: int = field(default_factory=free_port)
    standby_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    name: str = "main"
    settings: dict[str, str] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_gateway(self, *options: str) -> None:
        """Start the simulated gateway on the system's port."""
        ports = ["--port", str(self.port), "--control-port", str(self.control_port)]
        self._start("gateway", [*SIMULATOR, *ports, *options])

    def start_standby(self, *options: str) -> None:
        """Start a second one, on the port of the standby."""
        ports = ["--port", str(self.standby_port), "--control-port", str(free_port())]
        self._start("standby", [*SIMULATOR, *ports, *options])

    def gateway_listens(self) -> bool:
        """Say whether somebody listens on the gateway's port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start_sidecar(self) -> None:
        """Start the sidecar on the system's database and gateway."""
        self._start("sidecar", [sys.executable, "-m", "sidecar"])

    def kill(self, name: str) -> None:
        """Kill a process as the out-of-memory killer would."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End what runs; wait for it."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(timeout=15)
        self._running.clear()

    def watch(self, *specs: ContractSpec) -> None:
        """Put instruments on the watch list."""
        for spec in specs:
            self.ask(
                """INSERT INTO ibkeeper.watch
                     (symbol, sec_type, exchange, currency, expiry, strike, "right", multiplier)
                   VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id""",
                (
                    *(spec.symbol, spec.sec_type, spec.exchange, spec.currency, spec.expiry),
                    *(spec.strike, spec.right, spec.multiplier),
                ),
            )

    def ask(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one statement."""
        with psycopg.connect(self.db_url, autocommit=True) as conn:
            return conn.execute(statement.encode(), values).fetchall()

    def value(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        """Return the one value of one statement."""
        return self.ask(statement, values)[0][0]

    def wait_for(self, condition: Callable[[], bool], *, within_s: float, what: str) -> float:
        """Wait until the condition holds; return how long it took."""
        pause, began = _Pause(), monotonic()
        while not condition():
            if monotonic() - began > within_s:
                raise AssertionError(f"after {within_s:g} s still not: {what}\n{self.logs()}")
            pause.briefly()
        return monotonic() - began

    def logs(self) -> str:
        """Return the last lines of the processes' logs."""
        tails = [path.read_text().splitlines()[-15:] for path in sorted(self.home.glob("*.log"))]
        return "\n".join(line for tail in tails for line in tail)

    def _start(self, name: str, command: list[str]) -> None:
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("IBKEEPER_")},
            "IBKEEPER_DATABASE_URL": self.db_url,
            "IBKEEPER_HOME": str(self.home),
            "IBKEEPER_GATEWAY__PORT": str(self.port),
            "IBKEEPER_HTTP__PORT": str(self.http_port),
            "IBKEEPER_SIDECAR__NAME": self.name,
            "IBKEEPER_SIDECAR__NICE": "0",  # other tests run beside it
            **windows.NONE,
            **self.settings,
        }
        with (self.home / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(command, env=environ, stdout=log, stderr=log)


class _Pause:
    """Between two looks at a condition: a socket pair that nobody writes to."""

    def briefly(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(0.05)
            try:
                ours.recv(1)
            except TimeoutError:
                return


@contextmanager
def running_system(db_url: str, home: Path) -> Iterator[System]:
    """Run a gateway and a sidecar on an empty database; end both whatever happens."""
    empty(db_url)
    system = System(db_url, home)
    try:
        yield system
    finally:
        system.stop()
