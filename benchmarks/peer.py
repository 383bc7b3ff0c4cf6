"""Our committed, idempotent ingest against cryptofeed's own PostgreSQL backend, at equal batches.

cryptofeed 2.4.1 is no dependency: its source is fetched with pip into a folder of this run's own,
and only `backends/postgres.py`, `backends/backend.py` and `defines.py` of it are run, unchanged
(the package's own `__init__` would compile and import all of its exchanges). Its table is that of
its `examples/postgres_tables.sql`: serial id, four columns that say whose and when, bid and ask.
Ours has twelve columns, two indexes, checks, ledger, cache and NOTIFY.

Twice: 20,000 rows to a transaction, as both drain a backlog (their queue hands over all it has),
and 1,000. With 1,000 the commit and the start of each COPY weigh more than the rows, so a third
figure says what there is to be had: a bare COPY of the same rows by the same driver into the same
table, without ledger, cache or NOTIFY. Alternating, the median of three rounds.
"""

from __future__ import annotations

import importlib
import json
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import anyio
import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks import drain
from benchmarks.figures import Figure
from ibcore import db
from ibcore.clock import monotonic
from ibcore.embedded import Server

NAMES = (
    "ingest_vs_cryptofeed",
    "ingest_vs_cryptofeed_1k",
    "bare_copy_vs_cryptofeed_1k",
    "cryptofeed_rows_s",
    "cryptofeed_1k_rows_s",
)
RELEASE = "cryptofeed==2.4.1"
MANY_ROWS = 20_000
FEW_ROWS = 1_000
ROWS = 100_000
THEIR_ROWS = 20_000
ROUNDS = 3
THEIR_TABLE = """
CREATE TABLE public.ticker (
    id serial PRIMARY KEY, timestamp timestamp, receipt_timestamp timestamp, exchange varchar(32),
    symbol varchar(32), bid numeric(64, 32), ask numeric(64, 32))"""
Update = tuple[str, str, datetime, datetime, dict[str, float]]


class NotAvailable(Exception):
    """The peer cannot be fetched here."""


def measure() -> list[Figure]:
    """Return the ratio and both rates; nothing where the peer cannot be fetched."""
    with tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder:
        try:
            source = _fetched(Path(folder) / "peer")
        except NotAvailable as why:
            print(f"{NAMES[0]}: not available: {why}")
            return []
        Path(folder).chmod(0o755)
        with Server(Path(folder) / "home") as server, _backend(source) as postgres:
            db.migrate(server.url())
            many = anyio.run(_rounds, server.url(), postgres, MANY_ROWS)
            few = anyio.run(_rounds, server.url(), postgres, FEW_ROWS)
    whose = f"TickerPostgres.write_batch of {RELEASE}"
    equal = f"{whose}; {MANY_ROWS} rows a transaction on both sides"
    small = f"{whose}; {FEW_ROWS} rows a transaction on both sides"
    most = f"{small}; no ledger, cache or NOTIFY: what can be had"
    return [
        Figure(NAMES[0], many.ours / many.theirs, "ratio", "higher", 5.0, equal),
        Figure(NAMES[1], few.ours / few.theirs, "ratio", "higher", None, small),
        Figure(NAMES[2], few.bare / few.theirs, "ratio", "higher", None, most),
        Figure(NAMES[3], many.theirs, "rows/s", "higher", None, equal),
        Figure(NAMES[4], few.theirs, "rows/s", "higher", None, small),
    ]


class Rates(NamedTuple):
    """Rows a second at one size of batch."""

    ours: float
    theirs: float
    bare: float


async def _rounds(url: str, postgres: ModuleType, batch_rows: int) -> Rates:
    rows, updates = drain.make_rows(ROWS), _updates()
    found = []
    for _ in range(ROUNDS):
        theirs = await _theirs(url, postgres, updates, batch_rows=batch_rows)
        took = drain.drain(url, rows, batch_rows=batch_rows, group_batches=1)
        found.append(Rates(ROWS / took, theirs, drain.bare_copy(url, rows, batch_rows)))
    return Rates(*(statistics.median(each) for each in zip(*found, strict=True)))


async def _theirs(
    url: str, postgres: ModuleType, updates: Sequence[Update], *, batch_rows: int
) -> float:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("DROP TABLE IF EXISTS public.ticker")
        conn.execute(THEIR_TABLE)
        conn.execute("CHECKPOINT")
    where = conninfo_to_dict(url)
    backend = postgres.TickerPostgres(
        host=where["host"],
        user=where.get("user"),
        db=where["dbname"],
        port=where.get("port"),
        table="public.ticker",
    )
    await backend._connect()
    start = monotonic()
    for first in range(0, THEIR_ROWS, batch_rows):
        await backend.write_batch(updates[first : first + batch_rows])
    took = monotonic() - start
    await backend.conn.close()
    return THEIR_ROWS / took


def _updates() -> list[Update]:
    dice, now = random.Random(7), datetime(2026, 11, 20, 17)  # noqa: DTZ001 (as theirs are)
    moments = [now + timedelta(microseconds=n) for n in range(THEIR_ROWS)]
    return [
        ("SMART", f"S{dice.randrange(1, 101)}", at, at,
         {"bid": dice.uniform(10, 500), "ask": dice.uniform(10, 500)})
        for at in moments
    ]  # fmt: skip


def _fetched(folder: Path) -> Path:
    folder.mkdir()
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        found = shutil.which("pip")
        if found is None:
            raise NotAvailable("there is no pip")
        pip = [found]
    command = [*pip, "download", "--no-deps", "--no-binary", "cryptofeed", "--dest", str(folder)]
    made = subprocess.run([*command, RELEASE], capture_output=True, text=True, check=False)
    archives = list(folder.glob("*.tar.gz"))
    if made.returncode or not archives:
        raise NotAvailable(f"pip could not fetch {RELEASE}: {made.stderr.strip()[-200:]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("cryptofeed-*/cryptofeed"))


@contextmanager
def _backend(source: Path) -> Iterator[ModuleType]:
    """Import their backend without the package around it; forget it afterwards."""
    package, backends = ModuleType("cryptofeed"), ModuleType("cryptofeed.backends")
    package.__path__, backends.__path__ = [str(source)], [str(source / "backends")]
    yapic: Any = ModuleType("yapic")
    yapic.json = json  # their JSON library, for books only
    mine = {"cryptofeed": package, "cryptofeed.backends": backends, "yapic": yapic}
    sys.modules.update(mine)
    try:
        yield importlib.import_module("cryptofeed.backends.postgres")
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] in ("cryptofeed", "yapic")]:
            del sys.modules[name]
