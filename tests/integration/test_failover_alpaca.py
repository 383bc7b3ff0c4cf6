"""A whole sidecar between a simulated gateway and the local Alpaca: rows go there and come back.

The ledger of the vendor says what was sent; rows and switches are read from SQL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
import pytest

from ibcore.clock import unix_ns, utcnow
from ibcore.domain import Provider
from ibcore.sim.alpaca import Vendor, messages
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import stock
from ibcore.sim.server import Gateway
from sidecar.app import Parts
from tests.integration.gateways import eventually
from tests.integration.streaming import Row, streaming, watch
from tests.integration.test_failover import (
    MARKET,
    NUMBERS,
    QUICK,
    SOON,
    SYMBOLS,
    assert_provenance,
    rows,
    switches,
)
from tests.integration.vendors import settings_for

pytestmark = [pytest.mark.anyio, pytest.mark.paired]

EVERY_S = 0.1
QUOTES = """
SELECT symbol, bid, bid_size, ask, ask_size FROM ibkeeper.quote q
  JOIN ibkeeper.instrument i ON i.id = q.instrument_id
 WHERE q.provider = 'alpaca' ORDER BY seq"""
PRINTS = """
SELECT symbol, price, size FROM ibkeeper.trade t
  JOIN ibkeeper.instrument i ON i.id = t.instrument_id
 WHERE t.provider = 'alpaca' ORDER BY seq"""
KINDS = """
SELECT DISTINCT provider, quality FROM ibkeeper.quote UNION
SELECT DISTINCT provider, quality FROM ibkeeper.trade ORDER BY 1"""


class Backed(NamedTuple):
    primary: Gateway
    standby: Gateway
    vendor: Vendor
    parts: Parts

    def active(self) -> set[Provider]:
        """Return whose rows are taken, of any instrument."""
        health = self.parts.streaming.liveness.health()
        return {self.parts.backing.active(line.instrument_id) for line in health}


async def trade(vendor: Vendor) -> None:
    """Let every symbol be quoted and traded, each time anew."""
    number = 0
    while True:
        number += 1
        for symbol in SYMBOLS:
            bid, ns = 100 + number / 100, unix_ns()
            vendor.push(
                messages.quote(symbol, ns, bid, number, bid + 0.02, 100),
                messages.trade(symbol, ns, bid, number, number=number),
            )
        await anyio.sleep(EVERY_S)


@asynccontextmanager
async def backed(url: str, *, with_standby: bool) -> AsyncIterator[Backed]:
    """Run a sidecar that hears a gateway, perhaps a standby, and Alpaca."""
    watch(url, [stock(CATALOGUE[symbol]) for symbol in SYMBOLS])
    async with (
        Gateway(MARKET) as primary,
        Gateway(MARKET) as standby,
        Vendor() as vendor,
        streaming(
            url,
            primary,
            standby=standby if with_standby else None,
            failover=SOON,
            liveness=QUICK,
            alpaca=settings_for(vendor),
        ) as parts,
        anyio.create_task_group() as market,
    ):
        market.start_soon(trade, vendor)
        health = parts.streaming.liveness.health
        await eventually(lambda: len(health()) == len(SYMBOLS))
        await eventually(lambda: all(line.expected_s for line in health()), within_s=20)
        # A line is found out once its rhythm is known.
        await eventually(
            lambda: all(
                (known := backup.rung(line.instrument_id).health) and known.expected_s
                for backup in parts.backing.backups
                for line in health()
            ),
            within_s=30,
        )
        yield Backed(primary, standby, vendor, parts)
        market.cancel_scope.cancel()


def is_part(run: list[Row], whole: list[Row]) -> bool:
    return any(whole[at : at + len(run)] == run for at in range(len(whole) - len(run) + 1))


def sent(vendor: Vendor, symbol: str, kind: str, names: tuple[str, ...]) -> list[Row]:
    told = [entry.message for entry in vendor.ledger if entry.message.get("S") == symbol]
    return [tuple(float(m[name]) for name in names) for m in told if m["T"] == kind]


async def test_a_silent_primary_is_left_for_alpaca_and_taken_back(db_url: str) -> None:
    async with backed(db_url, with_standby=False) as all_of_it:
        await all_of_it.primary.fault("silent", 60)
        await eventually(lambda: all_of_it.active() == {Provider.alpaca}, within_s=20)
        enough = "SELECT count(*) FROM ibkeeper.trade WHERE provider = 'alpaca'"
        await eventually(lambda: rows(db_url, enough)[0][0] >= 30)
        await all_of_it.primary.fault("clear")
        await eventually(lambda: all_of_it.active() == {Provider.ib}, within_s=40)
        back_at = utcnow()
        newest = "SELECT max(recv_ts) FROM ibkeeper.quote WHERE provider = 'ib'"
        await eventually(lambda: rows(db_url, newest)[0][0] > back_at)
    assert {(s.old, s.new, s.cause) for s in switches(db_url)} == {
        ("ib", "alpaca", "stale"),
        ("alpaca", "ib", "recovered"),
    }
    assert rows(db_url, KINDS) == [("alpaca", "live"), ("ib", "live")]
    assert_provenance(db_url)
    for symbol in SYMBOLS:
        quotes = [tuple(row) for name, *row in rows(db_url, QUOTES) if name == symbol]
        prints = [tuple(row) for name, *row in rows(db_url, PRINTS) if name == symbol]
        assert len(quotes) >= 10
        assert is_part(quotes, sent(all_of_it.vendor, symbol, "q", ("bp", "bs", "ap", "as")))
        assert is_part(prints, sent(all_of_it.vendor, symbol, "t", ("p", "s")))
    numbers = [number for (number,) in rows(db_url, NUMBERS)]
    assert numbers == list(range(1, len(numbers) + 1)), "unbroken over both providers"


async def test_alpaca_is_the_last_resort_after_the_standby(db_url: str) -> None:
    async with backed(db_url, with_standby=True) as all_of_it:
        await all_of_it.primary.fault("silent", 60)
        await eventually(lambda: all_of_it.active() == {Provider.standby}, within_s=20)
        await all_of_it.standby.fault("silent", 60)
        await eventually(lambda: all_of_it.active() == {Provider.alpaca}, within_s=20)
    assert {(s.old, s.new) for s in switches(db_url)} == {("ib", "standby"), ("standby", "alpaca")}
    assert_provenance(db_url)
