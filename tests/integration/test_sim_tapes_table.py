"""Tables as tapes: replayed to real clients, event by event, in the tape's time or now."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ib_async import Contract, Stock

from ibcore import clock
from ibcore.sim import suggestions
from ibcore.sim.ledger import by_line
from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.sim_client import eventually, ib_client, raw_client
from tests.property.test_sim_tables import (
    CALL,
    DAY,
    OPENING,
    Row,
    quote,
    trade,
    write_csv,
    write_parquet,
)

pytestmark = pytest.mark.anyio


def long_day() -> list[Row]:
    """Return ten minutes of two names and an option, some two events a second."""
    rows: list[Row] = []
    for second in range(600):
        price = 228 + (second * 7 % 40) / 100
        rows.append(quote(second, "AAPL", price, 100 + second, price + 0.02, 200))
        if second % 3 == 0:
            rows.append(trade(second + 0.2, "AAPL", price, 100))
        if second % 5 == 0:
            rows.append(quote(second + 0.4, "AAPL", 10 + second % 7 / 10, 5, 11.0, 9, **CALL))
    return rows


async def replayed(path: Path, count: int) -> list[tuple[int, tuple[str, ...]]]:
    """Play a tape to one line; return its price and size ticks after the first catch-up."""
    config = SimConfig(tape=path, speed=2_000.0, messages_per_second=None, farm_wake_s=0.0)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        client.send(*asking.market_data(1, symbol="AAPL", sec_type="STK"))
        await eventually(lambda: getattr(gateway.source, "finished", False))
        await eventually(lambda: gateway.ledger.tick_count >= count)
        [ticks] = by_line(gateway.ledger.sent_ticks).values()
        return [(tick.tick_type, tick.fields) for tick in ticks]


async def test_every_event_goes_out_once_in_order_from_csv_and_parquet_alike(
    tmp_path: Path,
) -> None:
    rows = long_day()
    from_csv = await replayed(write_csv(tmp_path / "day.csv", rows), 900)
    prices = [float(fields[0]) for kind, fields in from_csv if kind == 4]
    sizes = [float(fields[1]) for kind, fields in from_csv if kind == 1]
    assert prices == [row["price"] for row in rows if row["kind"] == "trade"]
    stock_quotes = [row for row in rows if row["kind"] == "quote" and "sec_type" not in row]
    moved = [
        row["bid_size"]
        for before, row in zip([None, *stock_quotes], stock_quotes, strict=False)
        if before is None or row["bid"] != before["bid"]
    ]
    assert sizes == moved
    volumes = [float(fields[0]) for kind, fields in from_csv if kind == 8]
    assert volumes[-1] == sum(row["size"] for row in rows if row["kind"] == "trade")
    from_parquet = await replayed(write_parquet(tmp_path / "day.parquet", rows), 900)
    assert from_csv == from_parquet


async def test_options_of_a_table_get_computations_from_its_quotes(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "day.csv", long_day())
    config = SimConfig(tape=path, speed=20.0, time="tape")
    async with Gateway(config) as gateway, ib_client(gateway) as ib:
        [contract] = gateway.source.universe.options("AAPL")
        [details] = await ib.reqContractDetailsAsync(Contract(conId=contract.con_id))
        ticker = ib.reqMktData(details.contract)
        await eventually(lambda: ticker.modelGreeks and ticker.modelGreeks.impliedVol)
        assert 0 < ticker.modelGreeks.impliedVol < 1
        assert 228 <= ticker.modelGreeks.undPrice < 229


async def test_clients_are_told_the_tape_s_time_or_now(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "day.csv", long_day())
    for time, expected in (("tape", OPENING), ("now", clock.utcnow())):
        config = SimConfig(tape=path, speed=10.0, time=time)
        async with Gateway(config) as gateway, raw_client(gateway) as client:
            client.send(*asking.market_data(1, symbol="AAPL", sec_type="STK"))
            await client.until(1)
            client.send(49, 1)
            told = datetime.fromtimestamp(int((await client.until(49))[-1][2]), timezone.utc)
            assert timedelta(0) <= told - expected.replace(microsecond=0) < timedelta(seconds=60)


async def test_what_was_played_is_history_in_the_tape_s_time(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "day.csv", long_day())
    config = SimConfig(tape=path, speed=2_000.0, time="tape", farm_wake_s=0.0)
    async with Gateway(config) as gateway, ib_client(gateway) as ib:
        apple = Stock("AAPL", "SMART", "USD", conId=265598)
        ib.reqMktData(apple)
        await eventually(lambda: getattr(gateway.source, "finished", False))
        bars = await ib.reqHistoricalDataAsync(apple, "", "1 D", "1 min", "TRADES", False, 2)
        assert [bar.volume for bar in bars] == [2_000.0] * 10
        assert bars[0].date == OPENING


async def test_everything_on_a_tape_of_events_is_worth_watching(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "day.csv", DAY)
    async with Gateway(SimConfig(tape=path)) as gateway:
        offered = suggestions.universe(gateway.source)["watch"]
        assert isinstance(offered, list)
        assert {entry["con_id"] for entry in offered} == gateway.source.universe.by_id.keys()
        kinds = [entry["sec_type"] == "OPT" for entry in offered]
        assert kinds == sorted(kinds)


async def test_a_tape_that_loops_begins_again(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "day.csv", DAY)
    config = SimConfig(tape=path, speed=100.0, tape_loop=True, farm_wake_s=0.0)
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        client.send(*asking.market_data(1, symbol="AAPL", sec_type="STK"))
        await eventually(
            lambda: sum(tick.tick_type == 4 for tick in gateway.ledger.sent_ticks) >= 3
        )
