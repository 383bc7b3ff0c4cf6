"""The doctor before a real Prefect server on every address, with a password and without."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import pytest

from ibcore.clock import monotonic
from ibcore.doctor import prefect
from ibcore.doctor.finding import Finding
from tests.canary import PASSWORD
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@contextmanager
def server(home: Path, **settings: str) -> Iterator[str]:
    """Run a server on every address; yield its API."""
    port = free_port()
    environ = {
        **{key: value for key, value in os.environ.items() if "PREFECT" not in key},
        **settings,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    words = ("-m", "prefect", "server", "start", "--host", "0.0.0.0", "--port", str(port))
    process = subprocess.Popen(
        [sys.executable, *words],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"http://127.0.0.1:{port}/api"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def looked(api: str, **environ: str) -> dict[str, Finding]:
    """Look until the server answers."""

    async def look() -> dict[str, Finding]:
        ends_at = monotonic() + 150
        while True:
            found = {each.name: each for each in await prefect.look(api, environ)}
            if found["prefect"].verdict == "ok" or monotonic() > ends_at:
                return found
            await anyio.sleep(0.5)

    return anyio.run(look)


def test_a_server_for_everybody_fails_and_one_with_a_password_does_not(tmp_path: Path) -> None:
    with server(tmp_path / "open") as api:
        found = looked(api)
        assert found["prefect access"].verdict == "failed", found
        assert "0.0.0.0 without a password" in found["prefect access"].seen
    with server(tmp_path / "locked", PREFECT_SERVER_API_AUTH_STRING=f"op:{PASSWORD}") as api:
        assert (
            looked(api, PREFECT_API_AUTH_STRING=f"op:{PASSWORD}")["prefect access"].verdict == "ok"
        )
        wrong = looked(api, PREFECT_API_AUTH_STRING="op:wrong")["prefect access"]
        none = looked(api)["prefect access"]
        assert (wrong.verdict, none.verdict) == ("failed", "failed")
        assert "refuses ours" in wrong.seen
        assert "has none of us" in none.seen
