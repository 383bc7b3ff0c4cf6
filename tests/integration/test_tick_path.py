"""From the socket to SQL: what the simulator's ledger says was sent is what the tables hold."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from ibcore.sim import tape
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import stock
from ibcore.sim.ledger import SentTick, by_line
from ibcore.sim.server import Gateway, SimConfig
from tests.integration.recording import select, until
from tests.integration.streaming import Row, state_changes, stored_changes, streaming, watch

pytestmark = pytest.mark.anyio
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
RECORDED = DATA / "ib_recorded" / "tick_data.json"
GOOG = DATA / "goog-2015-12-24"


def sent_by_contract(gateway: Gateway) -> dict[int, list[SentTick]]:
    lines = by_line(gateway.ledger.sent_ticks)
    return {ticks[0].con_id: ticks for ticks in lines.values()}


def expected(gateway: Gateway) -> dict[int, list[Row]]:
    return {con: state_changes(ticks) for con, ticks in sent_by_contract(gateway).items()}


async def test_a_tick_that_changes_nothing_is_no_row_and_every_other_is_one(
    db_url: str,
) -> None:
    config = SimConfig(rate=2_000.0, symbols=("AAPL", "MSFT", "SPY"))
    watch(db_url, [stock(CATALOGUE[symbol]) for symbol in config.symbols])
    async with Gateway(config) as gateway, streaming(db_url, gateway) as parts:
        await until(lambda: parts.recorder.stats().ticks_total > 6_000)
        gateway.refusing = True
        await gateway.fault("drop", 30.0)
        await until(lambda: parts.stream.ib is None)
        assert await parts.recorder.drain(10.0) == 0
        wanted = expected(gateway)
        assert len(wanted) == 3
        assert stored_changes(db_url) == wanted


async def test_after_a_reconnect_no_print_is_recorded_twice(db_url: str) -> None:
    config = SimConfig(symbols=("AAPL", "MSFT"), cadence_scale=0.2)
    watch(db_url, [stock(CATALOGUE[symbol]) for symbol in config.symbols])
    async with Gateway(config) as gateway, streaming(db_url, gateway) as parts:
        await until(lambda: parts.recorder.stats().ticks_total > 200)
        await gateway.fault("drop", None)
        await until(lambda: len(by_line(gateway.ledger.sent_ticks)) == 4)
        heard = parts.recorder.stats().ticks_total
        await until(lambda: parts.recorder.stats().ticks_total > heard + 100)
    prints = select(
        db_url, "SELECT instrument_id, price, size FROM ibkeeper.trade WHERE source = 'last'"
        " ORDER BY instrument_id, seq"
    )  # fmt: skip
    assert len(prints) > 10
    assert all(old != new for old, new in itertools.pairwise(prints))


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded ticks are not on this machine")
async def test_every_recorded_tick_that_changes_state_is_stored_once_and_in_order(
    db_url: str,
) -> None:
    config = SimConfig(tape=RECORDED, speed=2_000.0)
    watch(db_url, [stock(CATALOGUE[config.tape_symbol])])
    async with Gateway(config) as gateway, streaming(db_url, gateway) as parts:
        await until(lambda: gateway.ledger.tick_count >= 14_027, within_s=30)
        await until(lambda: parts.recorder.stats().ticks_total >= gateway.ledger.tick_count)
    ((con_id, ticks),) = sent_by_contract(gateway).items()
    assert len(ticks) >= 14_027
    wanted = state_changes(ticks)
    assert len(wanted) > 9_000
    assert stored_changes(db_url) == {con_id: wanted}


def busy_part(whole: Path, part: Path, *, options: int) -> Path:
    """Copy the underlying and the options with the most quotes of a day's folder."""
    part.mkdir()
    with zipfile.ZipFile(whole / "20151224_quote_american.zip") as archive:
        files = sorted(archive.infolist(), key=lambda file: file.file_size)[-options:]
    keys = {file.filename.split("american")[1] for file in files}
    for source in whole.glob("*.zip"):
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(part / source.name, "w") as new:
            for name in old.namelist():
                if "american" not in name or name.split("american")[1] in keys:
                    new.writestr(name, old.read(name))
    return part


def rows_of(quotes: Sequence[tape.TapeQuote], opening: Row) -> list[Row]:
    """Return the book after every change of a side, in the order of the tape."""
    book, rows = opening, []
    for quote in quotes:
        bid = (quote.bid, quote.bid_size) if quote.bid else (None, None)
        ask = (quote.ask, quote.ask_size) if quote.ask else (None, None)
        for changed in ((*bid, *book[2:]), (*bid, *ask)):
            if changed != book:
                book = changed
                rows.append(book)
    return rows


@pytest.mark.skipif(not GOOG.exists(), reason="the day of GOOG is not on this machine")
async def test_a_day_of_goog_and_its_options_is_in_sql_value_by_value(
    db_url: str, tmp_path: Path
) -> None:
    part = busy_part(GOOG, tmp_path / "day", options=12)
    day = tape.read_day(part)
    watch(db_url, day.contracts)
    config = SimConfig(tape=part, speed=3_000.0)
    start = tape.start_ms(config.tape_start)
    async with Gateway(config) as gateway, streaming(db_url, gateway) as parts:
        await until(lambda: gateway.source.finished, within_s=40)
        await until(lambda: parts.recorder.stats().ticks_total >= gateway.ledger.tick_count)
    found = stored_changes(db_url)
    assert len(found) == len(day.contracts) == 13
    for contract in day.contracts:
        closing = [quote for quote in day.quotes if quote.con_id == contract.con_id]
        before = [quote for quote in closing if quote.end_ms <= start]
        *_, opening = [(None,) * 4, *rows_of(before, (None,) * 4)]
        wanted = rows_of([quote for quote in closing if quote.end_ms > start], opening)
        stored = [row[2:] for row in found[contract.con_id] if row[0] == "quote"]
        # The first rows are the screen as the line found it, up to one a side; the tape ran
        # since the first line was opened, some bars ago on a busy machine.
        suffixes = [stored[screen:] for screen in range(3)]
        assert any(changes == wanted[-len(changes) :] for changes in suffixes)
        assert len(stored) > 0.5 * len(wanted)
