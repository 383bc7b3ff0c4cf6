"""The same seed and the same requests give the same bytes, under faults as well."""

from __future__ import annotations

import pytest
from ib_async import IB, Contract, MarketOrder

from ibcore.sim.server import Gateway, SimConfig
from sidecar.ib_compat import sever
from tests.integration import sim_client as asking
from tests.integration.hand_clock import HandClock, passes
from tests.integration.sim_client import RawClient, eventually, raw_client

pytestmark = pytest.mark.anyio

AAPL, SPY = 265598, 756733
APPLE = Contract(conId=AAPL, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")


Fault = tuple[str, float | None, dict[str, object]]


async def ask_everything(gateway: Gateway, client: RawClient) -> None:
    """Ask one thing after the other, each once the one before has been read."""
    option = gateway.source.universe.options("SPY")[100]
    asked = [
        [71, 2, 1, ""],
        asking.contract_details(1, con_id=AAPL),
        asking.contract_details(2, symbol="SPY", sec_type="OPT", expiry=option.expiry),
        [78, 3, "AAPL", "", "STK", AAPL],
        asking.market_data(4, con_id=AAPL, generic="233,106"),
        asking.market_data(5, con_id=SPY, generic="236"),
        asking.market_data(6, con_id=option.con_id, generic="100,101"),
        asking.market_data(7, con_id=SPY, snapshot=1),
        [49, 1],
        [7, "nonsense"],
    ]
    for number, request in enumerate(asked, 1):
        client.send(*request)
        await eventually(lambda number=number: len(gateway.ledger.requests) == number)


async def story(seed: int, *faults: Fault) -> tuple[bytes, list[str]]:
    """Return what one client received, byte for byte, and the plans of the faults."""
    clock = HandClock()
    config = SimConfig(seed=seed, clock=clock)
    async with Gateway(config) as gateway, raw_client(gateway, None) as client:
        await client.greet()
        await eventually(lambda: bool(gateway.ledger.counts["messages"]))
        await ask_everything(gateway, client)
        await passes(gateway, clock, 0.25)
        for name, for_s, given in faults:
            await gateway.fault(name, for_s, **given)
        for _ in range(50):
            await passes(gateway, clock, 0.25)
        await gateway.fault("drop")
        return await client.closed(), [record.plan for record in gateway.ledger.faults]


async def test_the_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    first, _ = await story(7)
    assert len(first) > 20_000
    assert (await story(7))[0] == first
    assert (await story(8))[0] != first


FAULTS: tuple[Fault, ...] = (
    ("garble", 5, {"share": 0.1, "line": "AAPL"}),
    ("poison", 4, {"line": "SPY", "after": 0.5}),
    ("10197", 1, {"after": 5, "bunch": 11}),
    ("1100", 1, {"after": 7, "every": 0.3, "then": "1101"}),
)


async def test_faults_are_repeated_to_the_byte_by_the_seed_that_they_print() -> None:
    first, plans = await story(7, *FAULTS)
    assert (await story(7, *FAULTS))[0] == first
    seed = int(plans[0].partition("--seed ")[2].split()[0])
    name, for_s, given = FAULTS[0]
    # Not the first fault of its run, so that its own seed would be another.
    before: Fault = ("mute", 1, {"client": 99})
    repeated, _ = await story(7, before, (name, for_s, {**given, "seed": seed}), *FAULTS[1:])
    assert repeated == first
    other, _ = await story(7, before, *FAULTS)
    assert other != first


async def test_orders_are_filled_alike_in_two_runs() -> None:
    async def trades(seed: int) -> list[tuple[int, tuple[str, ...]]]:
        clock = HandClock()
        config = SimConfig(seed=seed, clock=clock, messages_per_second=None)
        async with Gateway(config) as gateway:
            ib = IB()
            await ib.connectAsync("127.0.0.1", gateway.port, clientId=1)
            try:
                trade = ib.placeOrder(APPLE, MarketOrder("BUY", 2_000, tif="DAY"))
                book = gateway.trading.book
                await eventually(lambda: book.find(1, trade.order.orderId) is not None)
                for _ in range(20):
                    await passes(gateway, clock, 0.25)
                await eventually(lambda: trade.isDone())
            finally:
                await sever(ib)
            about = {3, 5, 11, 59}
            sent = gateway.ledger.sent_messages
            return [(message.msg_id, message.fields) for message in sent if message.msg_id in about]

    first = await trades(7)
    assert len(first) > 4
    assert await trades(7) == first
    assert await trades(8) != first
