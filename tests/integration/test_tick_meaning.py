"""Over the wire into SQL: delayed, frozen, exchange time, halted; what each row says of itself."""

from __future__ import annotations

import pytest

from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import stock
from ibcore.sim.server import Gateway, SimConfig
from tests.integration.recording import select, until
from tests.integration.streaming import streaming, watch

pytestmark = pytest.mark.anyio
QUALITIES = "SELECT DISTINCT quality FROM ibkeeper.quote"
PRINTS = """
SELECT price, size, volume, vwap, (extract(epoch FROM ts) * 1000)::bigint
  FROM ibkeeper.trade WHERE source = 'rt_volume' ORDER BY seq"""


async def test_delayed_data_is_marked_row_by_row(db_url: str) -> None:
    config = SimConfig(permissions={"*": "delayed"}, symbols=("AAPL",), cadence_scale=0.2)
    watch(db_url, [stock(CATALOGUE["AAPL"])])
    async with (
        Gateway(config) as gateway,
        streaming(db_url, gateway, market_data_type=3) as parts,
    ):
        await until(lambda: parts.recorder.stats().ticks_total > 60)
    assert select(db_url, QUALITIES) == [("delayed",)]
    assert {kind for (kind,) in select(db_url, "SELECT tick_type FROM ibkeeper.quote")} <= {
        *(66, 67, 69, 70)
    }


async def test_frozen_data_is_marked_row_by_row(db_url: str) -> None:
    config = SimConfig(symbols=("AAPL",), closed=True)
    watch(db_url, [stock(CATALOGUE["AAPL"])])
    async with (
        Gateway(config) as gateway,
        streaming(db_url, gateway, market_data_type=2) as parts,
    ):
        await until(lambda: parts.recorder.stats().ticks_total > 5)
        await until(lambda: bool(select(db_url, QUALITIES)))
    assert select(db_url, QUALITIES) == [("frozen",)]


async def test_each_print_has_the_exchange_s_time_and_halted_is_exactly_what_was_sent(
    db_url: str,
) -> None:
    config = SimConfig(symbols=("AAPL",), cadence_scale=0.1)
    watch(db_url, [stock(CATALOGUE["AAPL"])])
    async with Gateway(config) as gateway, streaming(db_url, gateway) as parts:
        await until(lambda: sum(t.tick_type == 48 for t in gateway.ledger.sent_ticks) > 5)
        await until(lambda: parts.recorder.stats().ticks_total >= gateway.ledger.tick_count)
        sent = [tick.fields[0].split(";") for tick in gateway.ledger.sent_ticks
                if tick.tick_type == 48]  # fmt: skip
        halted = {tick.fields[0] for tick in gateway.ledger.sent_ticks if tick.tick_type == 49}
    wanted = [
        (float(price), float(size), float(volume), float(vwap), int(unix_ms))
        for price, size, unix_ms, volume, vwap, _ in sent
        if price
    ]
    stored = select(db_url, PRINTS)
    assert len(stored) >= 5
    assert stored[: len(wanted)] == wanted
    stat = "SELECT DISTINCT value FROM ibkeeper.instrument_stat WHERE field = 'halted'"
    assert {value for (value,) in select(db_url, stat)} == {float(value) for value in halted}
