"""Chains against what pacing allows, and against the way that ib_async's own notebooks take.

Real processes: PostgreSQL, the simulated gateway with IB's limits on (100 lines, 50 messages a
second), a sidecar that streams 50 lines meanwhile. A snapshot's time is what its row says: from
the claim of the request to the rows, underlying, listing and forwards included; the floor is two
messages a contract at the configured 45 a second. A run in which the gateway refused anything
(100, 101) has no figures: it fails.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psycopg
from ib_async import IB, Option, StartupFetchNONE

from benchmarks import processes
from benchmarks.figures import Figure
from benchmarks.rig import WATCH, ask, listens
from ibcore import db
from ibcore.clock import monotonic
from ibcore.embedded import Server
from ibcore.sim.server import SimConfig, open_source
from ibcore.sim.suggestions import describe, near

NAMES = ("chain_vs_floor_500", "chain_vs_floor_2000", "chain_vs_plain_ib_async")
STREAMING, FREE = 50, 50
CHAINS = {
    500: {"underlying": "SPY", "expiries": 7, "strikes": 36, "min_dte": 14},
    2_000: {
        "underlying": "SPX",
        "sec_type": "IND",
        "trading_class": "SPXW",
        "expiries": 8,
        "strikes": 125,
        "min_dte": 7,
    },
}
ASK = """
INSERT INTO ibkeeper.request (kind, payload, requested_by, deadline_at)
VALUES ('chain_snapshot', %s, 'bench', now() + interval '10 minutes') RETURNING id"""
ANSWER = "SELECT state, error, result FROM ibkeeper.request WHERE id = %s"
ACTIVE = "SELECT count(*) FROM ibkeeper.watch WHERE state = 'active'"


class Run(NamedTuple):
    """One snapshot as its row tells it."""

    contracts: int
    complete: int
    seconds: float
    floor_s: float


class Bench(NamedTuple):
    """What runs."""

    url: str
    port: int
    control: int


def measure() -> list[Figure]:
    """Take the chains and return the figures."""
    with tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder, _running(Path(folder)) as on:
        runs = {count: _snapshot(on.url, payload) for count, payload in CHAINS.items()}
        plain_s = asyncio.run(_plain(on.port, _contracts(on.url)))
        refused = _refused(on.control)
    for run in runs.values():
        print(run)
    print(f"plain ib_async: {plain_s:.1f} s")
    if refused:
        raise AssertionError(f"the gateway refused {refused[:3]}")
    figures = [
        Figure(
            f"chain_vs_floor_{count}",
            run.seconds / run.floor_s,
            "ratio",
            "lower",
            1.05,
            f"{run.seconds:.1f} s for {run.contracts} contracts ({run.complete} complete), floor "
            f"{run.floor_s:.1f} s at 45 messages/s, {STREAMING} lines streaming",
        )
        for count, run in runs.items()
    ]
    small = runs[500]
    against = (
        f"{plain_s:.1f} s for the same {small.contracts} by qualifyContractsAsync and "
        f"reqTickersAsync in lots of the {FREE} free lines"
    )
    return [
        *figures,
        Figure(NAMES[2], plain_s / small.seconds, "x", "higher", None, against),
    ]


@contextmanager
def _running(home: Path) -> Iterator[Bench]:
    port, control = processes.free_port(), processes.free_port()
    with ExitStack() as stack:
        server = stack.enter_context(Server(home))
        url = server.url()
        db.migrate(url)
        argv = ["-m", "ibcore.cli", "sim", "run", "--port", str(port)]
        argv += ["--control-port", str(control)]
        stack.enter_context(processes.running(argv, home / "sim.log"))
        processes.wait_for(lambda: listens(control), "the simulator", within_s=30)
        _watch(url)
        environ = {
            "IBKEEPER_DATABASE_URL": url,
            "IBKEEPER_GATEWAY__HOST": "127.0.0.1",
            "IBKEEPER_GATEWAY__PORT": str(port),
            "IBKEEPER_HOME": str(home),
        }
        stack.enter_context(processes.running(["-m", "sidecar"], home / "sidecar.log", **environ))
        processes.wait_for(lambda: _count(url, ACTIVE) == STREAMING, "50 lines", within_s=60)
        yield Bench(url, port, control)


def _watch(url: str) -> None:
    source = open_source(SimConfig())
    stocks = list(source.universe.stocks.values())
    options = [
        option
        for stock in stocks
        for option in near(source.universe.options(stock.symbol), source.spot_of(stock))
    ]
    chosen = [describe(contract) for contract in [*stocks, *options][:STREAMING]]
    with psycopg.connect(url, autocommit=True) as conn, conn.cursor() as cursor:
        cursor.executemany(WATCH, chosen)


def _snapshot(url: str, payload: dict[str, Any]) -> Run:
    wanted = orjson.dumps({**payload, "deadline_s": 600}).decode()
    with psycopg.connect(url, autocommit=True) as conn:
        (request_id,) = conn.execute(ASK, [wanted]).fetchone() or (None,)

        def answer() -> Any:
            return conn.execute(ANSWER, [request_id]).fetchone()

        processes.wait_for(
            lambda: answer()[0] not in ("requested", "claimed"), "the snapshot", within_s=600
        )
        state, error, result = answer()
    if state != "completed":
        raise AssertionError(f"the snapshot {state}: {error}")
    return Run(result["expected"], result["complete"], result["seconds"], result["floor_s"])


def _contracts(url: str) -> list[Option]:
    query = """SELECT i.symbol, to_char(q.expiry, 'YYYYMMDD'), q.strike::float8, q."right"
                 FROM ibkeeper.chain_quote q JOIN ibkeeper.instrument i ON i.id = q.instrument_id
                WHERE i.symbol = 'SPY' ORDER BY q.expiry, q.strike, q."right" """
    with psycopg.connect(url) as conn:
        return [Option(*row, "SMART", currency="USD") for row in conn.execute(query)]


async def _plain(port: int, contracts: Sequence[Option]) -> float:
    """Fetch the same chain as ib_async's notebooks do; return the seconds."""
    ib = IB()
    await ib.connectAsync("127.0.0.1", port, 99, fetchFields=StartupFetchNONE)
    began = monotonic()
    found = [c for c in await ib.qualifyContractsAsync(*contracts) if isinstance(c, Option)]
    for start in range(0, len(found), FREE):
        await ib.reqTickersAsync(*found[start : start + FREE])
    seconds = monotonic() - began
    ib.disconnect()
    return seconds


def _refused(control: int) -> list[Any]:
    return [
        entry for entry in ask(control, {"do": "requests"}) if entry.get("verdict", "ok") != "ok"
    ]


def _count(url: str, query: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute(query.encode()).fetchone()
    return int(found[0]) if found else 0
