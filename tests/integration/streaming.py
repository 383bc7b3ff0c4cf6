"""A whole sidecar in this process, pointed at a simulated gateway."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import anyio
import psycopg

from ibcore.config import (
    AlpacaSettings,
    FailoverSettings,
    GatewaySettings,
    LivenessSettings,
    Settings,
    StandbySettings,
)
from ibcore.sim.contracts import Contract
from ibcore.sim.ledger import SentTick
from ibcore.sim.server import Gateway
from sidecar.app import Parts, assemble

Row = tuple[object, ...]


def watch(url: str, contracts: Iterable[Contract]) -> None:
    """Put contracts of the simulator on the watch list."""
    with psycopg.connect(url, autocommit=True) as conn, conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ibkeeper.watch (symbol, sec_type, exchange, currency, expiry, strike,"
            ' "right") VALUES (%s, %s, %s, %s, %s, %s, %s)',
            [
                (c.symbol, c.sec_type, "SMART", "USD", c.expiry, c.strike, c.right)
                for c in contracts
            ],
        )


@asynccontextmanager
async def streaming(
    url: str,
    gateway: Gateway,
    *,
    market_data_type: Literal[1, 2, 3, 4] = 1,
    lines: int = 100,
    liveness: LivenessSettings | None = None,
    standby: Gateway | None = None,
    failover: FailoverSettings | None = None,
    alpaca: AlpacaSettings | None = None,
) -> AsyncIterator[Parts]:
    """Run the parts of a sidecar against `gateway`; its rows are drained at the end."""
    with tempfile.TemporaryDirectory(prefix="ibk-home-") as home:
        settings = Settings(
            home=Path(home),
            liveness=liveness or LivenessSettings(),
            gateway=GatewaySettings(
                host="127.0.0.1",
                port=gateway.port,
                market_data_type=market_data_type,
                lines=lines,
            ),
            standby=_standby(standby),
            failover=failover or FailoverSettings(),
            alpaca=alpaca or AlpacaSettings(),
        )
        parts = assemble(settings, url, 1)
        async with anyio.create_task_group() as keepers:
            for name, task in parts.keepers().items():
                keepers.start_soon(task, name=name)
            async with anyio.create_task_group() as workers:
                for name, task in parts.workers().items():
                    workers.start_soon(task, name=name)
                yield parts
                workers.cancel_scope.cancel()
            await parts.recorder.drain(10.0)
            # A journal cancelled inside a transaction leaves its connection open (psycopg's
            # __aexit__ rolls back before it closes, and the rollback is cancelled too).
            await parts.journal.drain(10.0)
            await parts.streaming.lines.drain(10.0)
            await parts.backing.drain(10.0)
            await parts.incidents.drain(10.0)
            keepers.cancel_scope.cancel()


def _standby(gateway: Gateway | None) -> StandbySettings:
    if gateway is None:
        return StandbySettings()
    return StandbySettings(host="127.0.0.1", port=gateway.port)


def state_changes(ticks: Sequence[SentTick]) -> list[Row]:
    """Fold price and size ticks of one line by the book, independently of the sidecar.

    A row for each tick that changes bid, ask or their sizes: ("quote", tick type, bid, bid size,
    ask, ask size); for each that changes the last price or size: ("trade", type, price, size).
    """
    state: dict[str, float | None] = dict.fromkeys(("bid", "bid_n", "ask", "ask_n"))
    last: dict[str, float | None] = {"price": None, "n": None}
    rows: list[Row] = []
    for tick in ticks:
        before, traded = dict(state), dict(last)
        name = {1: "bid", 0: "bid", 2: "ask", 3: "ask", 4: "last", 5: "last"}.get(tick.tick_type)
        numbers = [float(text) for text in tick.fields[:2]] if name else []
        if name == "last":
            if tick.tick_type == 4:
                last.update(price=numbers[0], n=numbers[1])
            elif last["price"] is not None:
                last["n"] = numbers[0]
        elif tick.tick_type in (1, 2):
            price, size = numbers
            gone = price <= 0 and size == 0
            state.update({f"{name}": None if gone else price, f"{name}_n": None if gone else size})
        elif name and not (numbers[0] == 0 and state[f"{name}_n"] is None):
            state[f"{name}_n"] = numbers[0]
        if state != before:
            rows.append(("quote", tick.tick_type, *state.values()))
        if last != traded:
            rows.append(("trade", tick.tick_type, *last.values()))
    return rows


STORED = """
SELECT con_id, kind, tick_type, n FROM (
    SELECT instrument_id, seq, 'quote' AS kind, tick_type, ARRAY[bid, bid_size, ask, ask_size] AS n
      FROM ibkeeper.quote
     UNION ALL
    SELECT instrument_id, seq, 'trade', tick_type, ARRAY[price, size] FROM ibkeeper.trade
     WHERE source = 'last') AS stored
  JOIN ibkeeper.instrument i ON i.id = instrument_id
 ORDER BY seq"""


def stored_changes(url: str) -> dict[int, list[Row]]:
    """Return what the database has, by contract id, in the form of `state_changes`."""
    changes: dict[int, list[Row]] = {}
    with psycopg.connect(url) as conn:
        for con_id, kind, tick_type, numbers in conn.execute(STORED):
            changes.setdefault(con_id, []).append((kind, tick_type, *numbers))
    return changes
