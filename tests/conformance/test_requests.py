"""Every request that either client can send is read and answered: none is unknown here."""

from __future__ import annotations

import asyncio
import inspect
import re
from typing import Any

import ib_async
import pytest
from ibapi.message import OUT

from ibcore.sim import requests
from ibcore.sim.answers import ANSWERS
from ibcore.sim.server import Gateway, SimConfig
from tests.conformance import asked
from tests.conformance.test_decoders import VERSIONS
from tests.integration.sim_client import ib_client, raw_client

pytestmark = pytest.mark.anyio

# Requests that end something, or begin what may stay silent: nothing needs to come back.
_SILENT = {
    *(2, 8, 13, 14, 15, 23, 53, 56, 57, 58, 63, 64, 70, 75, 77, 89, 90, 93, 95, 101, 103),
    *(12, 59, 97, 94),
}
_JOBS = {20, 50, 88, 96}  # these take longer than the next answer
_NEWER = {105, 106, 107, 108, 109}  # of servers above 178: the official client does not send them


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client", [asked.by_ib_async, asked.by_official])
def test_every_request_of_both_clients_is_read_in_full(client: Any, version: int) -> None:
    for name, fields in client(version).items():
        read = requests.parse(fields, version)
        assert read.msg_id == int(fields[0]), name


def test_no_number_of_either_client_is_left_out() -> None:
    source = inspect.getsource(ib_async.client)
    listed = {int(number) for number in re.findall(r"(?:send\(|fields = \[)\s*(\d+),?", source)}
    named = {value for value in vars(OUT).values() if isinstance(value, int)}
    sent = {
        int(fields[0])
        for client in (asked.by_ib_async, asked.by_official)
        for fields in client(178).values()
    }
    assert listed | named <= sent | _NEWER
    assert sent - {71} <= ANSWERS.keys()


@pytest.mark.parametrize("client", [asked.by_ib_async, asked.by_official])
async def test_every_request_is_answered_or_refused_on_its_own_id(client: Any) -> None:
    config = SimConfig(cadence_scale=0.1, symbols=("AAPL",))
    sent = {name: fields for name, fields in client(178).items() if fields[0] != "71"}
    async with Gateway(config) as gateway:
        told = await asyncio.gather(
            *(told_of(gateway, number, fields) for number, fields in enumerate(sent.values(), 1))
        )
        for (name, fields), frames in zip(sent.items(), told, strict=True):
            if int(fields[0]) not in _SILENT | _JOBS:
                assert [frame for frame in frames if frame[0] != "49" or fields[0] == "49"], name
            assert not [frame for frame in frames if frame[3:4] in (["320"], ["322"])], name
        assert not gateway.ledger.counts["answers_failed"]
        assert not gateway.ledger.counts["requests_refused"]


async def told_of(gateway: Gateway, client_id: int, fields: list[str]) -> list[list[str]]:
    """Ask on a connection of its own; return what is said before the next answer."""
    async with raw_client(gateway, client_id) as raw:
        raw.send(*fields)
        raw.send(49, 1)
        return await raw.until(49)


async def test_a_client_that_waits_for_scanner_parameters_is_not_left_waiting() -> None:
    async with Gateway(SimConfig(symbols=("AAPL",))) as gateway, ib_client(gateway) as ib:
        assert "ScanParameterResponse" in await ib.reqScannerParametersAsync()
        assert gateway.ledger.counts["notice_321"] == 1


async def test_a_request_that_nobody_knows_is_refused_and_the_session_lives() -> None:
    async with Gateway(SimConfig(symbols=("AAPL",))) as gateway, raw_client(gateway) as raw:
        for number in sorted(_NEWER):
            raw.send(number, 7)
            assert (await raw.receive())[:4] == ["4", "2", "7", "320"]
        raw.send(49, 1)
        assert (await raw.receive())[0] == "49"
