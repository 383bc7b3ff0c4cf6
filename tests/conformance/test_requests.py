"""Every request that either client can send is read and answered: none is unknown here."""

from __future__ import annotations

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
from tests.integration.sim_client import raw_client

pytestmark = pytest.mark.anyio

# Requests that end something, or begin what may stay silent: nothing needs to come back.
_SILENT = {
    *(2, 8, 13, 14, 15, 23, 53, 56, 57, 58, 63, 64, 70, 75, 77, 89, 90, 93, 95, 101, 103),
    *(12, 59, 97, 94),
}
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
    config = SimConfig(messages_per_second=None, cadence_scale=0.1, symbols=("AAPL",))
    async with Gateway(config) as gateway:
        for name, fields in client(178).items():
            number = int(fields[0])
            if number == 71:
                continue
            async with raw_client(gateway) as raw:
                raw.send(*fields)
                raw.send(49, 1)
                before = await raw.until(49)
                told = [frame for frame in before if frame[0] != "49"]
                if number not in _SILENT and number not in (20, 49, 50, 88, 96):
                    assert told, name
                assert not [frame for frame in told if frame[3:4] in (["320"], ["322"])], name
        assert not gateway.ledger.counts["answers_failed"]
        assert not gateway.ledger.counts["requests_refused"]


async def test_a_request_that_nobody_knows_is_refused_and_the_session_lives() -> None:
    async with Gateway(SimConfig(symbols=("AAPL",))) as gateway, raw_client(gateway) as raw:
        for number in sorted(_NEWER):
            raw.send(number, 7)
            assert (await raw.receive())[:4] == ["4", "2", "7", "320"]
        raw.send(49, 1)
        assert (await raw.receive())[0] == "49"
