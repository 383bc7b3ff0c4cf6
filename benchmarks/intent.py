"""From an intent's commit to its frame at the gateway, with 100 lines streaming and a chain swept.

The frame's time is the simulator's ledger's; the intent's is the database's clock at its commit.
A batch of 1,000 then shows how near the pace of 40 messages a second the sender comes.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg

from benchmarks.figures import Figure
from benchmarks.rig import Rig
from ibcore.clock import monotonic, unix_ns

NAMES = ("intent_to_wire_p99_ms", "intent_to_wire_p50_ms", "orders_drain_vs_pace")
RATE, SINGLE, MANY, PACE = 1_000, 300, 1_000, 40
KNOWN = "SELECT count(*) FROM ibkeeper.account_state"
SPY = "SELECT id FROM ibkeeper.instrument WHERE symbol = 'SPY' AND sec_type = 'STK'"
BATCH = """
INSERT INTO ibkeeper.order_batch (key, body_hash, submitted_by) VALUES (%s, '', 'bench')
RETURNING id"""
INTENT = """
INSERT INTO ibkeeper.order_intent (batch_id, line, account, instrument_id, symbol, sec_type, side,
       quantity, order_type, limit_price, tif, not_after)
SELECT %s, n, 'DU1234567', %s, 'SPY', 'STK', 'BUY', n, 'LMT', 1.00, 'DAY', now() + interval '1 hour'
  FROM generate_series(%s::int, %s::int) AS n"""
CHAIN = """
INSERT INTO ibkeeper.request (kind, payload, deadline_at)
VALUES ('chain_snapshot', %s, now() + interval '2 minutes')"""


def measure() -> list[Figure]:
    """Run the sidecar under load and send orders through it."""
    with (
        tempfile.TemporaryDirectory(prefix="ibk-bench-") as folder,
        Rig(Path(folder) / "home", rate=RATE, seconds=180) as rig,
    ):
        rig.start_sidecar()
        rig.wait_for(lambda: rig.count(KNOWN), "the account")
        with psycopg.connect(rig.url, autocommit=True) as conn:
            spy = _one(conn, SPY)
            with _sweeping(rig.url):
                waits = sorted(_waits(rig, _singly(conn, spy)))
            drained_s = _drain(rig, conn, spy)
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    against = f"{SINGLE} orders one by one, 100 lines at {RATE} messages/s and a chain sweep"
    share = MANY / PACE / drained_s
    pace = f"{MANY} orders in one batch, against {PACE} messages/s"
    return [
        Figure(NAMES[0], p99, "ms", "lower", 25.0, against),
        Figure(NAMES[1], p50, "ms", "lower", None, against),
        Figure(NAMES[2], share, "x", "higher", 0.95, pace),
    ]


@contextmanager
def _sweeping(url: str) -> Iterator[None]:
    """Ask for one chain after the other until the block ends."""
    over = threading.Event()

    def ask() -> None:
        payload = orjson.dumps({"underlying": "QQQ", "strikes": 20}).decode()
        with psycopg.connect(url, autocommit=True) as conn:
            while not over.wait(1.0):
                busy = _one(conn, "SELECT count(*) FROM ibkeeper.request WHERE finished_at IS NULL")
                if not busy:
                    conn.execute(CHAIN, (payload,))

    thread = threading.Thread(target=ask, name="chains")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _singly(conn: psycopg.Connection[Any], spy: int) -> dict[str, int]:
    """Commit one order after the other, some ten a second; return when each was committed."""
    taken: dict[str, int] = {}
    pause = threading.Event()
    for _ in range(SINGLE):
        batch = _one(conn, BATCH, uuid4().hex)
        conn.execute(INTENT, (batch, spy, 1, 1))
        taken[str(batch)] = unix_ns()
        pause.wait(0.1)
    return taken


def _waits(rig: Rig, taken: dict[str, int]) -> list[float]:
    sent = "SELECT batch_id::text, order_id FROM ibkeeper.order_intent WHERE order_id IS NOT NULL"
    rig.wait_for(lambda: rig.count(_ACKED) >= SINGLE, "every order acknowledged")
    with psycopg.connect(rig.url) as conn:
        orders = {order_id: batch for batch, order_id in conn.execute(sent)}
    placed = rig.placed()
    return [(at_ns - taken[orders[order_id]]) / 1e6 for order_id, at_ns in placed.items()]


_ACKED = "SELECT count(*) FROM ibkeeper.order_intent WHERE state = 'acked'"


def _drain(rig: Rig, conn: psycopg.Connection[Any], spy: int) -> float:
    before = set(rig.placed())
    batch = _one(conn, BATCH, uuid4().hex)
    began = monotonic()
    conn.execute(INTENT, (batch, spy, 2, MANY + 1))
    rig.wait_for(lambda: rig.count(_ACKED) >= SINGLE + MANY, "the whole batch", within_s=90)
    assert monotonic() > began
    times = [at_ns for order_id, at_ns in rig.placed().items() if order_id not in before]
    return (max(times) - min(times)) / 1e9


def _one(conn: psycopg.Connection[Any], query: str, *values: Any) -> Any:
    row = conn.execute(query.encode(), values).fetchone()
    assert row is not None
    return row[0]
