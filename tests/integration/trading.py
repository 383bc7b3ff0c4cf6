"""An orders desk on a real database and a simulated gateway: rows in, the gateway's ledger out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import psycopg
from ib_async import Stock
from psycopg.rows import dict_row

from ibcore import db
from ibcore.batch import submit
from ibcore.batch.line import OrderLine
from ibcore.batch.submit import Batch, Order
from ibcore.config import Settings
from ibcore.domain import Endpoint
from ibcore.sim.server import Gateway
from sidecar import instruments
from sidecar.incident_board import IncidentBoard
from sidecar.journal import Journal
from sidecar.orders.desk import OrdersDesk, assemble
from tests.integration.gateways import eventually
from tests.integration.sim_client import ib_client

ACCOUNT = "DU1234567"
CLIENT = 12
FAST: dict[str, Any] = {"scan_timeout_s": 1.0, "absence_s": 0.5, "inflight_s": 0.4}


def settings(url: str, home: Path, port: int, **orders: Any) -> Settings:
    """Return the settings of a desk with deadlines short enough for a test."""
    return Settings(
        home=home,
        database_url=url,
        gateway={"port": port, "knock_s": 0.05, "heartbeat_s": 0.5},
        orders=FAST | orders,
    )


class Trading:
    """A running desk, and a look at both sides of it."""

    def __init__(self, desk: OrdersDesk, gateway: Gateway, url: str, epoch: int) -> None:
        self.desk = desk
        self.gateway = gateway
        self.url = url
        self.epoch = epoch

    async def submit(self, key: str, *lines: OrderLine, **more: Any) -> submit.Submitted:
        """Submit a batch as the flow does."""
        (spy,) = self.ask("SELECT id FROM ibkeeper.instrument WHERE symbol = 'SPY'")
        made = [Order(line, spy["id"]) for line in lines]
        batch = Batch(key, more.pop("account", ACCOUNT), made, "a test", **more)
        async with db.opened(self.url, application="test") as conn:
            return await submit.submit(conn, batch)

    async def cancel(self, key: str) -> tuple[int, int]:
        """Cancel a batch as a person does."""
        async with db.opened(self.url, application="test") as conn:
            return await submit.cancel(conn, key, by="ann")

    def ask(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of a statement."""
        return rows(self.url, statement, *values)

    def states(self, key: str, kind: str = "new") -> list[str]:
        """Return the states of a batch, by line."""
        found = self.ask(
            "SELECT state FROM ibkeeper.v_order WHERE batch = %s AND kind = %s ORDER BY line",
            key,
            kind,
        )
        return [row["state"] for row in found]

    async def until(self, key: str, *states: str, within_s: float = 10.0) -> None:
        """Wait until the orders of a batch are in these states."""
        try:
            await eventually(lambda: self.states(key) == list(states), within_s=within_s)
        except AssertionError:
            raise AssertionError(f"{key}: {self.states(key)}, not {list(states)}") from None

    def placed(self) -> list[tuple[int, int]]:
        """Return what the gateway was asked to place, as (client, order id)."""
        events = self.gateway.ledger.orders.events
        return [(e.client_id, e.order_id) for e in events if e.what == "placed"]

    async def ready(self) -> None:
        """Wait until orders may go."""
        await eventually(lambda: self.desk.engine.gate.why() is None)


def rows(url: str, statement: str, *values: Any) -> list[dict[str, Any]]:
    """Return the rows of a statement."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn:
        return conn.execute(statement.encode(), values).fetchall()


def line(quantity: int = 1, **values: Any) -> OrderLine:
    """Return an order that stays: a buy far below the market."""
    terms: dict[str, Any] = {"symbol": "SPY", "side": "BUY", "quantity": quantity}
    if values.get("order_type", "LMT") == "LMT":
        terms["limit_price"] = Decimal("1.00")
    return OrderLine(**(terms | values))


async def know_spy(gateway: Gateway, url: str) -> None:
    """Make the instrument's row as the watch list would."""
    async with ib_client(gateway, 99) as ib:
        details = await ib.reqContractDetailsAsync(Stock("SPY", "SMART", "USD"))
    async with db.opened(url, application="test") as conn:
        await instruments.upsert(conn, details)


def fresh_quote(url: str, bid: float, ask: float) -> None:
    """Put a quote of this moment into the cache."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO ibkeeper.quote_latest (instrument_id, ts, recv_ts, seq, epoch, provider,"
            " quality, bid, ask) SELECT id, now(), now(), 1, 1, 'ib', 'live', %s, %s"
            " FROM ibkeeper.instrument WHERE symbol = 'SPY' ON CONFLICT (instrument_id) DO UPDATE"
            " SET recv_ts = now(), bid = excluded.bid, ask = excluded.ask",
            (bid, ask),
        )


def next_epoch(url: str) -> int:
    """Start the sidecar's row anew, as a start does."""
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute("SELECT nextval('ibkeeper.epoch_seq')::int").fetchone()
        assert row is not None
        conn.execute(
            "INSERT INTO ibkeeper.sidecar (name, epoch, pid, host, version, state, started_at,"
            " heartbeat_at) VALUES ('main', %s, 1, 'here', '0', 'running', now(), now())"
            " ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch",
            (row[0],),
        )
        return int(row[0])


@asynccontextmanager
async def trading(
    url: str, home: Path, gateway: Gateway, *, ready: bool = True, **orders: Any
) -> AsyncIterator[Trading]:
    """Run a desk for the length of the block; at its end the ledger is drained."""
    made, epoch = settings(url, home, gateway.port, **orders), next_epoch(url)
    desk = assemble(
        made, url, epoch,
        endpoint=Endpoint("127.0.0.1", gateway.port, CLIENT),
        journal=Journal(url, sidecar="main", epoch=epoch),
        incidents=(board := IncidentBoard(url)),
    )  # fmt: skip
    running = Trading(desk, gateway, url, epoch)
    async with anyio.create_task_group() as group:
        for name, task in {**desk.workers(), **desk.keepers()}.items():
            group.start_soon(task, name=name)
        group.start_soon(board.run, name="incidents")
        if ready:
            await running.ready()
        yield running
        group.cancel_scope.cancel()
    await desk.ledger.drain(2.0)
