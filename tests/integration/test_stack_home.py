"""One `up` per home, a private folder, and ports that are looked at before anything starts."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ibcore.clock import utcnow
from ibcore.errors import ConfigRefused, InstanceConflict, PortTaken
from ibcore.stack import home as homes
from ibcore.stack.home import RunFile
from ibcore.stack.ports import NeededPort, check


def run_file(pid: int) -> RunFile:
    gateway = {"host": "127.0.0.1", "port": 4002}
    return RunFile(pid, "postgresql://x", gateway, 4003, None, utcnow().isoformat())


def test_the_home_is_private_and_has_a_folder_for_logs(tmp_path: Path) -> None:
    home = homes.prepare(tmp_path / "deep" / "home")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / "logs").is_dir()


def test_a_home_that_cannot_be_made_is_refused_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigRefused, match="IBKEEPER_HOME"):
        homes.prepare(tmp_path / "file" / "home")


def test_a_second_up_in_the_same_home_is_told_who_runs(tmp_path: Path) -> None:
    with (
        homes.lock(tmp_path),
        pytest.raises(InstanceConflict, match=f"process {os.getpid()}"),
        homes.lock(tmp_path),
    ):
        pass


def test_the_lock_is_free_after_the_first_has_gone(tmp_path: Path) -> None:
    for _ in range(2):
        with homes.lock(tmp_path):
            pass


def test_what_up_wrote_is_read_back_and_private(tmp_path: Path) -> None:
    homes.write_run(tmp_path, run_file(os.getpid()))
    assert homes.read_run(tmp_path) == replace(
        run_file(os.getpid()),
        started_at=homes.read_run(tmp_path).started_at,  # type: ignore[union-attr]
    )
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    homes.remove_run(tmp_path)
    assert homes.read_run(tmp_path) is None


def test_the_run_file_of_a_killed_up_does_not_count(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    homes.write_run(tmp_path, run_file(ended.pid))
    assert homes.read_run(tmp_path) is None


def test_a_stranger_with_the_number_of_a_killed_up_does_not_count(tmp_path: Path) -> None:
    old = replace(run_file(os.getpid()), started_at="2020-01-01T00:00:00+00:00")
    homes.write_run(tmp_path, old)
    assert homes.read_run(tmp_path) is None


def test_a_broken_run_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    assert homes.read_run(tmp_path) is None


def test_a_taken_port_is_named_with_the_program_and_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken) as taken:
            check([NeededPort(port, "the simulated gateway", "IBKEEPER_GATEWAY__PORT")])
    for expected in (
        str(port),
        "the simulated gateway",
        "IBKEEPER_GATEWAY__PORT",
        str(os.getpid()),
    ):
        assert expected in str(taken.value)


def test_a_free_port_passes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check([NeededPort(port, "nothing", "NOTHING")])
