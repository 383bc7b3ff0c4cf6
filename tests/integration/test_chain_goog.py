"""A whole real chain: every option of GOOG as it stood at 11:00 on 2015-12-24."""

from __future__ import annotations

import warnings
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from flows import chain_plot
from ibcore import clock, db
from ibcore.policy import LineBudget, Pacer
from ibcore.sim import tape
from ibcore.sim.server import Gateway, SimConfig
from sidecar.chain_reading import Lane
from sidecar.chains import ChainSnapshots
from sidecar.tap import LineTap
from tests.integration.sweeping import connected
from tests.integration.test_chains import Opened, job, stored

GOOG = Path(__file__).resolve().parents[3] / "shared" / "data" / "goog-2015-12-24"
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not GOOG.exists(), reason="the day of GOOG is not on this machine"),
]
ELEVEN = datetime(2015, 12, 24, 16, 0, tzinfo=timezone.utc)
SIDES = ("bid", "bid_size", "ask", "ask_size")


class Held:
    """A clock that stands still at the beginning of the tape."""

    def monotonic(self) -> float:
        return 0.0

    def utcnow(self) -> datetime:
        return clock.utcnow()

    def unix_ns(self) -> int:
        return clock.unix_ns()


def shown_at_eleven() -> dict[int, tuple[float | None, ...]]:
    """Return the quote of each contract that was in force, as the tape has it."""
    start, shown = tape.start_ms("11:00"), dict[int, tuple[float | None, ...]]()
    for quote in tape.read_day(GOOG).quotes:
        if quote.end_ms <= start:
            bid = (quote.bid, quote.bid_size) if quote.bid is not None else (None, None)
            ask = (quote.ask, quote.ask_size) if quote.ask is not None else (None, None)
            shown[quote.con_id] = (*bid, *ask)
    return shown


@pytest.fixture
async def snapshot(db_url: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    gateway = Gateway(
        SimConfig(
            tape=GOOG,
            tape_start="11:00",
            time="tape",
            lines=None,
            messages_per_second=None,
            clock=Held(),
        )
    )
    tap = LineTap()
    async with gateway, connected(gateway, tap) as ib:
        ib.client.MaxRequests = 0
        lane = Lane(Opened(ib), tap, Pacer(400))
        take = ChainSnapshots([lane], budget=LineBudget(600), url=db_url, now=lambda: ELEVEN)
        wanted = {"underlying": "GOOG", "strikes": 500, "max_dte": 1_000}
        request = job(lasts_s=120, contract_deadline_s=3.0, **wanted)
        return await stored(db_url, await take(request))


async def test_every_option_is_quoted_as_the_tape_says_and_valued_as_a_library_does(
    db_url: str, snapshot: tuple[dict[str, Any], list[dict[str, Any]]], tmp_path: Path
) -> None:
    result, rows = snapshot
    assert result["expected"] == len(rows) == 2_192
    wanted = shown_at_eleven()
    for row in rows:
        quoted = wanted.get(row["con_id"], (None,) * 4)
        assert tuple(row[side] for side in SIDES) == quoted, (
            row["local_symbol"],
            row["state"],
            row["missing_fields"],
        )
    assert _worst_difference(db_url) < 1e-4
    async with (
        db.opened(db_url, application="test") as conn,
        conn.cursor(row_factory=dict_row) as cursor,
    ):
        await cursor.execute(db.QUERIES["chain_smile"], {"snapshot_id": result["snapshot_id"]})
        smile = await cursor.fetchall()
    assert {row["expiry"] for row in smile} >= {date(2016, 1, 15), date(2016, 3, 18)}
    png = chain_plot.picture(smile, title="GOOG, 24 December 2015, 11:00")
    assert png is not None
    (tmp_path / "goog.png").write_bytes(png)


def _worst_difference(url: str) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from vollib.black.implied_volatility import implied_volatility
    query = """
        SELECT q.mid, e.forward, q.strike::float8, coalesce(e.rate, 0), e.years, q."right", q.own_iv
          FROM ibkeeper.chain_quote q JOIN ibkeeper.chain_expiry e USING (snapshot_id, expiry)
         WHERE q.own_iv IS NOT NULL"""
    with psycopg.connect(url) as conn:
        valued = conn.execute(query).fetchall()
    assert len(valued) > 1_000
    differences = [
        abs(implied_volatility(mid, forward, strike, rate, years, right.lower()) - own)
        for mid, forward, strike, rate, years, right, own in valued
    ]
    return max(differences)
