"""Real traffic at every version: whatever the gateway answers, both clients understand alike."""

from __future__ import annotations

import pytest

from ibcore.sim import wire
from ibcore.sim.server import Gateway, SimConfig
from tests.conformance.agreement import compare
from tests.conformance.decoders import by_ib_async, by_official
from tests.conformance.test_decoders import VERSIONS, unexplained, unknown_sides
from tests.integration import sim_client as asking
from tests.integration.sim_client import RawClient, raw_client

pytestmark = pytest.mark.anyio

CURRENT_TIME = (49, 1)


async def converse(client: RawClient, version: int) -> list[list[str]]:
    """Ask for one of everything; return every message up to the answer to the last question."""
    issuer = [""] if version >= 176 else []
    details = asking.contract_details(7, symbol="NVDA", sec_type="STK")[:18]
    for request in (
        (71, 2, 5, ""),
        (61, 1),
        (5, 1),
        (99, 1),
        (6, 2, 1, "DU1234567"),
        (76, 1, 3, "DU1234567", "", 0),
        (7, 3, 4, "", "", "", "", "", "", ""),
        (62, 1, 6, "All", "NetLiquidation,$LEDGER"),
        (*details, *issuer),
        (*asking.contract_details(8, symbol="XXX", sec_type="STK")[:18], *issuer),
        (*asking.contract_details(9, symbol="NVDA", sec_type="OPT", strike=180)[:18], *issuer),
        (78, 10, "NVDA", "", "STK", 4815747),
        (81, 11, "A"),
        (91, 26),
        (91, 109),
        (59, 1, 1),
        asking.market_data(12, con_id=4815747, generic="233,236,293,294,295,411,595,106,101,100"),
        asking.market_data(13, con_id=1),
        (2, 2, 999),
        (4000, 1),
        CURRENT_TIME,
    ):
        client.send(*request)
    return await client.until(49)


@pytest.mark.parametrize("version", VERSIONS)
async def test_both_clients_understand_every_answer_alike(version: int) -> None:
    async with (
        Gateway(SimConfig(cadence_scale=0.02)) as gateway,
        raw_client(gateway, None) as client,
    ):
        await client.greet(f"v157..{version}")
        assert (await client.receive())[0] == str(version)
        frames = await converse(client, version)
        option = gateway.source.universe.options("NVDA")[500]
        client.send(*asking.market_data(14, con_id=option.con_id, generic="106,101,100,232,233"))
        frames += [frame for _ in range(10) for frame in await client.until(21)]
    heard = {int(fields[0]) for fields in frames}
    assert heard >= {1, 2, 4, 10, 21, 45, 46, 52, 58, 62, 63, 64, 73, 74, 75, 76, 79, 81, 93, 102}
    for fields in frames:
        frame = wire.frame(*fields)
        found = compare(by_ib_async(frame, version), by_official(frame, version))
        assert (unexplained(found), unknown_sides(found)) == ({}, set()), fields
    assert not [fields for fields in frames if fields[:1] == ["4"] and fields[3] == "322"]
