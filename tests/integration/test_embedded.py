"""The embedded server: private, owned by one process, gone when its owner has stopped it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from ibcore.embedded import SOCKET_FOLDER_MAX, Server
from ibcore.errors import ChildDied, InstanceConflict

# Starts a server, says so, and waits to be killed.
OWNER = """
import sys
from pathlib import Path
from ibcore.embedded import Server
with Server(Path(sys.argv[1])) as server:
    print("ready", server.pid, server.url(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def ready_home() -> Iterator[Path]:
    """Return a home whose data folder is made: the tests then start in 0.2 s instead of 1.2."""
    with tempfile.TemporaryDirectory(prefix="ibkeeper-test-") as folder:
        home = Path(folder) / "home"
        with Server(home):
            pass
        yield home


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that, unlike tmp_path, no other session of pytest closes."""
    with tempfile.TemporaryDirectory(prefix="ibkeeper-test-") as name:
        yield Path(name)


@pytest.fixture
def owner(ready_home: Path) -> Iterator[subprocess.Popen[str]]:
    """Return another process that owns the server of `ready_home`."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(ready_home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        # End of input is the owner's sign to stop its server and leave.
        process.communicate(timeout=30)


def test_both_databases_are_there_and_their_data_survives_a_restart(folder: Path) -> None:
    with Server(folder / "home") as server:
        with psycopg.connect(server.url("prefect")) as conn:
            conn.execute("CREATE TABLE kept (n int)")
        with psycopg.connect(server.url()) as conn:
            assert conn.execute("SHOW synchronous_commit").fetchone() == ("on",)
            assert conn.execute("SHOW timezone").fetchone() == ("UTC",)
    with Server(folder / "home") as server, psycopg.connect(server.url("prefect")) as conn:
        assert conn.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_stopping_leaves_no_process_and_no_socket(ready_home: Path) -> None:
    with Server(ready_home) as server:
        assert server.pid is not None
        process = psutil.Process(server.pid)
        family = [process, *process.children()]
        server.stop()
        server.stop()

    assert [p for p in family if p.is_running()] == []
    assert not (ready_home / "postgres" / "socket").exists()
    assert server.pid is None


def test_nobody_else_may_list_the_home_or_reach_the_socket(ready_home: Path) -> None:
    with Server(ready_home):
        home = 0o711 if os.geteuid() == 0 else 0o700
        assert _mode(ready_home) == home
        assert _mode(ready_home / "postgres") == home
        assert _mode(ready_home / "postgres" / "data") == 0o700
        assert _mode(ready_home / "postgres" / "socket") == 0o700


def test_the_server_listens_on_no_port(ready_home: Path) -> None:
    with Server(ready_home) as server:
        listening = [
            c for c in psutil.Process(server.pid).net_connections("inet") if c.status == "LISTEN"
        ]

    assert listening == []


def test_a_path_too_long_for_a_socket_gets_a_private_short_one(
    folder: Path, ready_home: Path
) -> None:
    home = folder / ("long" * 25)
    assert len(str(home)) > SOCKET_FOLDER_MAX
    shutil.copytree(ready_home, home)
    _give_to_owner_of(ready_home, home)

    with Server(home) as server, psycopg.connect(server.url()) as conn:
        row = conn.execute("SHOW unix_socket_directories").fetchone()
        short = Path(row[0] if row else "")
        assert _mode(short) == 0o700

    assert not short.exists()


def test_a_second_owner_is_refused_and_told_who_the_first_is(
    ready_home: Path, owner: subprocess.Popen[str]
) -> None:
    _server_of(owner)

    with pytest.raises(InstanceConflict, match=f"process {owner.pid}"), Server(ready_home):
        pass


def test_what_a_killed_owner_left_is_stopped_and_its_commits_are_there(
    ready_home: Path, owner: subprocess.Popen[str]
) -> None:
    left, url = _server_of(owner)
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE committed AS SELECT 42 AS n")
    owner.kill()
    owner.wait()
    assert left.is_running()

    with Server(ready_home) as server:
        assert not left.is_running()
        assert server.pid != left.pid
        with psycopg.connect(server.url()) as conn:
            assert conn.execute("SELECT n FROM committed").fetchone() == (42,)
            conn.execute("DROP TABLE committed")


def test_a_killed_server_recovers(ready_home: Path) -> None:
    with Server(ready_home) as server:
        assert server.pid is not None
        psutil.Process(server.pid).send_signal(signal.SIGKILL)

    with Server(ready_home) as server, psycopg.connect(server.url()) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_pid_file_that_names_a_stranger_does_not_stop_the_start(ready_home: Path) -> None:
    stale = ready_home / "postgres" / "data" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n1\n5432\n\n\n\nready\n")

    with Server(ready_home) as server:
        assert server.pid is not None


def test_a_server_that_cannot_start_says_why_in_one_line(ready_home: Path) -> None:
    broken = Server(ready_home, settings={"shared_buffers": "a lot"})
    with pytest.raises(ChildDied, match=r"did not start.*postgres/log") as died, broken:
        pass

    assert "\n" not in str(died.value)


def test_variables_of_the_caller_do_not_reach_the_server(
    ready_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")

    with Server(ready_home) as server, psycopg.connect(server.url()) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_data_folder_cut_off_while_it_was_made_is_made_anew(folder: Path) -> None:
    half = folder / "home" / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    with Server(folder / "home") as server:
        assert server.pid is not None


def _server_of(owner: subprocess.Popen[str]) -> tuple[psutil.Process, str]:
    assert owner.stdout is not None
    for line in owner.stdout:
        if line.startswith("ready "):
            _, pid, url = line.split()
            return psutil.Process(int(pid)), url
    raise AssertionError("the owner ended before its server was ready")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _give_to_owner_of(pattern: Path, copy: Path) -> None:
    data = (pattern / "postgres" / "data").stat()
    for path in (copy / "postgres" / "data", *(copy / "postgres" / "data").rglob("*")):
        os.chown(path, data.st_uid, data.st_gid)
