"""How many quotes a MiB holds on TimescaleDB, before and after its columnstore.

The TimescaleDB of the tests (PGlite, run by node), where `make test` has installed it. Quotes of
100 instruments: prices walk by cents, sizes are round lots, arrival is microseconds apart.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.figures import Figure
from ibcore import db

NAMES = ("rows_per_mb_compressed", "rows_per_mb_hypertable", "compression_ratio")
PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / ".venv-timescale"
ROWS = 200_000
PAGE = 500  # PGlite takes no COPY, and no large message
INSERT = """
INSERT INTO ibkeeper.quote (ts, recv_ts, instrument_id, seq, epoch, provider, quality, tick_type,
                            bid, bid_size, ask, ask_size)
SELECT timestamptz '2026-01-02 15:00+00' + us * interval '1 microsecond',
       timestamptz '2026-01-02 15:00+00' + us * interval '1 microsecond',
       instrument, seq, 1, 'ib', 'live', 1, bid, bid_size, ask, ask_size
  FROM unnest(%b::bigint[], %b::int[], %b::bigint[], %b::float8[], %b::float8[], %b::float8[],
              %b::float8[]) AS r (us, instrument, seq, bid, bid_size, ask, ask_size)"""
SIZE = "SELECT hypertable_size('ibkeeper.quote')::float8 / 2 ^ 20"
COMPRESS = "SELECT compress_chunk(c) FROM show_chunks('ibkeeper.quote') AS c"
POLICIES = "SELECT * FROM ibkeeper.apply_policies(2, NULL)"


def measure() -> list[Figure]:
    """Return both densities and their ratio; nothing where there is no TimescaleDB."""
    if shutil.which("node") is None or not (FOLDER / "node_modules").is_dir():
        print(f"{NAMES[0]}: not available: run `make test` with node and npm first")
        return []
    with _timescale() as url:
        db.migrate(url)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("DEALLOCATE ALL")
            _fill(conn)
            plain = _number(conn, SIZE)
            conn.execute(POLICIES)
            conn.execute(COMPRESS)
            packed = _number(conn, SIZE)
    how = "quotes and indexes, TimescaleDB (PGlite), segment an instrument"
    return [
        Figure(NAMES[0], ROWS / packed, "rows/MiB", "higher", None, f"{how}, compressed"),
        Figure(NAMES[1], ROWS / plain, "rows/MiB", "higher", None, f"{how}, not compressed"),
        Figure(NAMES[2], plain / packed, "x", "higher", None, "the same rows, before and after"),
    ]


@contextmanager
def _timescale() -> Iterator[str]:
    script = PROJECT / "tests" / "timescale" / "server.mjs"
    with subprocess.Popen(
        ["node", str(script), str(FOLDER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split()[1]
        yield f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"
        server.communicate(timeout=30)


def _fill(conn: psycopg.Connection) -> None:
    dice, us = random.Random(7), 0
    mids = [dice.uniform(10, 500) for _ in range(100)]
    for first in range(1, ROWS + 1, PAGE):
        rows = []
        for seq in range(first, first + PAGE):
            us += dice.randrange(20, 180)
            who = dice.randrange(100)
            mids[who] = max(1.0, round(mids[who] + dice.choice((-0.01, 0.0, 0.01)), 2))
            lots = [100.0 * dice.randrange(1, 20) for _ in range(2)]
            rows.append((us, who + 1, seq, mids[who], lots[0], round(mids[who] + 0.01, 2), lots[1]))
        conn.execute(INSERT.encode(), [list(column) for column in zip(*rows, strict=True)])


def _number(conn: psycopg.Connection, query: str) -> float:
    found = conn.execute(query.encode()).fetchone()
    assert found is not None
    return float(found[0])
