"""How near our idempotent writer comes to a bare COPY of the same rows on the server.

Ours: rows as the feed makes them -> sealed and encoded -> COPY over the socket, ledger,
`quote_latest`, NOTIFY, commit, 20,000 rows to a transaction as when a backlog is drained. As in
the sidecar, one thread seals what comes next while another commits.
Bare: `COPY ibkeeper.quote FROM file` inside the server, one transaction of all rows, the same
partition and indexes, nothing else. Alternating, the median of three rounds each.

With the BRIN alone: ours without the B-tree on (instrument, ts), against a bare COPY into a table
of the same columns without any index or check, which is the most that this server can take.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from benchmarks.figures import Figure
from ibcore import db
from ibcore.clock import monotonic, now_us
from ibcore.domain import Quote
from ibcore.embedded import Server
from sidecar import pgbinary
from sidecar.__main__ import TURN_S
from sidecar.batch import Batch, OpenBatch, Origin
from sidecar.latest import Latest
from sidecar.writer import Writer

NAMES = (
    "ingest_vs_copy_btree",
    "ingest_rows_s",
    "copy_btree_rows_s",
    "ingest_vs_copy_brin",
    "rows_per_mb",
)
QUOTE = sql.SQL("ibkeeper.quote")
PLAIN = sql.SQL("plain_quote")
MAKE_PLAIN = "CREATE TABLE plain_quote (LIKE ibkeeper.quote)"
DROP_BTREE = "DROP INDEX ibkeeper.quote_instrument_id_ts_idx"
SIZE = """
SELECT sum(pg_total_relation_size(relid))::float8 / 2 ^ 20
  FROM pg_partition_tree('ibkeeper.quote')"""
ROWS = 400_000
BATCH_ROWS = 5_000
GROUP_BATCHES = 4
ROUNDS = 3


def measure() -> list[Figure]:
    """Return the ratio and both rates."""
    with tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder:
        Path(folder).chmod(0o755)
        with Server(Path(folder) / "home") as server:
            db.migrate(server.url())
            rows = make_rows(ROWS)
            file = Path(folder) / "quote.bin"
            file.write_bytes(pgbinary.COPY_HEADER + pgbinary.quotes(rows) + pgbinary.COPY_TRAILER)
            file.chmod(0o644)
            btree = _rounds(server.url(), rows, file, bare=QUOTE)
            size = _ask(server.url(), SIZE)
            _do(server.url(), DROP_BTREE, MAKE_PLAIN)
            brin = _rounds(server.url(), rows, file, bare=PLAIN)
    same = "COPY FROM a file on the server, same rows, partition and indexes"
    most = "COPY FROM a file on the server into a table without index or check; ours with BRIN"
    return [
        Figure(NAMES[0], btree[0] / btree[1], "ratio", "higher", 0.6, same),
        Figure(
            NAMES[1], btree[0], "rows/s", "higher", None, "ledger + quote_latest + COPY + NOTIFY"
        ),
        Figure(NAMES[2], btree[1], "rows/s", "higher", None, same),
        Figure(NAMES[3], brin[0] / brin[1], "ratio", "higher", 0.3, most),
        Figure(
            NAMES[4], ROWS / size, "rows/MiB", "higher", None, "quotes, indexes, no compression"
        ),
    ]


def _rounds(url: str, rows: list[Quote], file: Path, *, bare: sql.SQL) -> tuple[float, float]:
    # Ours last, so that its rows are there to be measured.
    pairs = [(_bare(url, file, bare), _ours(url, rows)) for _ in range(ROUNDS)]
    return statistics.median(ours for _, ours in pairs), statistics.median(b for b, _ in pairs)


def make_rows(count: int) -> list[Quote]:
    """Return quotes of 100 instruments."""
    dice, now = random.Random(7), now_us()
    return [
        Quote(now + seq, now + seq, dice.randrange(1, 101), seq, 1, "ib", "live", 1,
              dice.uniform(10, 500), 100.0, dice.uniform(10, 500), 200.0)
        for seq in range(1, count + 1)
    ]  # fmt: skip


def _ours(url: str, rows: list[Quote]) -> float:
    return ROWS / drain(url, rows)


def drain(
    url: str,
    rows: list[Quote],
    *,
    batch_rows: int = BATCH_ROWS,
    group_batches: int = GROUP_BATCHES,
) -> float:
    """Commit `rows` into empty tables as a backlog is drained; return the seconds it took."""
    _empty(url)
    with _turns_of_the_sidecar():
        return _drain(url, rows, batch_rows, group_batches)


@contextmanager
def _turns_of_the_sidecar() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _drain(url: str, rows: list[Quote], batch_rows: int, group_batches: int) -> float:
    writer = Writer.connect(url, "bench")
    origin, latest = Origin(uuid4(), "bench", 1), Latest()
    start = monotonic()
    batches: list[Batch] = []
    lane, under_way = ThreadPoolExecutor(1), Future[None]()
    under_way.set_result(None)
    for number, first in enumerate(range(0, len(rows), batch_rows), 1):
        keep = rows[first : first + batch_rows]
        batch = OpenBatch(keep)
        batches.append(batch.seal(number, latest, origin=origin, now_us=now_us(), keep=keep))
        if len(batches) == group_batches:
            under_way.result()
            under_way = lane.submit(writer.commit, batches)
            batches = []
    under_way.result()
    if batches:
        writer.commit(batches)
    took = monotonic() - start
    lane.shutdown()
    writer.close()
    return took


def bare_copy(url: str, rows: list[Quote], batch_rows: int) -> float:
    """Return the rows/s of COPY by this driver, encoded beforehand, and of nothing beside it."""
    _empty(url)
    blobs = [
        pgbinary.COPY_HEADER + pgbinary.quotes(rows[n : n + batch_rows]) + pgbinary.COPY_TRAILER
        for n in range(0, len(rows), batch_rows)
    ]
    with psycopg.connect(url, autocommit=True) as conn:
        start = monotonic()
        for blob in blobs:
            with conn.cursor().copy(db.QUERIES["copy_quote"]) as copy:
                copy.write(blob)
        return len(rows) / (monotonic() - start)


def _bare(url: str, file: Path, table: sql.SQL) -> float:
    _empty(url)
    copy = sql.SQL("COPY {} FROM {} (FORMAT binary)").format(table, str(file))
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL("TRUNCATE {}").format(table))
        start = monotonic()
        conn.execute(copy)
        return ROWS / (monotonic() - start)


def _ask(url: str, query: str) -> float:
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute(query.encode()).fetchone()
    assert found is not None
    return float(found[0])


def _do(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def _empty(url: str) -> None:
    empty = "TRUNCATE ibkeeper.quote, ibkeeper.quote_latest, ibkeeper.ingest_batch"
    _do(url, empty, "CHECKPOINT")
