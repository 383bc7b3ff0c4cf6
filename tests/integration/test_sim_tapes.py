"""Tapes and rate mode, judged by the ledger; and the control port by which others read it.

The market data itself is not part of the project: tests that need it are skipped without it.
"""

from __future__ import annotations

import asyncio
import json
import os
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from ib_async import Contract, Stock

from ibcore import clock
from ibcore.errors import ConfigRefused, PortTaken
from ibcore.sim import recorded, suggestions, tape
from ibcore.sim.ledger import SentTick, by_line
from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.hand_clock import passes
from tests.integration.sim_client import eventually, ib_client, raw_client

pytestmark = pytest.mark.anyio

DATA = Path(os.environ.get("IBKEEPER_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
RECORDED = DATA / "ib_recorded" / "tick_data.json"
GOOG_DAY = DATA / "goog-2015-12-24"


class HandClock:
    """The wall clock, but time passes only by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def utcnow(self) -> datetime:
        return clock.utcnow()

    def unix_ns(self) -> int:
        return clock.unix_ns()


def write_day(folder: Path) -> Path:
    """Write a day of two minutes: an underlying and one option, one side missing once."""
    with zipfile.ZipFile(folder / "underlying_quote.zip", "w") as archive:
        name = "20151224_goog_minute_quote.csv"
        rows = ["34200000,,,,7480000,100,,,,7490000,200", "34260000,,,,7484000,300,,,,7492000,200"]
        archive.writestr(name, "\n".join(rows))
    with zipfile.ZipFile(folder / "options_quote.zip", "w") as archive:
        name = "20151224_goog_minute_quote_american_call_7500000_20160115.csv"
        rows = ["34200000,,,,130000,5,,,,138000,7", "34260000,,,,,,,,,139000,9"]
        archive.writestr(name, "\n".join(rows))
    return folder


def last_quote(ticks: list[SentTick]) -> dict[int, str]:
    """Return the last value of bid, bid size, ask and ask size."""
    return {tick.tick_type: tick.fields[0] for tick in ticks if tick.tick_type in (0, 1, 2, 3)}


async def test_a_day_shows_each_closing_quote_at_the_bars_end(tmp_path: Path) -> None:
    day = write_day(tmp_path)
    listed = list(tape.expected_quotes(day))
    assert [quote.end_ms for quote in listed] == [34_260_000, 34_260_000, 34_320_000, 34_320_000]
    assert [quote.bid for quote in listed if quote.con_id != 208813720] == [13.0, None]
    async with Gateway(SimConfig(tape=day, speed=600.0)) as gateway, raw_client(gateway) as client:
        option = gateway.source.universe.options("GOOG")[0]
        client.send(*asking.market_data(1, con_id=208813720))
        client.send(*asking.market_data(2, con_id=option.con_id))
        await eventually(lambda: gateway.source.finished)
        await eventually(lambda: len(by_line(gateway.ledger.sent_ticks)[1, 2]) > 12)
        lines = by_line(gateway.ledger.sent_ticks)
        assert last_quote(lines[1, 1]) == {1: "748.4", 0: "300", 2: "749.2", 3: "200"}
        bids = [tick.fields[:2] for tick in lines[1, 2] if tick.tick_type == 1]
        assert bids == [("13", "5"), ("-1", "0")]
        computed = {tick.tick_type: tick.fields for tick in lines[1, 2] if tick.msg_id == 21}
        assert computed[10][1:3] == ("-1", "-2")  # nothing to invert at a bid that is gone
        assert 0.1 < float(computed[11][1]) < 0.4
        assert float(computed[13][-1]) == pytest.approx(748.8)


async def test_a_tape_can_start_again_at_its_end(tmp_path: Path) -> None:
    config = SimConfig(tape=write_day(tmp_path), speed=6000.0, tape_loop=True)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        client.send(*asking.market_data(1, con_id=208813720))
        await eventually(lambda: len(gateway.ledger.sent_ticks) > 20)


async def test_recorded_ticks_go_out_as_they_stand(tmp_path: Path) -> None:
    first = datetime(2022, 1, 7, 5, 58, tzinfo=timezone.utc)
    ticks = [(0, 443.6, 100), (0, 443.6, 100), (1, 443.8, 200), (4, 443.8, 5), (5, 443.8, 5),
             (8, -1.0, 12251450), (3, 444.0, 17100)]  # fmt: skip
    rows = [
        {"time": (first + timedelta(seconds=n)).isoformat(), "price": p, "size": s, "tickType": t}
        for n, (t, p, s) in enumerate(ticks)
    ]
    path = tmp_path / "ticks.json"
    path.write_text(json.dumps(rows))
    hand = HandClock()
    async with (
        Gateway(SimConfig(tape=path, speed=50.0, clock=hand)) as gateway,
        raw_client(gateway) as client,
    ):
        client.send(*asking.market_data(4, symbol="TAPE", sec_type="STK"))
        await eventually(lambda: gateway.subscriptions.count == 1)
        out = []
        for _ in range(7):
            await passes(gateway, hand, 1 / 50)
            out.append(gateway.ledger.tick_count)
        assert out == [1, 2, 3, 4, 5, 6, 7]
        sent = [(tick.msg_id, tick.tick_type, tick.fields) for tick in gateway.ledger.sent_ticks]
        assert sent[:4] == [
            (2, 0, ("100",)),
            (2, 0, ("100",)),
            (1, 1, ("443.8", "200", "0")),
            (1, 4, ("443.8", "5", "0")),
        ]
        received = [frame for frame in await client.until(2) if frame[0] == "2"]
        assert received == [["2", "6", "4", "0", "100"]]


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded ticks are not here")
async def test_every_tick_of_the_real_recording_is_sent_once_and_in_order() -> None:
    wanted = [each.tick for each in recorded.read(RECORDED)[1]]
    async with (
        Gateway(SimConfig(tape=RECORDED, speed=5_000.0)) as gateway,
        ib_client(gateway) as ib,
    ):
        [stock] = await ib.qualifyContractsAsync(Stock("TAPE", "SMART", "USD"))
        ib.reqMktData(stock)
        await eventually(lambda: gateway.ledger.tick_count >= len(wanted), 30.0)
        sent = gateway.ledger.sent_ticks
        assert [(t.tick_type, float(t.fields[0])) for t in sent] == [(t[0], t[1]) for t in wanted]
        sizes = [float(t.fields[1]) for t in sent if t.msg_id == 1]
        assert sizes == [tick.size for tick in wanted if tick.tick_type in (1, 2, 4)]


@pytest.mark.skipif(not GOOG_DAY.exists(), reason="the GOOG day is not here")
async def test_the_goog_day_is_the_tape_value_by_value() -> None:
    chosen = [contract.local_symbol for contract in suggestions.of_tape(GOOG_DAY)]
    assert len(chosen) == 17
    hand = HandClock()
    async with (
        Gateway(SimConfig(tape=GOOG_DAY, clock=hand)) as gateway,
        ib_client(gateway) as ib,
    ):
        assert len(gateway.source.universe.by_id) == 2_193
        contracts = [c for c in gateway.source.universe.by_id.values() if c.local_symbol in chosen]
        asked = [Contract(conId=contract.con_id, exchange="SMART") for contract in contracts]
        for contract in await ib.qualifyContractsAsync(*asked):
            ib.reqMktData(contract)
        await eventually(lambda: gateway.subscriptions.count == len(chosen))
        hand.now += 40 * 60
        await eventually(lambda: gateway.source.at_ms >= tape.start_ms("10:10"), 20.0)
        sent = by_line(gateway.ledger.sent_ticks)
    expected = tape.expected_quotes(GOOG_DAY, symbols=chosen)
    at_ten = [quote for quote in expected if quote.end_ms <= tape.start_ms("10:10")]
    for line in sent.values():
        wanted = [quote for quote in at_ten if quote.con_id == line[0].con_id]
        _assert_bids_are(line, [(quote.bid or -1.0, quote.bid_size) for quote in wanted])


def _assert_bids_are(line: list[SentTick], wanted: list[tuple[float, float]]) -> None:
    """Compare the sequence of distinct bids; the line opens with what stood before the tape."""
    changes = [pair for pair, _ in groupby(wanted)]
    bid, size, shown = -1.0, 0.0, []
    for tick in line:
        if tick.tick_type == 1:
            bid, size = float(tick.fields[0]), float(tick.fields[1])
        elif tick.tick_type == 0:
            size = float(tick.fields[0])
        if not shown or shown[-1] != (bid, size):
            shown.append((bid, size))
    start = shown.index(changes[0])
    assert shown[start : start + len(changes)] == changes


def test_what_is_no_tape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match="not a tape"):
        Gateway(SimConfig(tape=tmp_path))


async def test_rate_mode_keeps_its_pace_and_never_repeats_a_value() -> None:
    hand = HandClock()
    config = SimConfig(rate=5_000.0, clock=hand, messages_per_second=None)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        universe = gateway.source.universe
        contracts = [*universe.stocks.values(), *universe.options("SPY")[60:100]]
        for req_id, contract in enumerate(contracts):
            asked = asking.market_data(req_id, con_id=contract.con_id, generic="106,233")
            client.send(*asked)
        await eventually(lambda: gateway.subscriptions.count == len(contracts))
        opened = gateway.ledger.tick_count
        for number in range(1, 11):
            hand.now += 0.2
            due = opened + number * 1_000
            await eventually(lambda due=due: abs(gateway.ledger.tick_count - due) <= 1)
        sent = list(gateway.ledger.since(opened))
        _assert_the_mix(sent)
        for line in by_line(sent).values():
            _assert_every_tick_changes_something(line)


def _assert_the_mix(sent: list[SentTick]) -> None:
    share = {number: sum(t.msg_id == number for t in sent) / len(sent) for number in (1, 2, 21)}
    assert share[1] == pytest.approx(0.40, abs=0.06)
    assert share[2] == pytest.approx(0.30, abs=0.06)
    assert share[21] == pytest.approx(0.16, abs=0.06)  # a fifth of the options' share


def _assert_every_tick_changes_something(line: list[SentTick]) -> None:
    last: dict[tuple[int, int], tuple[str, ...]] = {}
    for tick in line:
        key = (tick.msg_id, tick.tick_type)
        value = tick.fields[:1] if tick.msg_id == 1 else tick.fields
        assert last.get(key) != value, tick
        last[key] = value


@asynccontextmanager
async def controlled() -> AsyncIterator[tuple[Gateway, asyncio.StreamReader, asyncio.StreamWriter]]:
    async with Gateway(SimConfig(control_port=0)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.control_port)
        try:
            yield gateway, reader, writer
        finally:
            writer.close()
            await writer.wait_closed()


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: object
) -> list[Any]:
    writer.write(json.dumps(command).encode() + b"\n")
    head = json.loads(await reader.readline())
    count = head.get("count", 0)
    return [head, *[json.loads(await reader.readline()) for _ in range(count)]]


async def test_the_control_port_tells_the_ledger() -> None:
    async with controlled() as (gateway, *control), raw_client(gateway) as client:
        client.send(*asking.market_data(5, con_id=265598))
        await client.until(46)
        [head, first, *rest] = await ask(*control, {"do": "ledger", "limit": 10})
        assert (head["count"], len(rest)) == (10, 9)
        assert (first["con_id"], first["req_id"], first["tick_type"]) == (265598, 5, 1)
        [stats] = await ask(*control, {"do": "stats"})
        assert stats["port"] == gateway.port
        assert stats["lines"] == 1
        [_, *requests] = await ask(*control, {"do": "requests"})
        assert [request["msg_id"] for request in requests] == [71, 1]
        [universe] = await ask(*control, {"do": "universe"})
        assert len(universe["symbols"]) == 10
        assert len(universe["watch"]) == 10 + 4 * 16


async def test_a_command_that_is_none_is_refused_and_the_port_lives() -> None:
    async with controlled() as (_, *control):
        for wrong in ({"do": "dance"}, {}, [], {"do": "fault", "name": "flood"}):
            [answer] = await ask(*control, wrong)
            assert answer["ok"] is False
        assert (await ask(*control, {"do": "stats"}))[0]["ok"]


async def test_refusing_closes_the_door_and_opens_it_again() -> None:
    async with controlled() as (gateway, *control), raw_client(gateway) as client:
        await ask(*control, {"do": "fault", "name": "refuse", "for": 1.5})
        assert await client.closed() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", gateway.port)
        await eventually(lambda: gateway.listening)
        async with raw_client(gateway, 5):
            assert 5 in gateway.sessions


async def test_dropping_cuts_sessions_but_not_the_door() -> None:
    async with controlled() as (gateway, *control), raw_client(gateway) as client:
        [answer] = await ask(*control, {"do": "fault", "name": "drop"})
        assert answer["done"] == "1 connections cut"
        assert await client.closed() == b""
        async with raw_client(gateway, 1):
            assert 1 in gateway.sessions


async def test_a_taken_port_is_named(simulator: Gateway) -> None:
    with pytest.raises(PortTaken, match=str(simulator.port)):
        await Gateway(SimConfig(port=simulator.port)).start()
    with pytest.raises(PortTaken, match=str(simulator.port)):
        await Gateway(SimConfig(control_port=simulator.port)).start()
