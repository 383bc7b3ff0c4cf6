"""A real day, whole: GOOG and its 2,192 options go over the wire into SQL, and out comes the smile.

The tape is the closing quotes of minute bars, 275,552 of them of options. The limit of 100 lines
is lifted on both sides; asking for 2,193 contracts and lines at 45 messages a second takes two
minutes, for which the tape's clock is held at 09:30. Then it runs at 60 times real time, the
computations of every option at every minute's end with it, and every quote of the tape must be
there: none missing, none doubled, in order.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytest

from ibcore import clock
from ibcore.sim import tape
from ibcore.sim.server import Gateway, SimConfig
from tests.integration.recording import select, until
from tests.integration.streaming import Row, stored_changes, streaming, watch

GOOG = Path(__file__).resolve().parents[3] / "shared" / "data" / "goog-2015-12-24"
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(1_500),
    pytest.mark.skipif(not GOOG.exists(), reason="the day of GOOG is not on this machine"),
]
SPEED = 60.0
NOTHING: Row = (None, None, None, None)
SMILE = """
SELECT DISTINCT ON (i.strike, i."right") i.strike::float8, i."right", g.iv, g.underlying_price
  FROM ibkeeper.greeks g JOIN ibkeeper.instrument i ON i.id = g.instrument_id
 WHERE i.symbol = 'GOOG' AND i.expiry = '2016-01-15' AND g.kind = 'model' AND g.iv IS NOT NULL
 ORDER BY i.strike, i."right", g.ts DESC"""


class HeldClock:
    """The wall clock, whose time begins to pass when it is let go."""

    def __init__(self) -> None:
        self.released_at: float | None = None

    def release(self) -> None:
        self.released_at = clock.monotonic()

    def monotonic(self) -> float:
        return 0.0 if self.released_at is None else clock.monotonic() - self.released_at

    def utcnow(self) -> datetime:
        return clock.utcnow()

    def unix_ns(self) -> int:
        return clock.unix_ns()


def by_contract(quotes: list[tape.TapeQuote]) -> dict[int, list[tape.TapeQuote]]:
    found: dict[int, list[tape.TapeQuote]] = defaultdict(list)
    for quote in quotes:
        found[quote.con_id].append(quote)
    return found


def books(quotes: list[tape.TapeQuote], opening: Row) -> list[Row]:
    """Return the book after every change of a side."""
    book, changes = opening, []
    for quote in quotes:
        bid = (quote.bid, quote.bid_size) if quote.bid else (None, None)
        ask = (quote.ask, quote.ask_size) if quote.ask else (None, None)
        for changed in ((*bid, *book[2:]), (*bid, *ask)):
            if changed != book:
                book = changed
                changes.append(book)
    return changes


async def test_the_whole_day_of_goog_is_in_sql_and_shows_its_smile(db_url: str) -> None:
    day = tape.read_day(GOOG)
    options = {contract.con_id for contract in day.contracts if contract.is_option}
    assert len(options) == 2_192
    assert sum(quote.con_id in options for quote in day.quotes) == 275_552
    watch(db_url, day.contracts)
    time, lines = HeldClock(), len(day.contracts)
    config = SimConfig(
        tape=GOOG, speed=SPEED, lines=None, messages_per_second=None, clock=time, ledger_limit=1
    )
    async with Gateway(config) as gateway, streaming(db_url, gateway, lines=lines) as parts:
        await until(lambda: gateway.subscriptions.count == lines, within_s=300)
        time.release()
        await until(lambda: gateway.source.finished, within_s=900)
        took_s = time.monotonic()
        await until(
            lambda: parts.recorder.stats().ticks_total >= gateway.ledger.tick_count, within_s=60
        )
    begin = tape.start_ms(config.tape_start)
    assert (max(quote.end_ms for quote in day.quotes) - begin) / 1_000 / took_s > 0.95 * SPEED
    found = stored_changes(db_url)
    for con_id, quotes in by_contract(day.quotes).items():
        screen = [NOTHING, *books([quote for quote in quotes if quote.end_ms <= begin], NOTHING)]
        wanted = books([quote for quote in quotes if quote.end_ms > begin], screen[-1])
        stored = [row[2:] for row in found.get(con_id, []) if row[0] == "quote"]
        # The first rows are the screen as the line found it, up to one a side.
        assert stored[len(stored) - len(wanted) :] == wanted, con_id
        assert len(stored) <= len(wanted) + 2, con_id
    smile = [(strike, iv) for strike, _, iv, spot in select(db_url, SMILE) if strike > 0.5 * spot]
    lowest_strike, _ = min(smile, key=lambda point: point[1])
    assert len(smile) > 50
    assert smile[0][0] < lowest_strike
    assert smile[0][1] > 1.3 * min(iv for _, iv in smile)
