"""The kill switch on a running desk, measured by the gateway's own ledger."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from ibcore import authority, clock, db, kill_file
from ibcore.authority import Word
from ibcore.embedded import Server
from ibcore.sim.server import Gateway, SimConfig
from tests.integration.gateways import eventually
from tests.integration.trading import Trading, know_spy, line, trading

pytestmark = [pytest.mark.anyio, pytest.mark.alone]
MANY = [line(1 + number) for number in range(100)]


@asynccontextmanager
async def working(url: str, home: Path) -> AsyncIterator[Trading]:
    """Run a desk with a hundred orders that work, and a hundred more on their way."""
    async with Gateway(SimConfig(cadence_scale=0.1)) as gateway:
        await know_spy(gateway, url)
        async with trading(url, home, gateway) as desk:
            await desk.submit("working", *MANY)
            await desk.until("working", *["acked"] * 100)
            await desk.submit("on their way", *MANY)
            await eventually(lambda: len(desk.placed()) >= 110)
            yield desk


async def stopped(desk: Trading, tripped_ns: int) -> None:
    """Hold the ledger to the promise: no order after a second, all cancelled after five."""
    events = desk.gateway.ledger.orders.events

    def left() -> int:
        gone = {e.order_id for e in desk.gateway.ledger.orders.events if e.status == "Cancelled"}
        return len({order for _, order in desk.placed()} - gone)

    await eventually(lambda: left() == 0, within_s=6.0)
    ended_s = (clock.unix_ns() - tripped_ns) / 1e9
    events = desk.gateway.ledger.orders.events
    last_ns = max(e.at_ns for e in events if e.what == "placed")
    cancels = [e.at_ns for e in events if e.what == "cancel"]
    assert (last_ns - tripped_ns) / 1e9 < 1.0
    assert (max(cancels) - tripped_ns) / 1e9 < 5.0
    assert ended_s < 6.0
    await anyio.sleep(0.5)
    assert left() == 0  # nothing came afterwards


async def by_row(url: str, _home: Path) -> None:
    async with db.opened(url, application="test") as conn:
        await authority.set_kill_switch(conn, True, Word("ann", "a drill"))


async def by_file(_url: str, home: Path) -> None:
    kill_file.path(home).touch()


async def by_signal(_url: str, _home: Path) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)


@pytest.mark.parametrize("trip", [by_row, by_file, by_signal])
async def test_a_hundred_working_orders_are_cancelled_and_nothing_more_is_sent(
    db_url: str, tmp_path: Path, trip: Callable[..., object]
) -> None:
    async with working(db_url, tmp_path) as desk:
        tripped_ns = clock.unix_ns()
        await trip(db_url, tmp_path)  # type: ignore[misc]
        await stopped(desk, tripped_ns)
        await desk.until("working", *["cancelled"] * 100)
        ended = {"cancelled", "refused", "not_sent"}  # not_sent: claimed, and not handed over
        await eventually(lambda: set(desk.states("on their way")) <= ended)
        # Lifted by name, what waited does not go by itself.
        kill_file.lift(tmp_path)
        async with db.opened(db_url, application="test") as conn:
            await authority.set_kill_switch(conn, False, Word("ann", "the drill is over"))
        before = len(desk.placed())
        await desk.ready()
        await desk.submit("after", line(7))
        await desk.until("after", "acked")
        assert len(desk.placed()) == before + 1


@pytest.mark.parametrize("trip", [by_file, by_signal])
async def test_it_works_with_the_database_down(tmp_path: Path, trip: Callable[..., object]) -> None:
    with tempfile.TemporaryDirectory(prefix="ibkeeper-test-") as folder:
        home = Path(folder) / "home"
        with ExitStack() as servers:
            url = servers.enter_context(Server(home)).url()
            db.migrate(url)
            async with working(url, tmp_path) as desk:
                servers.close()
                await eventually(lambda: desk.desk.kill_switch.why() is not None)
                tripped_ns = clock.unix_ns()
                await trip(url, tmp_path)  # type: ignore[misc]
                await stopped(desk, tripped_ns)
                servers.enter_context(Server(home))
                await desk.until("working", *["cancelled"] * 100, within_s=20.0)


async def test_a_restart_with_the_switch_on_sends_nothing_and_cancels_what_works(
    db_url: str, tmp_path: Path
) -> None:
    async with Gateway(SimConfig(cadence_scale=0.1)) as gateway:
        await know_spy(gateway, db_url)
        async with trading(db_url, tmp_path, gateway) as desk:
            await desk.submit("one", line(1), line(2))
            await desk.until("one", "acked", "acked")
        kill_file.path(tmp_path).touch()
        async with trading(db_url, tmp_path, gateway, ready=False) as desk:
            await desk.submit("two", line(3))
            await desk.until("one", "cancelled", "cancelled")
            await desk.until("two", "refused")
            assert len(desk.placed()) == 2
