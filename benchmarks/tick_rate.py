"""10,000 tick messages a second on 100 lines: is every one there, how late, at what cost?

Three real processes (embedded PostgreSQL with its durable settings, `ibkeeper sim run --rate`,
`python -m sidecar`). Sent is what the simulator's ledger says, committed is
`ingest_batch.committed_at` of the batch that holds the row's seq. A run that misses or doubles a
row has no figures: it fails.
"""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson
import psutil
import psycopg

from benchmarks import processes
from benchmarks.figures import Figure
from benchmarks.oracle import Expected, LineOracle, Stored, Verdict, compare
from ibcore import db
from ibcore.clock import monotonic, unix_ns
from ibcore.embedded import Server
from ibcore.sim.server import SimConfig, open_source
from ibcore.sim.suggestions import describe, near

RATE = 10_000
LINES = 100
WARM_UP_S = 5.0
NAMES = ("commit_p50_ms_10k", "commit_p99_ms_10k", "commit_max_ms_10k", "sidecar_cpu_share_10k")

STORED = """
SELECT i.con_id, r.row_kind, r.tick_type, r.n, r.text_value,
       (extract(epoch FROM b.committed_at) * 1e9)::bigint
  FROM (SELECT instrument_id, seq, 'quote' AS row_kind, tick_type::int,
               ARRAY[bid, bid_size, ask, ask_size] AS n, NULL AS text_value FROM ibkeeper.quote
        UNION ALL
        SELECT instrument_id, seq, 'trade', tick_type, ARRAY[price, size], NULL
          FROM ibkeeper.trade
        UNION ALL
        SELECT instrument_id, seq, 'greeks',
               array_position(ARRAY['bid', 'ask', 'last', 'model'], kind) + 9,
               ARRAY[iv, delta], NULL FROM ibkeeper.greeks
        UNION ALL
        SELECT instrument_id, seq, 'stat', tick_type, ARRAY[value], text_value
          FROM ibkeeper.instrument_stat) AS r
  JOIN ibkeeper.instrument i ON i.id = r.instrument_id
  LEFT JOIN ibkeeper.ingest_batch b ON r.seq BETWEEN b.first_seq AND b.last_seq
 ORDER BY i.con_id, r.seq"""
WATCH = """
INSERT INTO ibkeeper.watch (symbol, sec_type, exchange, currency, expiry, strike, "right",
                            multiplier)
VALUES (%(symbol)s, %(sec_type)s, %(exchange)s, %(currency)s, %(expiry)s, %(strike)s,
        %(right)s, %(multiplier)s)"""
ACTIVE = "SELECT count(*) FROM ibkeeper.watch WHERE state = 'active'"
BROKEN_SEQ = """
SELECT count(*) FROM (SELECT first_seq, lag(last_seq) OVER (ORDER BY first_seq) AS before
                        FROM ibkeeper.ingest_batch) AS b WHERE first_seq <> before + 1"""


def measure(*, seconds: float) -> list[Figure]:
    """Run the load for `seconds` and return the figures."""
    with tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder:
        home = Path(folder)
        with Server(home) as server:
            db.migrate(server.url())
            return _under_load(home, server.url(), seconds)


def _under_load(home: Path, url: str, seconds: float) -> list[Figure]:
    port, control = processes.free_port(), processes.free_port()
    argv = ["-m", "ibcore.cli", "sim", "run", "--port", str(port), "--control-port", str(control)]
    limit = int(RATE * (seconds + 60))
    argv += ["--rate", str(RATE), "--ledger-limit", str(limit)]
    with processes.running(argv, home / "sim.log"):
        processes.wait_for(lambda: _listens(control), "the simulator", within_s=30)
        _watch(url)
        settings = {
            "IBKEEPER_DATABASE_URL": url,
            "IBKEEPER_GATEWAY__HOST": "127.0.0.1",
            "IBKEEPER_GATEWAY__PORT": str(port),
            "IBKEEPER_HOME": str(home),
        }
        with processes.running(["-m", "sidecar"], home / "sidecar.log", **settings) as sidecar:
            processes.wait_for(lambda: _count(url, ACTIVE) == LINES, "100 lines", within_s=60)
            window, cpu = _hold(sidecar.pid, seconds)
            stopped_ns = unix_ns()
        sent = _ledger(control)
    return _judge(url, sent, window=window, stopped_ns=stopped_ns, cpu=cpu)


def _hold(pid: int, seconds: float) -> tuple[tuple[int, int], float]:
    process = psutil.Process(pid)
    warm = monotonic() + WARM_UP_S
    processes.wait_for(lambda: monotonic() >= warm, "warm-up", within_s=WARM_UP_S + 60)
    start_ns, before = unix_ns(), process.cpu_times()
    end = monotonic() + seconds
    processes.wait_for(lambda: monotonic() >= end, "the load", within_s=seconds + 60)
    end_ns, after = unix_ns(), process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return (start_ns, end_ns), used / ((end_ns - start_ns) / 1e9)


def _judge(
    url: str,
    sent: dict[int, list[dict[str, Any]]],
    *,
    window: tuple[int, int],
    stopped_ns: int,
    cpu: float,
) -> list[Figure]:
    expected = {con_id: list(LineOracle().rows(ticks)) for con_id, ticks in sent.items()}
    # What was sent within a second of the sidecar's SIGTERM may have met a closed socket.
    verdicts = list(_verdicts(url, expected, until_ns=stopped_ns - 1_000_000_000))
    missing, wrong = sum(v.missing for v in verdicts), sum(v.wrong for v in verdicts)
    holes = _count(url, BROKEN_SEQ)
    late = sorted(
        latency
        for verdict in verdicts
        for at_ns, latency in verdict.latencies_ms
        if window[0] <= at_ns < window[1]
    )
    rate = len(late) / ((window[1] - window[0]) / 1e9)
    print(f"{len(late)} rows, {rate:.0f}/s, missing {missing}, wrong {wrong}, holes {holes}")
    if missing or wrong or holes or len(verdicts) != LINES:
        raise AssertionError(f"missing {missing}, wrong or doubled {wrong}, seq holes {holes}")
    against = f"{rate:.0f} changes/s on {LINES} lines, 0 missing, 0 doubled"
    return [
        Figure(NAMES[0], _quantile(late, 0.50), "ms", "lower", 50.0, against),
        Figure(NAMES[1], _quantile(late, 0.99), "ms", "lower", 100.0, against),
        Figure(NAMES[2], late[-1], "ms", "lower", None, against),
        Figure(NAMES[3], cpu, "cores", "lower", 0.6, against),
    ]


def _verdicts(url: str, expected: dict[int, list[Expected]], *, until_ns: int) -> Iterator[Verdict]:
    with psycopg.connect(url) as conn, conn.cursor("stored") as cursor:
        cursor.itersize = 50_000
        for con_id, rows in groupby(cursor.execute(STORED), key=itemgetter(0)):
            yield compare(expected[con_id], [_stored(row) for row in rows], until_ns=until_ns)


def _stored(row: tuple[Any, ...]) -> Stored:
    _, kind, tick_type, numbers, text, committed_ns = row
    values = (text,) if text is not None else tuple(numbers)
    return Stored(committed_ns, (kind, tick_type, *values))


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _watch(url: str) -> None:
    # The simulator's own catalogue: every stock, and options near the money of as many as needed.
    source = open_source(SimConfig())
    stocks = list(source.universe.stocks.values())
    options = [
        option
        for stock in stocks
        for option in near(source.universe.options(stock.symbol), source.spot_of(stock))
    ]
    chosen = [describe(contract) for contract in [*stocks, *options][:LINES]]
    with psycopg.connect(url, autocommit=True) as conn, conn.cursor() as cursor:
        cursor.executemany(WATCH, chosen)


def _ledger(control: int) -> dict[int, list[dict[str, Any]]]:
    lines: dict[int, list[dict[str, Any]]] = {}
    for tick in _ask(control, {"do": "ledger"}):
        if "con_id" in tick:
            lines.setdefault(tick["con_id"], []).append(tick)
    return lines


def _ask(control: int, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
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


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _count(url: str, query: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute(query.encode()).fetchone()
    return int(found[0]) if found else 0
