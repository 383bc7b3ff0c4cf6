"""Poison over the wire: kept aside with its raw text, and never a number in a market table."""

from __future__ import annotations

import pytest

from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import stock
from ibcore.sim.server import Gateway, SimConfig
from sidecar import rejects
from tests.integration.recording import select, until
from tests.integration.streaming import streaming, watch

pytestmark = pytest.mark.anyio
REJECTED = """
SELECT tick_type, reason, raw, alike FROM ibkeeper.rejected_tick
  JOIN ibkeeper.instrument i ON i.id = instrument_id WHERE i.symbol = 'AAPL'
 ORDER BY tick_type, reason"""


async def test_every_kind_of_poison_is_kept_aside_with_its_raw_text_and_reason(
    db_url: str,
) -> None:
    config = SimConfig(symbols=("AAPL", "MSFT"))
    watch(db_url, [stock(CATALOGUE[symbol]) for symbol in config.symbols])
    async with Gateway(config) as gateway, streaming(db_url, gateway) as parts:
        await until(lambda: parts.recorder.stats().ticks_total > 50)
        await gateway.fault("poison", None, line="AAPL", ticks="bid,last_size")
        await until(lambda: len(select(db_url, REJECTED)) >= 7)
    found = {(kind, reason): raw for kind, reason, raw, _ in select(db_url, REJECTED)}
    assert found[1, "negative_price"] == "-1;100"
    assert found[1, "not_finite"] == "NaN;100"
    assert found[1, "out_of_range"].startswith("1.797")
    assert found[1, "too_fine"].endswith(";100")
    assert found[5, "not_finite"] == "NaN"
    assert found[5, "negative_amount"] == "-1"
    assert select(db_url, "SELECT count(*) FROM ibkeeper.quote WHERE bid NOT BETWEEN 1 AND 9999"
                          " OR bid_size NOT BETWEEN 0 AND 1e9") == [(0,)]  # fmt: skip
    assert select(db_url, "SELECT count(*) FROM ibkeeper.trade WHERE NOT size > 0") == [(0,)]


async def test_a_storm_keeps_the_newest_rows_only(
    db_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejects, "ROWS_KEPT", 20)
    monkeypatch.setattr(rejects, "MINUTE_S", 0.0)
    config = SimConfig(symbols=("AAPL",))
    watch(db_url, [stock(CATALOGUE[symbol]) for symbol in config.symbols])
    count = "SELECT count(*) FROM ibkeeper.rejected_tick"
    async with Gateway(config) as gateway, streaming(db_url, gateway) as parts:
        await until(lambda: parts.recorder.stats().ticks_total > 20)
        await gateway.fault("poison", 3.0, line="AAPL", every=0.05, value="nan")
        await until(lambda: parts.rejects.book.total > 60)
        await until(lambda: not parts.rejects.book.unwritten())
        assert 0 < select(db_url, count)[0][0] <= 20 + 3
