"""How near our idempotent writer comes to a bare COPY of the same rows on the server.

Ours: rows as the feed makes them -> sealed and encoded -> COPY over the socket, ledger,
`quote_latest`, NOTIFY, commit, 20,000 rows to a transaction as when a backlog is drained.
Bare: `COPY ibkeeper.quote FROM file` inside the server, one transaction of all rows, the same
partition and index, nothing else. Alternating, the median of three rounds each.
"""

from __future__ import annotations

import random
import statistics
import tempfile
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
from sidecar.batch import OpenBatch, Origin
from sidecar.latest import Latest
from sidecar.writer import Writer

NAMES = ("ingest_vs_copy_btree", "ingest_rows_s", "copy_btree_rows_s")
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
            rows = _rows()
            file = Path(folder) / "quote.bin"
            file.write_bytes(pgbinary.COPY_HEADER + pgbinary.quotes(rows) + pgbinary.COPY_TRAILER)
            file.chmod(0o644)
            rounds = [(_ours(server.url(), rows), _bare(server.url(), file))
                      for _ in range(ROUNDS)]  # fmt: skip
    ours = statistics.median(ours for ours, _ in rounds)
    bare = statistics.median(bare for _, bare in rounds)
    against = "COPY FROM a file on the server, same rows, partition and index"
    return [
        Figure(NAMES[0], ours / bare, "ratio", "higher", 0.6, against),
        Figure(NAMES[1], ours, "rows/s", "higher", None, "ledger + quote_latest + COPY + NOTIFY"),
        Figure(NAMES[2], bare, "rows/s", "higher", None, against),
    ]


def _rows() -> list[Quote]:
    dice, now = random.Random(7), now_us()
    return [
        Quote(now + seq, now + seq, dice.randrange(1, 101), seq, 1, "ib", "live", 1,
              dice.uniform(10, 500), 100.0, dice.uniform(10, 500), 200.0)
        for seq in range(1, ROWS + 1)
    ]  # fmt: skip


def _ours(url: str, rows: list[Quote]) -> float:
    _empty(url)
    return ROWS / _drain(url, rows)


def _drain(url: str, rows: list[Quote]) -> float:
    writer = Writer.connect(url, "bench")
    origin, latest = Origin(uuid4(), "bench", 1), Latest()
    start = monotonic()
    batches = []
    for number, first in enumerate(range(0, ROWS, BATCH_ROWS), 1):
        keep = rows[first : first + BATCH_ROWS]
        batch = OpenBatch(keep)
        batches.append(batch.seal(number, latest, origin=origin, now_us=now_us(), keep=keep))
        if len(batches) == GROUP_BATCHES:
            writer.commit(batches)
            batches = []
    if batches:
        writer.commit(batches)
    took = monotonic() - start
    writer.close()
    return took


def _bare(url: str, file: Path) -> float:
    _empty(url)
    with psycopg.connect(url, autocommit=True) as conn:
        start = monotonic()
        conn.execute(b"COPY ibkeeper.quote FROM %b (FORMAT binary)" % _literal(conn, file))
        return ROWS / (monotonic() - start)


def _literal(conn: psycopg.Connection, file: Path) -> bytes:
    return sql.Literal(str(file)).as_bytes(conn)


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("TRUNCATE ibkeeper.quote, ibkeeper.quote_latest, ibkeeper.ingest_batch")
        found = conn.execute("SELECT count(*) FROM ibkeeper.quote").fetchone()
        assert found == (0,)
        conn.execute("CHECKPOINT")
