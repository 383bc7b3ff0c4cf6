"""`ibkeeper up` brings ticks into SQL within seconds and leaves nothing behind, however it ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.up import Up

# Real processes: PostgreSQL, gateway, sidecar; about 7 s to the first quote on a quiet machine.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(150)]

QUOTES = "SELECT count(*) FROM ibkeeper.quote"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    up = Up(tmp_path / "home")
    yield up
    up.clean_up()


def running(up: Up) -> float:
    up.start("--no-prefect")
    return up.wait_for(lambda: up.value(QUOTES), within_s=60.0, what="a first quote")


def allowed_s(promised_s: float) -> float:
    """Return the promise, or four times as much where others keep the processors busy."""
    return promised_s if psutil.cpu_percent(interval=0.5) < 50 else promised_s * 4


def test_up_streams_within_15_s_survives_a_dead_sidecar_and_stops_in_order(up: Up) -> None:
    allowed = allowed_s(15.0)
    first_quote_s = running(up)
    assert first_quote_s <= allowed
    up.wait_for(lambda: "ready after" in up.said(), within_s=20.0, what="ready")

    status = up.status()
    assert status["ready"], status["problems"]
    assert status["prefect"] is None
    assert status["feed"]["newest_quote_age_s"] < 5.0
    assert set(status["watch"]) == {"active"}

    second = up.command("up", "--no-prefect")
    assert second.returncode == 4
    assert f"process {up.process.pid}" in second.stderr

    _kill_the_sidecar_and_see_it_stream_again(up)

    up.process.send_signal(signal.SIGTERM)
    assert up.ended() == 0, up.story()
    assert up.processes() == []
    assert not (up.home / "run.json").exists()
    stops = [line.split("stopping ")[1] for line in up.said().splitlines() if "stopping " in line]
    assert stops == ["everything in order", "sidecar", "gateway", "PostgreSQL"]


def _kill_the_sidecar_and_see_it_stream_again(up: Up) -> None:
    up.child("sidecar").kill()
    up.wait_for(lambda: "Starting it again in 1 s" in up.said(), within_s=10.0, what="a restart")
    epochs = "SELECT count(DISTINCT epoch) FROM ibkeeper.quote"
    up.wait_for(lambda: up.value(epochs) == 2, within_s=30.0, what="quotes of the second run")


def test_a_dead_gateway_ends_everything_and_is_named_with_its_log(up: Up) -> None:
    running(up)
    up.child("ibcore.cli").kill()
    assert up.ended() == 1
    assert "gateway was ended by SIGKILL" in up.said()
    assert "gateway.log" in up.said()
    assert "Traceback" not in up.said()
    assert up.processes() == []


def test_a_killed_up_leaves_nothing_and_the_next_one_starts_in_the_same_home(up: Up) -> None:
    running(up)
    before = up.value(QUOTES)
    up.process.kill()
    up.process.wait()
    up.wait_for(lambda: not up.processes(), within_s=20.0, what="nothing left behind")

    running(up)
    assert up.value(QUOTES) >= before
    up.interrupt()
    assert up.ended() == 0, up.story()
    assert up.processes() == []


@pytest.mark.prefect
@pytest.mark.timeout(400)  # a Prefect server, a worker and a deployment: 30 s on a quiet machine
def test_everything_with_prefect_is_ready_within_90_s_and_stops_on_ctrl_c(up: Up) -> None:
    allowed = allowed_s(90.0)
    up.start()
    up.wait_for(lambda: "ready after" in up.said(), within_s=200.0, what="ready")
    ready_after_s = float(up.said().split("ready after ")[1].split(" ")[0])
    assert ready_after_s <= allowed

    status = up.status()
    assert status["ready"], status["problems"]
    assert status["prefect"]["worker"]
    assert "chain-snapshot/chain-snapshot" in status["prefect"]["deployments"]
    _prefect_makes_runs_of_the_schedule(up)
    doctor = up.command("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    assert '"skipped"' in doctor.stdout  # no standby, no outside heartbeat
    _a_killed_prefect_comes_back_and_ticks_go_on(up)

    up.interrupt()
    assert up.ended() == 0, up.story()
    assert up.processes() == []


def _prefect_makes_runs_of_the_schedule(up: Up) -> None:
    """A scheduler that fails says so in its log only: Prefect 3.8.8 does on SQLAlchemy 2.1."""
    up.wait_for(lambda: up.scheduled_runs() > 0, within_s=30.0, what="runs that are scheduled")
    assert "Traceback" not in (up.home / "logs" / "prefect.log").read_text()


def _a_killed_prefect_comes_back_and_ticks_go_on(up: Up) -> None:
    sidecar, before = up.child("sidecar").pid, up.value(QUOTES)
    for name, word in (("prefect", "server"), ("worker", "worker")):
        up.child(word).kill()
        said = f"{name} was ended by SIGKILL"
        up.wait_for(lambda said=said: said in up.said(), within_s=20.0, what=said)
    back = "Prefect and its worker again"
    up.wait_for(lambda: not up.status()["problems"], within_s=120.0, what=back)
    assert up.child("sidecar").pid == sidecar
    assert up.value(QUOTES) > before
