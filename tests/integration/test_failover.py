"""Two simulated gateways: rows come from the standby when the primary is out, and only then.

The ledgers of both say what was sent; rows, switches and incidents are read from SQL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import psycopg
import pytest

from ibcore.clock import utcnow
from ibcore.config import FailoverSettings, LivenessSettings
from ibcore.domain import Provider
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import stock
from ibcore.sim.ledger import by_line
from ibcore.sim.server import Gateway, SimConfig
from sidecar.app import Parts
from tests.integration.gateways import eventually
from tests.integration.streaming import Row, state_changes, streaming, watch

pytestmark = [pytest.mark.anyio, pytest.mark.paired]

SYMBOLS = ("AAPL", "MSFT", "SPY")
MARKET = SimConfig(symbols=SYMBOLS, cadence_scale=0.1, farm_wake_s=0)
QUICK = LivenessSettings(every_s=0.1, verify_s=1.0, silence_s=1.0, hours="always")
SOON = FailoverSettings(staleness_s=2.0, retries=50, healthy_s=2.0, dwell_s=3.0)
REQ_MKT_DATA, START_API = 1, 71

STORED = """
SELECT recv_ts, provider, con_id, kind, tick_type, n FROM (
    SELECT instrument_id, recv_ts, seq, provider, 'quote' AS kind, tick_type,
           ARRAY[bid, bid_size, ask, ask_size] AS n
      FROM ibkeeper.quote
     UNION ALL
    SELECT instrument_id, recv_ts, seq, provider, 'trade', tick_type, ARRAY[price, size]
      FROM ibkeeper.trade WHERE source = 'last') AS stored
  JOIN ibkeeper.instrument i ON i.id = instrument_id
 ORDER BY seq"""
NUMBERS = """
SELECT seq FROM ibkeeper.quote UNION ALL SELECT seq FROM ibkeeper.trade
 UNION ALL SELECT seq FROM ibkeeper.greeks UNION ALL SELECT seq FROM ibkeeper.instrument_stat
 ORDER BY 1"""
BY_PROVIDER = """
SELECT provider, count(*) FROM (
    SELECT provider FROM ibkeeper.quote UNION ALL SELECT provider FROM ibkeeper.trade
     UNION ALL SELECT provider FROM ibkeeper.greeks
     UNION ALL SELECT provider FROM ibkeeper.instrument_stat) AS recorded
 GROUP BY provider"""
SWITCHES = """
SELECT con_id, at, from_provider, to_provider, cause, stale_s
  FROM ibkeeper.provider_switch p JOIN ibkeeper.instrument i ON i.id = p.instrument_id
 ORDER BY at"""


class Switch(NamedTuple):
    con_id: int
    at: datetime
    old: str
    new: str
    cause: str
    stale_s: float | None


class Stored(NamedTuple):
    recv_ts: datetime
    provider: str
    con_id: int
    change: Row


class Pair(NamedTuple):
    primary: Gateway
    standby: Gateway
    parts: Parts

    def active(self) -> set[Provider]:
        """Return whose rows are taken, of any instrument."""
        health = self.parts.streaming.liveness.health()
        return {self.parts.backing.active(line.instrument_id) for line in health}


@asynccontextmanager
async def paired(
    url: str, failover: FailoverSettings = SOON, liveness: LivenessSettings = QUICK
) -> AsyncIterator[Pair]:
    """Run a sidecar that hears two gateways."""
    watch(url, [stock(CATALOGUE[symbol]) for symbol in SYMBOLS])
    async with (
        Gateway(MARKET) as primary,
        Gateway(MARKET) as standby,
        streaming(url, primary, standby=standby, failover=failover, liveness=liveness) as parts,
    ):
        pair = Pair(primary, standby, parts)
        (backup,) = parts.backing.backups
        health = parts.streaming.liveness.health
        await eventually(lambda: len(health()) == len(SYMBOLS))
        await eventually(lambda: all(line.expected_s for line in health()), within_s=20)
        await eventually(
            lambda: all(backup.rung(line.instrument_id).is_well for line in health()), within_s=20
        )
        yield pair


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute(query).fetchall()


def switches(url: str) -> list[Switch]:
    return [Switch(*row) for row in rows(url, SWITCHES)]


def stored(url: str) -> list[Stored]:
    return [
        Stored(recv_ts, provider, con_id, (kind, tick_type, *numbers))
        for recv_ts, provider, con_id, kind, tick_type, numbers in rows(url, STORED)
    ]


def runs(kept: Sequence[Stored]) -> list[tuple[str, list[Row]]]:
    """Cut the rows of one instrument where the provider changes."""
    cut = groupby(kept, key=lambda row: row.provider)
    return [(provider, [row.change for row in group]) for provider, group in cut]


def quotes_sent(gateway: Gateway, con_id: int) -> list[Row]:
    """Return every change of the book that a gateway told; a new line begins with none."""
    lines = by_line(gateway.ledger.sent_ticks).values()
    told = [
        change for ticks in lines if ticks[0].con_id == con_id for change in state_changes(ticks)
    ]
    return [change for change in told if change[0] == "quote"]


def trades_sent(gateway: Gateway, con_id: int) -> list[Row]:
    """Return every print that a gateway told; what a new line repeats is none."""
    told = state_changes([tick for tick in gateway.ledger.sent_ticks if tick.con_id == con_id])
    return [change for change in told if change[0] == "trade"]


def is_partstate_changes(run: Sequence[Row], whole: Sequence[Row]) -> bool:
    """Say whether a run stands in the whole without a gap and without a repetition."""
    length = len(run)
    return any(list(whole[at : at + length]) == list(run) for at in range(len(whole) - length + 1))


def assert_nothing_lost_or_doubled(url: str, pair: Pair) -> None:
    """Hold every run of rows against the ledger of the gateway that it says it came from."""
    kept, gateways = stored(url), {"ib": pair.primary, "standby": pair.standby}
    for con_id in {row.con_id for row in kept}:
        of_it = [row for row in kept if row.con_id == con_id]
        for provider, run in runs([row for row in of_it if row.change[0] == "trade"]):
            assert is_partstate_changes(run, trades_sent(gateways[provider], con_id))
        quotes = runs([row for row in of_it if row.change[0] == "quote"])
        for number, (provider, run) in enumerate(quotes):
            whole = quotes_sent(gateways[provider], con_id)
            if number:  # a takeover begins with the whole book as it stands, no change of its own
                assert run[0][2:] in [change[2:] for change in whole]
            assert is_partstate_changes(run[1:] if number else run, whole)


def assert_provenance(url: str) -> None:
    """No row of a provider was received while another was active."""
    kept = stored(url)
    for switch in switches(url):
        later = [s.at for s in switches(url) if s.con_id == switch.con_id and s.at > switch.at]
        until = min(later, default=datetime.max.replace(tzinfo=switch.at.tzinfo))
        wrong = [
            row
            for row in kept
            if row.con_id == switch.con_id
            and switch.at <= row.recv_ts < until
            and row.provider != switch.new
        ]
        assert wrong == []


async def test_a_silent_primary_is_left_and_taken_back_and_no_row_is_lost_or_doubled(
    db_url: str,
) -> None:
    async with paired(db_url) as pair:
        await pair.primary.fault("silent", 60)
        await eventually(lambda: pair.active() == {Provider.standby}, within_s=20)
        away_at = utcnow()
        await eventually(lambda: any(row.provider == "standby" for row in stored(db_url)))
        await eventually(lambda: incident(db_url, "failed_over") == [True])
        await pair.primary.fault("clear")
        await eventually(lambda: pair.active() == {Provider.ib}, within_s=30)
        back_at = utcnow()
        await eventually(
            lambda: any(r.provider == "ib" and r.recv_ts > back_at for r in stored(db_url))
        )
        await eventually(lambda: incident(db_url, "failed_over") == [False])
        await eventually(lambda: counted(db_url, "standby") == recorded(db_url, "standby"))
    made = switches(db_url)
    assert {(s.old, s.new, s.cause) for s in made} == {
        ("ib", "standby", "stale"),
        ("standby", "ib", "recovered"),
    }
    assert len(made) == 2 * len(SYMBOLS)
    for switch in made:
        if switch.new == "standby":
            first = min(r.recv_ts for r in stored(db_url) if r.provider == "standby")
            assert first - switch.at < timedelta(seconds=2)
            assert switch.at <= away_at + timedelta(seconds=1)
    assert_nothing_lost_or_doubled(db_url, pair)
    assert_provenance(db_url)
    numbers = [number for (number,) in rows(db_url, NUMBERS)]
    assert numbers == list(range(1, len(numbers) + 1)), "unbroken over both providers"


def counted(url: str, provider: str) -> list[tuple[int, int]]:
    """Return what the minutes say of a provider: messages, rows."""
    query = "SELECT provider, sum(ticks), sum(rows) FROM ibkeeper.feed_minute GROUP BY 1"
    return [(ticks, rows_) for whose, ticks, rows_ in rows(url, query) if whose == provider]


def recorded(url: str, provider: str) -> list[tuple[int, int]]:
    """Return the same from the rows themselves: each message of a backup is counted as its row."""
    return [(n, n) for whose, n in rows(url, BY_PROVIDER) if whose == provider]


def incident(url: str, kind: str) -> list[bool]:
    query = "SELECT kind, closed_at IS NULL FROM ibkeeper.incident"
    return [is_open for of_kind, is_open in rows(url, query) if of_kind == kind]


async def test_one_dead_line_goes_alone_and_sql_says_who_is_taken_from_whom(db_url: str) -> None:
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO ibkeeper.sidecar (name, epoch, state, started_at, heartbeat_at)"
            " VALUES ('main', 1, 'running', now(), now())"
        )
    async with paired(db_url) as pair:
        await pair.primary.fault("silent", 30, line="AAPL")
        await eventually(lambda: len(switches(db_url)) == 1, within_s=20)
        (switch,) = switches(db_url)
        assert switch.con_id == CATALOGUE["AAPL"].con_id
        assert pair.active() == {Provider.ib, Provider.standby}
        taken = "SELECT symbol, provider FROM ibkeeper.v_provider ORDER BY symbol"
        assert rows(db_url, taken) == [("AAPL", "standby"), ("MSFT", "ib"), ("SPY", "ib")]
    assert_provenance(db_url)


async def test_retries_are_enough_before_the_silence_is(db_url: str) -> None:
    patient = FailoverSettings(staleness_s=300, retries=2, healthy_s=300, dwell_s=300)
    async with paired(db_url, patient) as pair:
        began = utcnow()
        await pair.primary.fault("refuse", 30)
        await eventually(lambda: pair.active() == {Provider.standby}, within_s=20)
        assert utcnow() - began < timedelta(seconds=6)
    assert {switch.cause for switch in switches(db_url)} == {"retries"}


async def test_another_login_means_the_backup_one_incident_and_no_fight(db_url: str) -> None:
    slow = FailoverSettings(staleness_s=300, healthy_s=300, dwell_s=300)
    async with paired(db_url, slow) as pair:
        asked = count(pair.primary, REQ_MKT_DATA)
        await pair.primary.fault("10197", 20.0, bunch=12, every=0.2)
        await eventually(lambda: pair.active() == {Provider.standby}, within_s=12)
        assert count(pair.primary, REQ_MKT_DATA) - asked <= 1, "one line may ask, once a minute"
        for kind in ("competing_session", "failed_over"):
            await eventually(lambda kind=kind: incident(db_url, kind) == [True])
        assert count(pair.primary, START_API) == 3
    assert {switch.cause for switch in switches(db_url)} == {"competing_session"}


def count(gateway: Gateway, message: int) -> int:
    return sum(request.msg_id == message for request in gateway.ledger.requests)


async def test_a_flapping_primary_is_no_reason_to_switch_more_than_once_in_the_dwell_time(
    db_url: str,
) -> None:
    flapping = FailoverSettings(staleness_s=1.0, healthy_s=0.5, dwell_s=6.0)
    async with paired(db_url, flapping) as pair:
        for _ in range(4):
            await pair.primary.fault("1100", 2.5)
            await eventually(lambda: not pair.primary.faults.active)
            heard = pair.primary.ledger.tick_count
            await eventually(lambda before=heard: pair.primary.ledger.tick_count > before + 30)
    made = switches(db_url)
    assert made, "it was silent for longer than the limit"
    for con_id in {switch.con_id for switch in made}:
        times = [switch.at for switch in made if switch.con_id == con_id]
        for earlier, later in pairwise(times):
            assert later - earlier >= timedelta(seconds=5.9)
    assert_nothing_lost_or_doubled(db_url, pair)
    assert_provenance(db_url)


async def test_without_its_backup_it_stays_and_says_so(
    db_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with paired(db_url) as pair:
        # Only now: a busy machine may need longer to connect at all, which is an incident then.
        monkeypatch.setattr("sidecar.providers.router.BACKUP_DOWN_AFTER_S", 1.0)
        await pair.standby.fault("refuse", 60)
        await eventually(lambda: incident(db_url, "backup_down") == [True])
        await pair.primary.fault("silent", 4)
        await eventually(lambda: not pair.primary.faults.active)
        assert pair.active() == {Provider.ib}
        assert switches(db_url) == []
        await pair.standby.fault("accept")
        await eventually(lambda: incident(db_url, "backup_down") == [False])
