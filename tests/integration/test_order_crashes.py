"""kill -9 of the real sidecar at every place on an order's way: never twice, never lost.

Each process is killed at its place, and the next one recovers what it left, before it is killed
at the next place. The gateway lives on and is the judge: its ledger knows every order and fill.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ibcore import db
from ibcore.batch import submit
from ibcore.batch.submit import Batch, Order
from ibcore.sim.server import Gateway, SimConfig
from tests.integration.gateways import eventually
from tests.integration.trading import ACCOUNT, know_spy, line, rows

pytestmark = pytest.mark.anyio
BEFORE = ("after_risk", "after_submitting", "before_frame")
AFTER = ("after_frame", "heard_open", "heard_status")
FILLS = ("heard_execution", "heard_commission")
# What is judged is what happened, not how soon: a start takes half a minute on a starved machine.
PATIENCE_S = 60.0
SETTLED = {"acked", "partial", "filled", "not_sent", "cancelled"}


class Run(NamedTuple):
    """Where the process is killed, what it was doing, and what IB did meanwhile."""

    place: str
    fate: str
    doing: str = "order"


RUNS = [
    *(Run(place, "never received") for place in BEFORE),
    *(Run(place, fate) for place in AFTER for fate in ("plain", "ack lost", "filled while down")),
    *(Run(place, "filled") for place in FILLS),
    *(Run(place, fate, "cancel") for place in BEFORE[1:]
      for fate in ("plain", "filled while down")),
    *(Run("after_frame", fate, "cancel") for fate in ("plain", "ack lost")),
    *(Run(place, fate, "modify") for place in ("before_frame", "after_frame")
      for fate in ("plain", "ack lost", "filled while down")),
    *(Run("after_frame", fate) for fate in ("plain", "ack lost", "filled while down")),
    Run("heard_commission", "filled"),
]  # fmt: skip


class Sidecars:
    """One sidecar after the other, on the same home, database and gateway."""

    def __init__(self, url: str, home: Path, port: int) -> None:
        self.url = url
        self.armed = home / "armed"
        self._home = home
        self._port = port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, place: str) -> None:
        """Start the next one; it dies at `place` once it is armed."""
        self.armed.unlink(missing_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("IBKEEPER_")}
        environ = kept | {
            "IBKEEPER_DATABASE_URL": self.url,
            "IBKEEPER_HOME": str(self._home),
            "IBKEEPER_GATEWAY__PORT": str(self._port),
            "IBKEEPER_SIDECAR__NICE": "0",  # other tests run beside it
            "IBKEEPER_ORDERS__ABSENCE_S": "0.5",
            "IBKEEPER_ORDERS__INFLIGHT_S": "0.4",
            "IBKEEPER_TEST_CRASH_AT": f"{place}:{self.armed}",
        }
        with (self._home / "sidecar.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sidecar", env=environ, stdout=log, stderr=log
            )

    def said(self) -> list[str]:
        """Return its last words."""
        return (self._home / "sidecar.log").read_text("utf-8").splitlines()[-40:]

    async def died(self) -> None:
        """Wait until it has killed itself."""
        assert self._process is not None
        assert await asyncio.wait_for(self._process.wait(), PATIENCE_S) == -9

    async def stop(self) -> None:
        """End the last one."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def gateway(db_url: str) -> AsyncIterator[Gateway]:
    async with Gateway(SimConfig(cadence_scale=0.1)) as running:
        await know_spy(running, db_url)
        yield running


@pytest.fixture
async def sidecars(db_url: str, tmp_path: Path, gateway: Gateway) -> AsyncIterator[Sidecars]:
    made = Sidecars(db_url, tmp_path, gateway.port)
    try:
        yield made
    finally:
        await made.stop()


async def give(url: str, key: str, limit: int) -> None:
    """Submit one resting order under a key of its own."""
    (spy,) = rows(url, "SELECT id FROM ibkeeper.instrument WHERE symbol = 'SPY'")
    batch = Batch(key, ACCOUNT, [Order(line(5, limit_price=limit), spy["id"])], "a test")
    async with db.opened(url, application="test") as conn:
        await submit.submit(conn, batch)


def state(url: str, key: str, kind: str = "new") -> str:
    found = rows(
        url, "SELECT state FROM ibkeeper.v_order WHERE batch = %s AND kind = %s", key, kind
    )
    return str(found[0]["state"]) if found else ""


async def change(url: str, key: str, doing: str) -> None:
    async with db.opened(url, application="test") as conn:
        if doing == "cancel":
            await submit.cancel(conn, key, by="ann")
        else:
            await submit.modify(conn, key, 1, limit_price=2)


async def play(run: Run, key: str, sidecars: Sidecars, gateway: Gateway) -> None:
    """Let the process die in the middle of it."""
    url = sidecars.url
    if run.doing != "order":
        await give(url, key, 3)
        await eventually(lambda: state(url, key) == "acked", within_s=PATIENCE_S)
    if run.fate == "ack lost":
        await gateway.fault("lost-ack", 60)
    sidecars.armed.touch()
    await (give(url, key, 3) if run.doing == "order" else change(url, key, run.doing))
    if run.fate == "filled":
        placed = "SELECT 1 FROM ibkeeper.order_intent WHERE sent_at IS NOT NULL AND state = 'acked'"
        await eventually(
            lambda: rows(url, placed + f" AND id = '{intent(url, key)}'"), within_s=PATIENCE_S
        )
        await gateway.fault("fill", order=order_id(url, key))
    if run.place.startswith("heard") and run.fate == "ack lost":
        await gateway.fault("clear")  # what is never heard kills nobody
        sidecars.armed.touch()
        number = await numbered(url, key)
        # The id is durable before the frame is sent.
        await eventually(lambda: number in placed_orders(gateway), within_s=PATIENCE_S)
        await gateway.fault("fill", order=number, shares=1)
    await sidecars.died()
    await gateway.fault("clear")
    if run.fate == "filled while down":
        number = order_id(url, key)
        if number and placed_orders(gateway).count(number):
            with suppress(ValueError):  # the cancel was there before the process died
                await gateway.fault("fill", order=number)


def intent(url: str, key: str) -> Any:
    (row,) = rows(url, "SELECT id FROM ibkeeper.v_order WHERE batch = %s AND kind = 'new'", key)
    return row["id"]


def order_id(url: str, key: str) -> int:
    (row,) = rows(
        url, "SELECT order_id FROM ibkeeper.v_order WHERE batch = %s AND kind = 'new'", key
    )
    return int(row["order_id"] or 0)


async def numbered(url: str, key: str) -> int:
    await eventually(lambda: order_id(url, key), within_s=PATIENCE_S)
    return order_id(url, key)


def placed_orders(gateway: Gateway) -> list[int]:
    return [e.order_id for e in gateway.ledger.orders.events if e.what == "placed"]


async def judged(run: Run, key: str, url: str, gateway: Gateway) -> None:
    """Hold what the next process made of it to the gateway's ledger."""
    await eventually(lambda: state(url, key) in SETTLED, within_s=PATIENCE_S)
    number = order_id(url, key)
    fills = [f for f in gateway.ledger.orders.fills if f.order_id == number and f.client_id == 12]
    assert placed_orders(gateway).count(number) <= 1, "sent twice"
    if not placed_orders(gateway).count(number):
        assert state(url, key) == "not_sent", run
    executed = sum(f.shares for f in fills)
    # The dead process may have left it acked: then this waits for the next one to start and scan.
    await eventually(lambda: filled(url, key) == executed, within_s=PATIENCE_S)
    if executed == 5:
        await eventually(lambda: state(url, key) == "filled", within_s=PATIENCE_S)
    if run.doing != "order":
        ended = {"done", "rejected", "unknown", "refused", "not_sent"}
        await eventually(lambda: state(url, key, run.doing) in ended, within_s=PATIENCE_S)
        if state(url, key, run.doing) == "unknown":
            told = (
                "SELECT 1 FROM ibkeeper.incident WHERE kind = 'order_change_unknown' AND key ="
                " (SELECT 'order_change_unknown:' || id FROM ibkeeper.v_order"
                " WHERE batch = %s AND kind = %s)"
            )
            assert rows(url, told, key, run.doing), "nobody was told"


def filled(url: str, key: str) -> float:
    (row,) = rows(url, "SELECT filled FROM ibkeeper.v_order WHERE batch = %s AND kind = 'new'", key)
    return float(row["filled"])


@contextmanager
def told(key: str, sidecars: Sidecars) -> Iterator[None]:
    """Say of a failure in which run it was, what its orders are, and what the sidecar said last."""
    try:
        yield
    except (AssertionError, TimeoutError) as failed:
        orders = rows(
            sidecars.url, "SELECT batch, kind, state, reason, order_id, filled, state_at"
            " FROM ibkeeper.v_order ORDER BY created_at DESC LIMIT 4"
        )  # fmt: skip
        said = [*map(str, orders), *sidecars.said()]
        raise AssertionError("\n".join([f"{key}: {failed!r}", *said])) from failed


async def through(runs: Iterator[Run], sidecars: Sidecars, gateway: Gateway) -> None:
    """Die in one run, recover in the next."""
    before: tuple[Run, str] | None = None
    for number, run in enumerate(runs):
        key = f"run {number}: {run.place}, {run.fate}, {run.doing}".replace(",", "")
        with told(key, sidecars):
            await sidecars.start(run.place)
            if before is not None:
                await judged(*before, sidecars.url, gateway)
            await play(run, key, sidecars, gateway)
        before = (run, key)
    await sidecars.start("nowhere")
    assert before is not None
    await judged(*before, sidecars.url, gateway)
    unknown = "SELECT count(*) FROM ibkeeper.order_intent WHERE state = 'unknown' AND kind = 'new'"
    assert rows(sidecars.url, unknown) == [{"count": 0}]
    refs = rows(sidecars.url, "SELECT count(DISTINCT order_ref) = count(order_ref) AS one"
                " FROM ibkeeper.order_intent")  # fmt: skip
    assert refs == [{"one": True}]


@pytest.mark.timeout(300)
async def test_thirty_kills_on_the_way_of_an_order_double_nothing_and_lose_nothing(
    sidecars: Sidecars, gateway: Gateway
) -> None:
    assert len(RUNS) >= 30
    await through(iter(RUNS), sidecars, gateway)


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_a_thousand_kills_on_the_way_of_an_order(
    sidecars: Sidecars, gateway: Gateway, dice: random.Random
) -> None:
    endless = (dice.choice(RUNS) for _ in itertools.count())
    await through(itertools.islice(endless, 1_000), sidecars, gateway)
