"""The command as people meet it: one line, the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from ibcore.cli.__main__ import main
from tests.canary import PASSWORD, silent
from tests.ports import free_port


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


class Cli:
    """Runs `ibkeeper` in a folder and a home of its own, in this process: starting one is slow."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.chdir(folder)
        for name in os.environ:
            if name.startswith("IBKEEPER_"):
                monkeypatch.delenv(name)
        self.set(IBKEEPER_HOME=str(folder / "home"))

    def set(self, **settings: str) -> None:
        for name, value in settings.items():
            self._monkeypatch.setenv(name, value)

    def __call__(self, *arguments: str) -> Said:
        self._monkeypatch.setattr(sys, "argv", ["ibkeeper", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        if arguments[:2] != ("db", "url"):  # which is there to say it
            silent(out + err)
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, out, err)


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Cli]:
    handler = signal.getsignal(signal.SIGINT)
    yield Cli(tmp_path, monkeypatch, capsys)
    signal.signal(signal.SIGINT, handler)


@pytest.fixture
def db_cli(cli: Cli, db_url: str) -> Cli:
    cli.set(IBKEEPER_DATABASE_URL=db_url)
    return cli


def one_line(result: Said) -> str:
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("ibkeeper: ")
    return line


def test_help_names_every_command(cli: Cli) -> None:
    result = cli("--help")
    assert result.returncode == 0
    for command in ("up", "status", "watch", "db", "sim"):
        assert command in result.stdout


def test_help_is_fast_because_it_imports_nothing_heavy() -> None:
    heavy = {"psycopg", "pydantic", "sqlalchemy", "anyio", "scipy", "prefect"}
    script = (
        "import sys; from ibcore.cli.__main__ import build;"
        "build([])(['--help'], standalone_mode=False); print(sorted(sys.modules), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=50
    )
    assert not [name for name in heavy if f"'{name}'" in result.stderr]


@pytest.mark.parametrize("command", ["up", "status", "watch", "db", "sim"])
def test_every_command_explains_itself(cli: Cli, command: str) -> None:
    result = cli(command, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Usage" in result.stdout


def test_the_version_is_printed(cli: Cli) -> None:
    assert cli("--version").stdout.startswith("ibkeeper 0.")


def test_an_unknown_command_is_a_usage_error(cli: Cli) -> None:
    result = cli("upp")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_a_malformed_setting_is_one_line_and_exit_code_3(cli: Cli) -> None:
    cli.set(IBKEEPER_GATEWAY__PORT="many")
    result = cli("up", "--no-prefect")
    assert result.returncode == 3
    assert "IBKEEPER_GATEWAY__PORT" in one_line(result)


def test_a_misspelt_setting_is_refused_with_the_right_name(cli: Cli) -> None:
    cli.set(IBKEEPER_GATEWAY__PROT="4002")
    result = cli("status")
    assert result.returncode == 3
    assert "IBKEEPER_GATEWAY__PORT" in one_line(result)


def test_a_taken_port_is_one_line_and_nothing_is_started(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        cli.set(IBKEEPER_GATEWAY__PORT=port)
        result = cli("up", "--no-prefect")
    assert result.returncode == 1
    assert f"Port {port}" in one_line(result)
    assert "IBKEEPER_GATEWAY__PORT" in one_line(result)
    assert not (cli.folder / "home" / "postgres").exists()


@pytest.mark.parametrize("command", [("up", "--no-prefect", "--plain"), ("watch", "ls")])
def test_a_wrong_database_url_is_one_line_without_its_password(
    cli: Cli, command: tuple[str, ...]
) -> None:
    url = f"postgresql://me:{PASSWORD}@127.0.0.1:{free_port()}/x"
    cli.set(IBKEEPER_DATABASE_URL=url, **free_ports())
    result = cli(*command)
    assert result.returncode == 1
    assert "IBKEEPER_DATABASE_URL" in one_line(result)
    assert PASSWORD not in result.stdout + result.stderr


def free_ports() -> dict[str, str]:
    names = [
        f"IBKEEPER_{name}"
        for name in ("GATEWAY__PORT", "SIM__CONTROL_PORT", "PREFECT__PORT", "HTTP__PORT")
    ]
    return {name: str(free_port()) for name in names}


def test_the_status_of_a_stopped_system_says_how_to_start_it(cli: Cli) -> None:
    result = cli("status", "--json")
    assert result.returncode == 1
    said = json.loads(result.stdout)
    assert said["ready"] is False
    assert "ibkeeper up" in said["problems"][0]
    assert "ibkeeper up" in cli("status").stdout


def test_the_status_of_an_empty_database_says_what_is_missing(db_cli: Cli) -> None:
    result = db_cli("status", "--json")
    said = json.loads(result.stdout)
    assert result.returncode == 1
    assert said["database"]["reachable"]
    assert said["schema"]["ok"]
    assert said["sidecar"] is None
    assert "No sidecar named main" in said["problems"][0]


def test_the_status_shows_a_sidecar_that_has_fallen_silent(db_cli: Cli, db_url: str) -> None:
    with psycopg.connect(db_url) as conn:
        conn.execute(
            """INSERT INTO ibkeeper.sidecar (name, epoch, pid, host, version, state, started_at,
                      heartbeat_at) VALUES ('main', 1, 1, 'here', '0', 'running',
                      now() - interval '1 hour', now() - interval '1 minute')"""
        )
    said = json.loads(db_cli("status", "--json").stdout)
    assert "silent for 6" in said["problems"][0]


def test_watch_adds_lists_and_removes_a_stock_and_an_option(db_cli: Cli) -> None:
    option = ("--sec-type", "opt", "--expiry", "20261218", "--strike", "600", "--right", "c")
    assert "line 1 of the watch list. No sidecar" in db_cli("watch", "add", "aapl").stdout
    assert db_cli("watch", "add", "SPY", *option).returncode == 0
    assert "already" in db_cli("watch", "add", "AAPL").stdout
    listed = json.loads(db_cli("watch", "ls", "--json").stdout)
    assert [(row["symbol"], row["sec_type"], row["state"]) for row in listed] == [
        ("AAPL", "STK", "pending"),
        ("SPY", "OPT", "pending"),
    ]
    assert "SPY OPT 20261218 600 C" in db_cli("watch", "ls").stdout
    assert db_cli("watch", "rm", "SPY", *option).returncode == 0
    assert db_cli("watch", "rm", "1").returncode == 0
    assert "Nothing is watched" in db_cli("watch", "ls").stdout


def test_removing_what_is_not_watched_is_one_line(db_cli: Cli) -> None:
    result = db_cli("watch", "rm", "NOPE")
    assert result.returncode == 1
    assert "not on the watch list" in one_line(result)


def test_what_can_be_no_contract_is_a_usage_error(db_cli: Cli) -> None:
    result = db_cli("watch", "add", "SPY", "--sec-type", "OPT")
    assert result.returncode == 2
    assert "--expiry" in one_line(result)


def test_without_a_database_a_command_says_how_to_get_one(cli: Cli) -> None:
    result = cli("watch", "ls")
    assert result.returncode == 3
    assert "ibkeeper up" in one_line(result)


def test_ctrl_c_ends_a_command_quietly_with_130(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        environ = {**os.environ, "IBKEEPER_DATABASE_URL": f"postgresql://me@127.0.0.1:{port}/x"}
        with subprocess.Popen(
            [sys.executable, "-m", "ibcore.cli", "watch", "ls"],
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting:
            connection, _ = deaf.accept()
            waiting.send_signal(signal.SIGINT)
            _, errors = waiting.communicate(timeout=30)
            connection.close()
    assert (waiting.returncode, errors) == (130, "")
