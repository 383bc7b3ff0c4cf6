"""A trial with figures: Prefect's server is killed, and somebody is paged by the sidecar.

All processes are real; the ten minutes of silence are set to 60 s, and looks run every 10 s
instead of every two minutes. What is measured is what comes on top of the silence.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ibcore.clock import monotonic
from tests.acceptance.system import System, running_system
from tests.integration.inboxes import Inbox, http_inbox
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.paired, pytest.mark.timeout(420)]

SILENT_S, EVERY_S = 60.0, 10.0
ROOT = Path(__file__).resolve().parents[2]
LOOKS = "SELECT count(*) FROM ibkeeper.sla_report WHERE kind = 'check'"
AGE = (
    "SELECT extract(epoch FROM clock_timestamp() - max(reported_at))::float8"
    " FROM ibkeeper.sla_report WHERE kind = 'check'"
)
POOL = "ib"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with http_inbox() as made:
        yield made


class Prefect:
    """A server of its own, and a process that runs the looks."""

    def __init__(self, home: Path, database_url: str) -> None:
        self.port = free_port()
        self._home = home
        self._environ = {
            **{key: value for key, value in os.environ.items() if "PREFECT" not in key},
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PROJECT_ROOT": str(ROOT),
            "IBKEEPER_DATABASE_URL": database_url,
        }

    @contextmanager
    def run(self, name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a process in a group of its own for the length of the block."""
        with (self._home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                env=self._environ,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            kill(process)

    @contextmanager
    def server(self) -> Iterator[subprocess.Popen[bytes]]:
        words = ("-m", "prefect", "server", "start", "--host", "127.0.0.1")
        with self.run("server", *words, "--port", str(self.port)) as process:
            yield process

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        words = ("-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process")
        with self.run("worker", *words) as process:
            yield process

    def has(self, path: str) -> bool:
        """Say whether the server is there, and has it."""
        try:
            self.ask(path)
        except OSError:
            return False
        return True

    def ask(self, path: str, body: Any = None) -> Any:
        """Return the answer of the API."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def look_every(self, seconds: float) -> None:
        """Deploy connection-sla as prefect.yaml does, but for the schedule."""
        flow = self.ask("flows/", {"name": "connection-sla"})["id"]
        deployment = {
            "name": "look",
            "flow_id": flow,
            "work_pool_name": POOL,
            "entrypoint": "flows/connection_sla.py:connection_sla",
            "path": str(ROOT),
            "schedules": [{"active": True, "schedule": {"interval": seconds}}],
            "concurrency_limit": 1,
            "concurrency_options": {"collision_strategy": "CANCEL_NEW"},
        }
        self.ask("deployments/", deployment)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_server_is_paged_soon_after_the_silence_and_its_return_is_told(
    db_url: str, tmp_path: Path, inbox: Inbox, record_property: pytest.RecordProperty
) -> None:
    prefect = Prefect(tmp_path, db_url)
    with running_system(db_url, tmp_path) as system, ExitStack() as running:
        system.settings = {
            "IBKEEPER_PREFECT__SILENT_S": str(SILENT_S),
            "IBKEEPER_ALERTS__TARGETS": inbox.url,
            "IBKEEPER_LIVENESS__SESSION_DOWN_S": "600",
        }
        system.start_gateway()
        system.start_sidecar()
        server = running.enter_context(prefect.server())
        system.wait_for(lambda: prefect.has("health"), within_s=150, what="Prefect's server")
        running.enter_context(prefect.worker())
        system.wait_for(lambda: prefect.has(f"work_pools/{POOL}"), within_s=60, what="the pool")
        prefect.look_every(EVERY_S)
        system.wait_for(lambda: system.value(LOOKS) >= 3, within_s=120, what="three looks")
        assert "sla_check_silent" not in str(inbox.messages)

        killed_at = monotonic()
        kill(server)
        last_look_s = system.value(AGE)
        paged_s = page(system, inbox, "[CRITICAL] sla_check_silent:prefect") - killed_at
        record_property("paged_after_s", paged_s)
        # On top of the silence: one of its looks, gathering, delivery.
        assert paged_s + last_look_s < SILENT_S + SILENT_S / 20 + 10
        assert paged_s > SILENT_S / 2
        print(f"killed {last_look_s:.1f} s after a look; paged {paged_s:.1f} s later")  # noqa: T201

        running.enter_context(prefect.server())
        system.wait_for(lambda: prefect.has("health"), within_s=150, what="the server again")
        page(system, inbox, "[recovered] sla_check_silent:prefect")


def page(system: System, inbox: Inbox, title: str) -> float:
    """Wait until somebody was told; return when."""
    told = [each["title"] for each in inbox.messages]
    system.wait_for(
        lambda: title in [each["title"] for each in inbox.messages],
        within_s=150,
        what=f"{title}, after {told}",
    )
    return monotonic()
