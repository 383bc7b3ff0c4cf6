"""A recorder under load as real processes, and its judge: the simulator's ledger.

PostgreSQL (embedded, durable settings), `ibkeeper sim run --rate`, `python -m sidecar`; each can
be stopped, frozen or killed on its own. Each start of the sidecar is one session of the
simulator and one epoch of the rows; a session's ticks, read by `LineOracle`, must be its epoch's
rows: in order, none twice, none wrong, and none missing but at the very end of a killed one.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import orjson
import psutil
import psycopg

from benchmarks import processes
from benchmarks.judge import HOLES, Verdict, judge_life, stored
from benchmarks.oracle import Expected, LineOracle
from ibcore import db
from ibcore.clock import unix_ns
from ibcore.embedded import Server
from ibcore.sim.server import SimConfig, open_source
from ibcore.sim.suggestions import describe, near

LINES = 100
# A killed sidecar may lose what is not on its disk; one that ends closes its socket first.
UNSYNCED_NS = 100_000_000
CLOSING_NS = 1_000_000_000
WATCH = """
INSERT INTO ibkeeper.watch (symbol, sec_type, exchange, currency, expiry, strike, "right",
                            multiplier)
VALUES (%(symbol)s, %(sec_type)s, %(exchange)s, %(currency)s, %(expiry)s, %(strike)s,
        %(right)s, %(multiplier)s)"""
ACTIVE = "SELECT count(*) FROM ibkeeper.watch WHERE state = 'active'"


class Life(NamedTuple):
    """One start of the sidecar: when it was ended, and whether it was given time to finish."""

    ended_ns: int
    killed: bool

    @property
    def safe_until_ns(self) -> int:
        """Return up to when what was sent must be there."""
        return self.ended_ns - (UNSYNCED_NS if self.killed else CLOSING_NS)


class Rig:
    """The processes of one measurement."""

    def __init__(
        self,
        home: Path,
        *,
        rate: int,
        seconds: float,
        lines: int = LINES,
        cadence: float | None = None,
    ) -> None:
        """`seconds`: how long it may run at most, for the simulator's ledger.

        `cadence`: IB's own pace by this factor, instead of a rate; the ledger keeps nothing then.
        """
        self.home = home
        self.rate = rate
        self._lines = lines
        self._cadence = cadence
        self._limit = int(rate * (seconds + 60)) if cadence is None else 1
        self._server = Server(home)
        self._stack = ExitStack()
        self._sidecar = ExitStack()
        self.sidecar: subprocess.Popen[bytes] | None = None
        self.url = ""
        self._port, self.control = processes.free_port(), processes.free_port()

    def __enter__(self) -> Rig:
        self._server.__enter__()
        try:
            self.url = self._server.url()
            db.migrate(self.url)
            self._start_simulator()
            watch(self.url, self._lines)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        self._sidecar.close()
        self._stack.close()
        self._server.stop()

    def start_sidecar(self, **settings: str) -> None:
        """Start a sidecar and wait until its lines stream."""
        environ = {
            "IBKEEPER_DATABASE_URL": self.url,
            "IBKEEPER_GATEWAY__HOST": "127.0.0.1",
            "IBKEEPER_GATEWAY__PORT": str(self._port),
            "IBKEEPER_HOME": str(self.home),
            **settings,
        }
        before = self.count("SELECT coalesce(max(epoch), 0) FROM ibkeeper.sidecar")
        argv, log = ["-m", "sidecar"], self.home / "sidecar.log"
        self.sidecar = self._sidecar.enter_context(processes.running(argv, log, **environ))
        self.wait_for(
            lambda: self.count(ACTIVE) == self._lines and self._streams(before), "the lines"
        )

    def end_sidecar(self) -> Life:
        """Stop it in good order."""
        life = Life(unix_ns(), killed=False)
        self._sidecar.close()
        return life

    def kill_sidecar(self) -> Life:
        """Kill it as the out-of-memory killer would."""
        assert self.sidecar is not None
        life = Life(unix_ns(), killed=True)
        self.sidecar.kill()
        self._sidecar.close()
        return life

    def stop_database(self) -> None:
        """Stop PostgreSQL in good order: connections are refused."""
        self._server.stop()

    def kill_database(self) -> None:
        """Kill every process of PostgreSQL."""
        self._signal_database(signal.SIGKILL)
        self._server.stop()

    def start_database(self) -> None:
        """Start it again on the same data."""
        self._server = Server(self.home)
        self._server.__enter__()

    def freeze_database(self, *, frozen: bool) -> None:
        """Stop every process of PostgreSQL where it stands, or let it go on."""
        self._signal_database(signal.SIGSTOP if frozen else signal.SIGCONT)

    def count(self, query: str) -> int:
        """Return the one number of a query."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            found = conn.execute(query.encode()).fetchone()
        return int(found[0]) if found else 0

    def wait_for(self, condition: Any, what: str, *, within_s: float = 60.0) -> None:
        """Wait for a condition, or say what never came and what the sidecar said last."""
        try:
            processes.wait_for(condition, what, within_s=within_s)
        except TimeoutError as late:
            said = (self.home / "sidecar.log").read_text().splitlines()[-10:]
            raise TimeoutError("\n".join([str(late), *said])) from None

    def sent(self) -> dict[int, dict[int, list[Expected]]]:
        """Return the rows that what was sent must become: session -> contract -> rows."""
        oracles: dict[tuple[int, int], LineOracle] = {}
        lines: dict[int, dict[int, list[Expected]]] = {}
        for tick in ask(self.control, {"do": "ledger"}):
            if "con_id" in tick:
                session, con_id = tick["session_no"], tick["con_id"]
                oracle = oracles.setdefault((session, con_id), LineOracle())
                lines.setdefault(session, {}).setdefault(con_id, []).extend(oracle.rows([tick]))
        return lines

    def placed(self) -> dict[int, int]:
        """Return when each order reached the gateway, by order id, in ns since 1970."""
        said = list(ask(self.control, {"do": "orders"}))
        return {one["order_id"]: one["at_ns"] for one in said if one.get("what") == "placed"}

    def judge(self, *lives: Life) -> Verdict:
        """Compare; what was sent in the last moment of a life may be missing."""
        sent = self.sent()
        sessions = [sent[number] for number in sorted(sent)]
        rows_of = stored(self.url)
        assert len(sessions) == len(lives), (len(sessions), lives)
        verdicts = [
            judge_life(expected, rows, until_ns=life.safe_until_ns, first=number == 0)
            for number, (expected, rows, life) in enumerate(
                zip(sessions, rows_of, lives, strict=True)
            )
        ]
        late = [latency for verdict in verdicts for latency in verdict.latencies_ms]
        sums = [sum(verdict[place] for verdict in verdicts) for place in range(3)]
        return Verdict(*sums, self.count(HOLES), late)

    def _start_simulator(self) -> None:
        argv = ["-m", "ibcore.cli", "sim", "run", "--port", str(self._port)]
        argv += ["--control-port", str(self.control)]
        argv += ["--ledger-limit", str(self._limit)]
        if self._cadence is None:
            argv += ["--rate", str(self.rate)]
        else:
            argv += ["--cadence", str(self._cadence)]
        self._stack.enter_context(processes.running(argv, self.home / "sim.log"))
        processes.wait_for(lambda: listens(self.control), "the simulator", within_s=30)

    def _streams(self, before: int) -> bool:
        newest = "SELECT coalesce(max(epoch), 0) FROM ibkeeper.ingest_batch"
        return self.count(newest) > before

    def _signal_database(self, number: int) -> None:
        assert self._server.pid is not None
        server = psutil.Process(self._server.pid)
        for process in [server, *server.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # a backend whose client has gone
                process.send_signal(number)


def watch(url: str, lines: int) -> None:
    """Put `lines` contracts of the simulator's own catalogue on the watch list."""
    source = open_source(SimConfig())
    stocks = list(source.universe.stocks.values())
    options = [
        option
        for stock in stocks
        for option in near(source.universe.options(stock.symbol), source.spot_of(stock))
    ]
    chosen = [describe(contract) for contract in [*stocks, *options][:lines]]
    with psycopg.connect(url, autocommit=True) as conn, conn.cursor() as cursor:
        cursor.executemany(WATCH, chosen)


def ask(control: int, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Ask the simulator; yield its answers, a JSON object a line."""
    with (
        socket.create_connection(("127.0.0.1", control), timeout=300) as connection,
        connection.makefile("rwb") as stream,
    ):
        stream.write(json.dumps(command).encode() + b"\n")
        stream.flush()
        head = orjson.loads(stream.readline())
        yield head
        for _ in range(head.get("count", 0)):
            yield orjson.loads(stream.readline())


def listens(port: int) -> bool:
    """Say whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
