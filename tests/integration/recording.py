"""What the recorder's tests share: rows to record, a recorder that runs, counts from SQL."""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psycopg
from psycopg import sql
from typing_extensions import LiteralString

from ibcore.clock import now_us
from ibcore.config import RecorderSettings
from ibcore.domain import Greeks, GreeksKind, MarketRow, Quote, Stat, Trade
from sidecar.recorder import Recorder

STORED_SEQS = """
SELECT seq FROM (SELECT seq FROM ibkeeper.quote UNION ALL SELECT seq FROM ibkeeper.trade
                 UNION ALL SELECT seq FROM ibkeeper.greeks
                 UNION ALL SELECT seq FROM ibkeeper.instrument_stat) AS stored ORDER BY seq"""


@asynccontextmanager
async def recording(
    url: str, *, spool: Path | None = None, epoch: int = 1, **settings: int
) -> AsyncIterator[Recorder]:
    """Run a recorder; what it holds at the end is drained."""
    with tempfile.TemporaryDirectory(prefix="ibk-spool-") as folder:
        recorder = make_recorder(url, spool or Path(folder) / "main.db", epoch=epoch, **settings)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(recorder.run)
            yield recorder
            await recorder.drain(10.0)
            tasks.cancel_scope.cancel()


def make_recorder(url: str, spool: Path, *, epoch: int = 1, **settings: int) -> Recorder:
    """Return a recorder that does not run yet."""
    chosen = RecorderSettings(**settings)
    return Recorder(url, settings=chosen, spool=spool, sidecar="main", epoch=epoch)


def make_row(recorder: Recorder, dice: random.Random) -> MarketRow:
    """Return a row of any table, with NULLs where they may be."""
    now = now_us()
    epoch = recorder.origin.epoch
    head = (now, now, dice.randrange(1, 20), recorder.next_seq(), epoch, "ib", "live")

    def maybe() -> float | None:
        return None if dice.random() < 0.2 else dice.uniform(-100, 1000)

    def size() -> float | None:
        return None if dice.random() < 0.2 else float(dice.randrange(1, 10_000))

    match dice.randrange(4):
        case 0:
            return Quote(*head, dice.choice((0, 1, 2, 3)), maybe(), size(), maybe(), size())
        case 1:
            source = dice.choice(("last", "rt_volume"))
            return Trade(*head, 4, source, dice.uniform(1, 100), size(), size(), maybe())
        case 2:
            numbers = [size(), *(maybe() for _ in range(4)), size(), maybe(), maybe()]
            based = dice.choice((True, False, None))
            return Greeks(*head, dice.choice([str(k) for k in GreeksKind]), *numbers, based)
        case _:
            text = dice.random() < 0.3
            value = dice.choice(("P", "Q", "é")) if text else dice.uniform(0, 9)
            return Stat(*head, 32, "bid_exchange" if text else "halted", value)


def record(recorder: Recorder, dice: random.Random, count: int) -> list[MarketRow]:
    """Record `count` rows and return them."""
    rows = [make_row(recorder, dice) for _ in range(count)]
    for row in rows:
        recorder.record(row)
    return rows


def select(url: str, query: LiteralString | sql.Composed, *parameters: Any) -> list[Any]:
    """Ask the database from outside."""
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute(query, parameters or None).fetchall()


def stored_seqs(url: str) -> list[int]:
    """Return the seq of every stored row, sorted."""
    return [seq for (seq,) in select(url, STORED_SEQS)]


async def until(condition: Callable[[], bool], *, within_s: float = 15.0) -> None:
    """Wait for a condition that a task of ours brings about."""
    with anyio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110 (the condition has no event)
            await anyio.sleep(0.01)
