"""Faults in any number and order, from a seed: when they are cleared, nothing of them is left."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from ibcore.sim.faults import CATALOGUE, LASTING, LINE, SESSION
from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.sim_client import RawClient, eventually, raw_client
from tests.integration.test_sim_fuzz import LIMIT_ORDER

pytestmark = pytest.mark.anyio

AAPL = 265598
CONFIG = SimConfig(cadence_scale=0.1, farm_wake_s=0, messages_per_second=None)


async def ask(client: RawClient, rng: random.Random) -> None:
    """Ask something, whatever has become of the connection."""
    req_id = rng.randrange(1, 20)
    try:
        client.send(
            *rng.choice(
                [
                    [49, 1],
                    order(rng.randrange(1, 60), rng.choice(["1.0", "1000.0"])),
                    [4, 1, rng.randrange(1, 60), ""],
                    [2, 2, req_id],
                    asking.market_data(req_id, con_id=AAPL),
                    asking.contract_details(req_id, con_id=AAPL),
                    [16, 1],
                    [7, 3, req_id, 0, "", "", "", "", "", ""],
                ]
            )
        )
        await client.writer.drain()
    except ConnectionError:
        pass


def order(order_id: int, limit: str) -> list[str]:
    """Return placeOrder with another id and limit: one that rests, or one that fills."""
    return [LIMIT_ORDER[0], str(order_id), *(limit if f == "1.0" else f for f in LIMIT_ORDER[2:])]


async def disturb(gateway: Gateway, rng: random.Random) -> None:
    """Order a random fault with random targets; one that is impossible now is refused."""
    fault = CATALOGUE[rng.choice([name for name in CATALOGUE if name not in ("accept", "clear")])]
    given: dict[str, object] = {}
    if SESSION in fault.targets and rng.random() < 0.5:
        given["client"] = rng.randrange(4)
    if LINE in fault.targets and rng.random() < 0.3:
        given["line"] = rng.choice(["AAPL", "3"])
    if rng.random() < 0.3:
        given["after"] = rng.random() / 20
    for parameter in fault.parameters:
        if parameter.choices and rng.random() < 0.5:
            given[parameter.name] = rng.choice(parameter.choices)
        elif isinstance(parameter.default, bool):
            given[parameter.name] = rng.random() < 0.5
    for_s = rng.choice([None, 0.0, 0.03, 30.0]) if fault.name in LASTING else None
    try:
        await gateway.fault(fault.name, for_s, **given)
    except ValueError as error:
        if "nothing was executed" not in str(error) and "no order is working" not in str(error):
            raise


async def connect(gateway: Gateway, number: int, stack: AsyncExitStack) -> RawClient | None:
    """Connect and start, without waiting for answers that a fault may keep back."""
    try:
        client = await stack.enter_async_context(raw_client(gateway, None))
    except ConnectionError:
        return None
    await client.greet()
    client.send(71, 2, number, "")
    return client


def as_new(gateway: Gateway) -> bool:
    """Whether nothing of any fault is left."""
    return (
        not gateway.faults.active
        and gateway.listening
        and gateway.farms.all_well
        and gateway.speeds == []
        and gateway.standstills == 0
        and gateway.skewed.skew_s == 0
        and gateway.subscriptions.silences == [gateway.farms.silences]
        and all(
            not (session.out.filters or session.out.holds or session.out._shapers)
            for session in gateway.connections
        )
    )


@pytest.mark.parametrize("seed", [1, 42, 84])
async def test_after_any_faults_a_cleared_gateway_is_as_new(seed: int) -> None:
    rng = random.Random(seed)
    async with Gateway(CONFIG) as gateway, AsyncExitStack() as stack:
        for number in range(40):
            client = await connect(gateway, number % 4, stack)
            await disturb(gateway, rng)
            for _ in range(3):
                if client is not None:
                    await ask(client, rng)
            await asyncio.sleep(0.01)  # two turns: faults of different ages meet
        await gateway.fault("clear")
        await eventually(lambda: as_new(gateway))
        gateway.drop_all()
        await eventually(lambda: not gateway.connections)
        async with raw_client(gateway, 9) as fresh:
            fresh.send(*asking.market_data(1, con_id=AAPL))
            await fresh.until(1)
        assert gateway.ledger.orders.events
        counts = gateway.ledger.counts
        failures = {"sessions_failed", "answers_failed", "turns_failed", "faults_failed"}
        assert not failures & counts.keys()
