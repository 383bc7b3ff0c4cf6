"""From `ibkeeper up --no-prefect` on an empty home to the first committed quote."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import psycopg

from benchmarks import processes
from benchmarks.figures import Figure
from ibcore.clock import unix_ns

NAMES = ("first_quote_s",)
FIRST = """
SELECT (extract(epoch FROM min(b.committed_at)) * 1e9)::bigint
  FROM ibkeeper.ingest_batch b WHERE EXISTS (SELECT FROM ibkeeper.quote)"""


def measure() -> list[Figure]:
    """Start the whole system once and return how long the first quote took."""
    # A short path: PostgreSQL's socket lies below it.
    with tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder:
        home = Path(folder) / "home"
        settings = {
            "IBKEEPER_HOME": str(home),
            "IBKEEPER_GATEWAY__PORT": str(processes.free_port()),
            "IBKEEPER_SIM__CONTROL_PORT": str(processes.free_port()),
            "IBKEEPER_HTTP__PORT": str(processes.free_port()),
        }
        argv = ["-m", "ibcore.cli", "up", "--no-prefect", "--plain"]
        started_ns = unix_ns()
        with processes.running(argv, Path(folder) / "up.log", **settings):
            processes.wait_for((home / "run.json").exists, "run.json", within_s=60)
            url = json.loads((home / "run.json").read_text())["database_url"]
            processes.wait_for(lambda: _first_ns(url), "the first quote", within_s=60)
            first_ns = _first_ns(url)
    seconds = (first_ns - started_ns) / 1e9
    against = "ibkeeper up --no-prefect on an empty home, initdb included"
    return [Figure(NAMES[0], seconds, "s", "lower", 15.0, against)]


def _first_ns(url: str) -> int:
    try:
        with psycopg.connect(url, autocommit=True) as conn:
            found = conn.execute(FIRST).fetchone()
    except psycopg.Error:
        return 0
    return int(found[0] or 0) if found else 0
