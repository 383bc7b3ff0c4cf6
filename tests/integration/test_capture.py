"""The benchmark's own readers: ours keep every message of a blast, with and without a Ticker."""

from __future__ import annotations

import dataclasses
import socket
import threading

import pytest
from ib_async import IB, Contract, Ticker

from benchmarks import blast, reader
from ibcore.config import TickDefaults
from sidecar.ib_compat import ib_defaults, make_ib

pytestmark = pytest.mark.anyio
MESSAGES = 3_000


@pytest.mark.parametrize("variant", ["ticker", "ours", "feed"])
async def test_every_message_of_a_blast_is_kept(variant: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = blast.ticks(MESSAGES)
        gateway = threading.Thread(target=blast.serve, args=(listener, stream))
        gateway.start()
        figures = await reader.read(variant, listener.getsockname()[1])
        gateway.join(10.0)
    assert figures["kept"] == MESSAGES


def tickers_after(ib: IB, stream: bytes) -> list[dict[str, object]]:
    """Return what the Tickers of a blast hold at its end, but for the clock."""
    lines = range(blast.FIRST_REQ, blast.FIRST_REQ + blast.LINES)
    tickers: list[Ticker] = [
        ib.wrapper.startTicker(line, Contract(conId=line), "mktData") for line in lines
    ]
    ib.client._serverVersion = ib.client.decoder.serverVersion = 178
    ib.client._apiReady = True
    ib.client._onSocketHasData(stream)
    clocks = {"time", "timestamp", "ticks", "defaults", "created"}
    return [
        {
            field.name: repr(getattr(ticker, field.name))
            for field in dataclasses.fields(ticker)
            if field.name not in clocks
        }
        for ticker in tickers
    ]


async def test_a_ticker_that_somebody_asked_for_is_the_vendor_s_to_the_last_field() -> None:
    stream = blast.ticks(MESSAGES)
    defaults = TickDefaults(empty_price=-1.0, empty_size=0.0)
    ours = make_ib(defaults, reader.Notebook())
    assert tickers_after(ours, stream) == tickers_after(IB(defaults=ib_defaults(defaults)), stream)
