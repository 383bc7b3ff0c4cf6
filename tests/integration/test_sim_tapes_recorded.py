"""A day that the real sidecar recorded, played again: every row comes back as the tick it was."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ib_async import Contract

from ibcore.sim import hours
from ibcore.sim.contracts import Contract as Listed
from ibcore.sim.ledger import SentTick, by_line
from ibcore.sim.server import Gateway, SimConfig
from sidecar.lines import GENERIC_TICKS
from tests.integration import sim_client as asking
from tests.integration.recording import select, until
from tests.integration.sim_client import eventually, ib_client, raw_client
from tests.integration.streaming import state_changes, stored_changes, streaming, watch
from tests.integration.test_sim_tapes_sql import of_day

pytestmark = pytest.mark.anyio

_GREEKS = """
SELECT con_id, kind, iv, delta, option_price, pv_dividend, gamma, vega, theta,
       g.underlying_price, price_based FROM ibkeeper.greeks g
  JOIN ibkeeper.instrument i ON i.id = instrument_id ORDER BY seq"""
_STATS = """
SELECT con_id, tick_type, value, text_value FROM ibkeeper.instrument_stat
  JOIN ibkeeper.instrument i ON i.id = instrument_id ORDER BY seq"""
_SALES = """
SELECT con_id, extract(epoch FROM ts) * 1000, price, size, volume, vwap FROM ibkeeper.trade
  JOIN ibkeeper.instrument i ON i.id = instrument_id WHERE source = 'rt_volume' ORDER BY seq"""
_KINDS = {"bid": 10, "ask": 11, "last": 12, "model": 13}
_EMPTY = (-1.0, -2.0, -1.0, -1.0, -2.0, -2.0, -2.0, -1.0)


def listed(gateway: Gateway) -> list[Listed]:
    """Return a stock and a call near its price."""
    chain = gateway.source.universe.options("AAPL")
    calls = [c for c in chain if c.right == "C" and c.expiry == chain[-1].expiry]
    call = min(calls, key=lambda c: abs(c.strike - 228))
    return [gateway.source.universe.stocks["AAPL"], call]


async def record(url: str) -> tuple[str, list[Listed]]:
    """Let a sidecar record some seconds of the model; return the tape and what is on it."""
    config = SimConfig(symbols=("AAPL",), cadence_scale=0.1, farm_wake_s=0.0)
    async with Gateway(config) as gateway:
        contracts = listed(gateway)
        watch(url, contracts)
        async with streaming(url, gateway) as parts:
            await until(lambda: parts.recorder.stats().ticks_total > 1_000)
    [(first,)] = select(url, "SELECT min(ts) FROM ibkeeper.quote")
    return of_day(url, f"{hours.new_york_date(first):%Y-%m-%d}"), contracts


def greeks(ticks: list[SentTick]) -> list[Any]:
    """Read computations as the tables would hold them."""
    found = []
    for tick in ticks:
        if tick.tick_type in _KINDS.values():
            based, *numbers = tick.fields
            values = [float(number) for number in numbers]
            clean = [None if v == e else v for v, e in zip(values, _EMPTY, strict=True)]
            found.append((tick.tick_type, *clean, based == "1"))
    return found


async def test_every_recorded_row_is_sent_again_as_it_was(db_url: str) -> None:
    url, contracts = await record(db_url)
    config = SimConfig(tape=url, speed=20.0, time="tape", farm_wake_s=0.0)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        for number, contract in enumerate(contracts):
            generic = GENERIC_TICKS[contract.sec_type]
            client.send(*asking.market_data(number, con_id=contract.con_id, generic=generic))
        await eventually(lambda: getattr(gateway.source, "finished", False))
        lines = by_line(gateway.ledger.sent_ticks)
        sent = {ticks[0].con_id: ticks for ticks in lines.values()}
    assert {con: state_changes(ticks) for con, ticks in sent.items()} == stored_changes(db_url)
    for contract in contracts:
        ticks, con_id = sent[contract.con_id], contract.con_id
        assert greeks(ticks) == [
            (_KINDS[kind], *values)
            for con, kind, *values in select(db_url, _GREEKS)
            if con == con_id
        ]
        told = [(tick.tick_type, tick.fields[0]) for tick in ticks if tick.tick_type > 5]
        stats = [row[1:] for row in select(db_url, _STATS) if row[0] == con_id]
        assert [kind for kind, _ in told if kind not in (48, *_KINDS.values())] == [
            kind for kind, *_ in stats
        ]
        numbers = [(k, v) for k, v in told if k not in (48, *_KINDS.values())]
        for (_, text), (_, value, words) in zip(numbers, stats, strict=True):
            assert text == words or float(text) == value
        sales = [tuple(map(float, v.split(";")[:5])) for k, v in told if k == 48]
        stored = [row[1:] for row in select(db_url, _SALES) if row[0] == con_id]
        assert [(s[2], s[0], s[1], s[3], s[4]) for s in sales] == [
            tuple(map(float, row)) for row in stored
        ]
        assert len(ticks) > 100
    assert greeks(sent[contracts[1].con_id])


async def test_ib_async_ends_where_the_recorded_day_ended(db_url: str) -> None:
    url, (stock, call) = await record(db_url)
    config = SimConfig(tape=url, speed=20.0, farm_wake_s=0.0)
    async with Gateway(config) as gateway, ib_client(gateway) as ib:
        apple, option = (
            ib.reqMktData(Contract(conId=c.con_id, secType=c.sec_type, exchange="SMART"), generic)
            for c, generic in ((stock, GENERIC_TICKS["STK"]), (call, GENERIC_TICKS["OPT"]))
        )
        await eventually(lambda: getattr(gateway.source, "finished", False))
        last = {con: rows[-1] for con, rows in _last_quotes(db_url).items()}
        await eventually(
            lambda: (
                (apple.bid, apple.bidSize, apple.ask, apple.askSize) == last[stock.con_id]
                and (option.bid, option.bidSize, option.ask, option.askSize) == last[call.con_id]
            )
        )
        model = [row for row in select(db_url, _GREEKS) if row[1] == "model"][-1]
        assert option.modelGreeks is not None
        assert (option.modelGreeks.impliedVol, option.modelGreeks.delta) == (model[2], model[3])
        assert option.modelGreeks.undPrice == model[9]
        stats = {row[1]: row[2] for row in select(db_url, _STATS) if row[0] == stock.con_id}
        assert (apple.volume, apple.shortableShares) == (stats[8], stats[89])
        assert abs((apple.rtTime - datetime.now(timezone.utc)).total_seconds()) < 60


def _last_quotes(url: str) -> dict[int, list[tuple[Any, ...]]]:
    return {
        con: [row[2:] for row in rows if row[0] == "quote"]
        for con, rows in stored_changes(url).items()
    }
