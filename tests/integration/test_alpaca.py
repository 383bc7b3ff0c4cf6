"""Alpaca as a backup, over real sockets: what it records, and how it takes what goes wrong."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from itertools import pairwise

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from ibcore.clock import now_us, unix_ns, utcnow
from ibcore.config import AlpacaSettings
from ibcore.domain import Greeks, Quote, Trade
from ibcore.errors import ConfigRefused, GatewayTimeout, SessionLost, VendorDenied, VendorRefused
from ibcore.option_model import greeks as model_greeks
from ibcore.option_model import implied_vol, spot_terms
from ibcore.parity import years_to
from ibcore.sim.alpaca import Rules, Vendor, messages
from ibcore.sim.alpaca.snapshots import Answer
from sidecar.fold import Print
from sidecar.providers.alpaca import Alpaca
from sidecar.providers.alpaca.stream import VendorStream
from tests.canary import SONG
from tests.integration.gateways import eventually
from tests.integration.vendors import NS, QUICK, Sheet, option, running, settings_for, stock

pytestmark = pytest.mark.anyio

AAPL, BERKSHIRE = stock(1, "AAPL"), stock(2, "BRK B")
EXPIRY = utcnow().date() + timedelta(days=90)
CALL = option(3, "AAPL", f"{EXPIRY:%Y%m%d}", 100.0, "C")
CALL_SYMBOL = f"AAPL{EXPIRY:%y%m%d}C00100000"


def quote(symbol: str = "AAPL", bid: float = 99.98, ask: float = 100.02) -> dict[str, object]:
    return messages.quote(symbol, unix_ns(), bid, 300, ask, 200)


async def subscribed(vendor: Vendor, *symbols: str) -> None:
    await eventually(lambda: vendor.subscribed("quotes") == set(symbols))


async def anew(vendor: Vendor, times: int, *symbols: str) -> None:
    """Wait until a new connection has subscribed, and the one before it is gone."""
    await eventually(lambda: len(vendor.connects) >= times and len(vendor.conversations) == 1)
    await subscribed(vendor, *symbols)


def failed(stream: VendorStream, kind: type[Exception]) -> bool:
    return type(stream.failure) is kind


# rows


async def test_quotes_and_prints_are_rows_as_those_of_ib() -> None:
    async with Vendor() as vendor, running(vendor, AAPL, BERKSHIRE) as (alpaca, sheet):
        await subscribed(vendor, "AAPL", "BRK.B")
        assert alpaca.is_ready
        before, ns = now_us(), unix_ns()
        vendor.push(
            messages.quote("AAPL", ns, 99.98, 300, 100.02, 200),
            messages.quote("AAPL", ns, 99.98, 300, 100.02, 200),
            messages.quote("AAPL", ns, 99.98, 300, 100.03, 40),
            messages.quote("BRK.B", ns, 0, 0, 360.5, 40),
            messages.trade("AAPL", ns, 100.01, 100, number=1),
            messages.trade("AAPL", ns, 100.01, 100, number=2),
        )
        await eventually(lambda: len(sheet.rows) == 5)
    quotes, trades = sheet.of(Quote), sheet.of(Trade)
    assert [(q.instrument_id, q.tick_type, *q[8:]) for q in quotes] == [
        (1, 1, 99.98, 300.0, 100.02, 200.0),
        (1, 2, 99.98, 300.0, 100.03, 40.0),
        (2, 2, None, None, 360.5, 40.0),
    ]
    assert {(q.epoch, q.provider, q.quality, q.ts - q.recv_ts) for q in quotes} == {
        (7, "alpaca", "live", 0)
    }
    assert all(before <= row.recv_ts <= now_us() for row in sheet.rows)
    assert [(t.price, t.size, t.source, t.tick_type) for t in trades] == [
        (100.01, 100.0, "tick_by_tick", 4)
    ] * 2
    assert {t.ts for t in trades} == {ns // 1_000 - 946_684_800_000_000}
    assert alpaca.events(1) == 5
    assert alpaca.events(99) == 0
    assert sheet.messages == 6


async def test_what_sets_no_last_price_and_what_takes_a_print_back_is_no_row() -> None:
    ns = unix_ns()
    reports = [
        messages.trade("AAPL", ns, 100.0, 3, conditions=["@", "I"]),
        messages.trade("AAPL", ns, 100.0, 300, conditions=["B"], tape="A"),
        messages.trade("AAPL", ns, 100.0, 300, conditions=["@", "7", "V"]),
        messages.correction("AAPL", ns, (100.0, 300), (101.0, 300)),
        messages.cancel("AAPL", ns, 100.0, 300),
        messages.trade(CALL_SYMBOL, ns, 5.0, 1, conditions=["A"]),
    ]
    prints = [
        messages.trade("AAPL", ns, 100.0, 300, conditions=["B"], tape="C"),
        messages.trade("AAPL", ns, 100.1, 100, conditions=["@", "F", "T"]),
        messages.trade(CALL_SYMBOL, ns, 5.1, 1, conditions=["S"]),
    ]
    async with Vendor() as vendor, running(vendor, AAPL, CALL) as (alpaca, sheet):
        await subscribed(vendor, "AAPL", CALL_SYMBOL)
        vendor.push(*reports, *prints)
        await eventually(lambda: len(sheet.rows) == 3)
        odd = alpaca.feed.oddities
    assert sorted(trade.price for trade in sheet.of(Trade)) == [5.1, 100.0, 100.1]
    assert (odd.no_prints, odd.corrections, odd.cancels) == (4, 1, 1)


@pytest.mark.parametrize(
    ("stock_feed", "option_feed", "qualities"),
    [
        ("sip", "opra", {1: "live", 3: "live"}),
        ("iex", "indicative", {1: "indicative", 3: "indicative"}),
        ("delayed_sip", "opra", {1: "delayed", 3: "live"}),
    ],
)
async def test_every_row_says_how_good_its_feed_is(
    stock_feed: str, option_feed: str, qualities: dict[int, str]
) -> None:
    feeds = {"stock_feed": stock_feed, "option_feed": option_feed, "accept_indicative": True}
    async with Vendor() as vendor, running(vendor, AAPL, CALL, **feeds) as (_, sheet):
        await subscribed(vendor, "AAPL", CALL_SYMBOL)
        vendor.push(quote(), quote(CALL_SYMBOL, 5.0, 5.2))
        await eventually(lambda: len(sheet.of(Quote)) == 2)
        assert {one.feed for one in vendor.conversations} == {stock_feed, option_feed}
    assert {row.instrument_id: row.quality for row in sheet.of(Quote)} == qualities


async def test_taking_over_begins_with_the_book_and_not_with_the_print_that_is_known() -> None:
    async with Vendor() as vendor, running(vendor, AAPL) as (alpaca, sheet):
        await subscribed(vendor, "AAPL")
        vendor.push(quote())
        await eventually(lambda: len(sheet.rows) == 1)
        sheet.prints[1] = Print(100.01, 100.0)
        alpaca.activate(1)
        alpaca.activate(99)
        vendor.push(*(messages.trade("AAPL", unix_ns(), 100.01, 100, number=n) for n in (1, 2)))
        await eventually(lambda: len(sheet.rows) == 3)
    first, again, trade = sheet.rows
    assert first[8:] == again[8:]
    assert (trade.price, trade.size) == (100.01, 100.0)  # type: ignore[union-attr]


async def test_a_time_that_cannot_be_true_is_the_time_of_arrival() -> None:
    async with Vendor() as vendor, running(vendor, AAPL) as (_, sheet):
        await subscribed(vendor, "AAPL")
        vendor.push(messages.trade("AAPL", NS, 100.0, 100))
        await eventually(lambda: sheet.rows)
    assert sheet.rows[0].ts == sheet.rows[0].recv_ts


# greeks


async def test_greeks_of_the_vendor_are_rows_of_a_kind_of_their_own() -> None:
    told = {"delta": 0.61, "gamma": 0.02, "theta": -0.08, "vega": 0.11}
    async with Vendor() as vendor, running(vendor, CALL) as (_, sheet):
        vendor.snapshots[CALL_SYMBOL] = messages.snapshot(
            NS, bid=5.0, ask=5.2, iv=0.31, greeks=told
        )
        await eventually(lambda: sheet.of(Greeks))
        asked = len(vendor.asked)
        await eventually(lambda: len(vendor.asked) > asked + 2)
        assert len(sheet.of(Greeks)) == 1  # said again, it is no news
        vendor.snapshots[CALL_SYMBOL]["impliedVolatility"] = 0.32
        await eventually(lambda: len(sheet.of(Greeks)) == 2)
    first, second = sheet.of(Greeks)
    assert first.kind == "vendor"
    assert (first.iv, first.delta, first.gamma, first.vega, first.theta) == (
        *(0.31, 0.61, 0.02, 0.11),
        -0.08,
    )
    assert first[13:] == (None, None, None, None)
    assert second.iv == 0.32


async def test_greeks_that_the_vendor_does_not_give_are_computed_and_say_so() -> None:
    async with Vendor() as vendor, running(vendor, CALL) as (_, sheet):
        await subscribed(vendor, "AAPL", CALL_SYMBOL)
        assert vendor.subscribed("trades") == {CALL_SYMBOL}  # of the underlying, quotes only
        vendor.snapshots[CALL_SYMBOL] = messages.snapshot(NS, bid=1.0, ask=9.0)
        vendor.push(quote("AAPL", 99.0, 101.0))
        vendor.push(quote(CALL_SYMBOL, 5.0, 5.2))
        await eventually(lambda: any(row.option_price == 5.1 for row in sheet.of(Greeks)))
    row = next(row for row in sheet.of(Greeks) if row.option_price == 5.1)
    assert (row.kind, row.provider, row.underlying_price) == ("computed", "alpaca", 100.0)
    terms = spot_terms("C", 100.0, years_to(EXPIRY, utcnow()), spot=100.0, rate=0.0)
    vol = implied_vol(terms, 5.1)
    assert isinstance(vol, float)
    made = model_greeks(terms, vol)
    expected = (vol, made.delta, made.gamma, made.vega, made.theta)
    assert (row.iv, row.delta, row.gamma, row.vega, row.theta) == pytest.approx(expected, rel=1e-4)
    assert [row for row in sheet.rows if row.instrument_id != 3] == []


async def test_asking_too_often_is_answered_with_patience() -> None:
    async with Vendor() as vendor:
        vendor.http = Answer(429, "{}", {"Retry-After": "2"})
        with capture_logs() as logs:
            began = now_us()
            async with running(vendor, CALL) as (alpaca, sheet):
                await eventually(lambda: vendor.asked)
                vendor.http = None
                vendor.snapshots[CALL_SYMBOL] = messages.snapshot(
                    NS, bid=5.0, ask=5.2, iv=0.3, greeks={"delta": 0.5}
                )
                await eventually(lambda: sheet.of(Greeks))
                waited_s = (now_us() - began) / 1e6
    assert waited_s >= 2.0
    (told,) = [entry for entry in logs if entry["event"] == "alpaca_snapshots_failed"]
    assert "429" in told["why"]
    assert "IBKEEPER_ALPACA__GREEKS_S" in told["why"]
    assert alpaca.snapshots.failure is None


# what goes wrong


async def test_a_lost_stream_comes_back_with_growing_patience() -> None:
    async with Vendor() as vendor, running(vendor, AAPL) as (alpaca, sheet):
        await subscribed(vendor, "AAPL")
        vendor.push(quote())
        await eventually(lambda: sheet.rows)
        for times in (2, 3):
            vendor.drop()
            await anew(vendor, times, "AAPL")
        vendor.push(quote())
        await eventually(lambda: len(sheet.rows) == 2)  # the same book: it is known anew
        assert alpaca.is_ready
    waits_s = [(later - sooner) / 1e9 for sooner, later in pairwise(vendor.connects)]
    assert waits_s[0] > 0.9
    assert waits_s[1] > 1.9


async def test_a_vendor_that_nobody_reaches_is_knocked_at_and_found() -> None:
    async with Vendor() as vendor:
        await vendor.close()
        async with running(vendor, AAPL) as (alpaca, _):
            await eventually(lambda: alpaca.stocks.failure)
            assert "IBKEEPER_ALPACA__STREAM_URL" in str(alpaca.stocks.failure)
            assert not alpaca.is_ready
            await vendor.open()
            await subscribed(vendor, "AAPL")
            assert alpaca.is_ready


async def test_a_vendor_that_does_not_welcome_fails_at_the_deadline() -> None:
    pace = QUICK._replace(connect_s=0.3)
    async with Vendor() as vendor:
        vendor.deaf = True
        async with running(vendor, AAPL, pace=pace) as (alpaca, _):
            await eventually(lambda: failed(alpaca.stocks, GatewayTimeout))
            vendor.deaf = False
            await subscribed(vendor, "AAPL")


@pytest.mark.parametrize(
    ("rules", "code", "remedy"),
    [
        (Rules(secret_key="another"), 402, "IBKEEPER_ALPACA__SECRET_KEY"),
        (Rules(feeds=frozenset({"iex"})), 409, "IBKEEPER_ALPACA__STOCK_FEED"),
    ],
)
async def test_a_denial_is_typed_and_not_tried_again_soon(
    rules: Rules, code: int, remedy: str
) -> None:
    async with Vendor(rules) as vendor:
        with capture_logs() as logs:
            async with running(vendor, AAPL) as (alpaca, _):
                await eventually(lambda: failed(alpaca.stocks, VendorDenied))
                denied = alpaca.stocks.failure
                assert isinstance(denied, VendorDenied)
                assert not alpaca.is_ready
    assert (denied.code, denied.retryable) == (code, False)
    assert remedy in str(denied)
    (told,) = [entry for entry in logs if entry["event"] == "alpaca_stream_down"]
    assert told["retry_in_s"] == 300.0
    assert len(vendor.connects) == 1


async def test_a_denied_option_feed_does_not_hold_up_the_stocks() -> None:
    rules = Rules(feeds=frozenset({"sip"}))
    async with Vendor(rules) as vendor, running(vendor, AAPL, CALL) as (alpaca, sheet):
        await eventually(lambda: failed(alpaca.options, VendorDenied))
        await subscribed(vendor, "AAPL")
        vendor.push(quote())
        await eventually(lambda: sheet.rows)
        assert alpaca.is_ready


async def test_a_connection_too_many_waits_until_the_other_has_gone() -> None:
    async with Vendor() as vendor, running(vendor, AAPL) as (first, _):
        await subscribed(vendor, "AAPL")
        async with running(vendor, AAPL) as (second, _):
            await eventually(lambda: failed(second.stocks, VendorRefused))
            refused = second.stocks.failure
            assert isinstance(refused, VendorRefused)
            assert (refused.code, refused.retryable) == (406, True)
            assert "one connection" in str(refused)
            vendor.rules.connections = 2
            await eventually(lambda: second.is_ready)
            assert first.is_ready


async def test_the_most_important_lines_are_had_whatever_the_limit_is() -> None:
    lines = [stock(n, f"S{chr(65 + n)}", priority=100 - n) for n in range(20)]
    async with Vendor(Rules(symbols=7)) as vendor:
        with capture_logs() as logs:
            async with running(vendor, *lines) as (alpaca, _):
                most = {f"S{chr(65 + n)}" for n in range(13, 20)}
                await subscribed(vendor, *most)
                await eventually(lambda: [e for e in logs if e["event"] == "alpaca_symbol_limit"])
                assert [n for n in range(20) if alpaca.has(n)] == list(range(13, 20))
                urgent = stock(99, "URGENT", priority=1)
                alpaca.want([*lines, urgent])
                await subscribed(vendor, "URGENT", *(most - {"SN"}))
    (told,) = [entry for entry in logs if entry["event"] == "alpaca_symbol_limit"]
    assert (told["taken"], told["left_out"]) == (7, 13)
    assert len(vendor.connects) == 1


async def test_a_stream_that_is_connected_and_silent_is_connected_anew() -> None:
    async with Vendor() as vendor, running(vendor, AAPL, pace=QUICK) as (alpaca, sheet):
        await subscribed(vendor, "AAPL")
        vendor.silent = True
        await eventually(lambda: failed(alpaca.stocks, SessionLost))
        assert "said nothing" in str(alpaca.stocks.failure)
        vendor.silent = False
        await anew(vendor, 2, "AAPL")

        def heard() -> bool:
            vendor.push(quote())  # each look: a machine that stalls is silence, and one more anew
            return bool(sheet.rows)

        await eventually(heard)


async def test_a_closed_market_is_silent_and_nothing_is_done() -> None:
    pace = QUICK._replace(silent_s=0.1, is_open=lambda _now: False)
    async with Vendor() as vendor, running(vendor, AAPL, pace=pace) as (alpaca, sheet):
        await subscribed(vendor, "AAPL")
        began = now_us()
        await eventually(lambda: now_us() - began > 500_000)
        vendor.push(quote())
        await eventually(lambda: sheet.rows)
        assert alpaca.is_ready
    assert len(vendor.connects) == 1


async def test_what_is_no_message_ends_the_connection_and_nothing_else() -> None:
    async with Vendor() as vendor, running(vendor, AAPL) as (alpaca, sheet):
        await subscribed(vendor, "AAPL")
        (socket,) = [one.socket for one in vendor.conversations]
        await socket.send(b"\xc1 no msgpack")
        await eventually(lambda: alpaca.stocks.failure)
        assert "no list of messages" in str(alpaca.stocks.failure)
        await anew(vendor, 2, "AAPL")
        vendor.push(quote() | {"bp": "many"}, quote() | {"as": -4}, quote())
        await eventually(lambda: sheet.rows)
        assert alpaca.feed.oddities.garbled == 2


async def test_who_is_too_slow_is_told_so_and_comes_anew() -> None:
    async with Vendor() as vendor, running(vendor, AAPL) as (alpaca, sheet):
        await subscribed(vendor, "AAPL")
        vendor.slow_s = 0.05  # as if we took a frame so seldom
        for number in range(1_100):
            vendor.push(quote(bid=90.0, ask=91.0 + number / 100))
        await eventually(lambda: failed(alpaca.stocks, VendorRefused))
        assert "407 slow client" in str(alpaca.stocks.failure)
        vendor.slow_s = 0.0
        await anew(vendor, 2, "AAPL")
        vendor.push(quote())
        await eventually(lambda: any(row.bid == 99.98 for row in sheet.of(Quote)))


async def test_an_error_out_of_the_blue_is_told_and_got_over() -> None:
    async with Vendor() as vendor, running(vendor, AAPL) as (alpaca, _):
        await subscribed(vendor, "AAPL")
        vendor.refuse(407)
        await eventually(lambda: failed(alpaca.stocks, VendorRefused))
        assert "too slow" in str(alpaca.stocks.failure)
        await anew(vendor, 2, "AAPL")


# lines


async def test_what_alpaca_cannot_have_is_passed_over_and_told_once() -> None:
    future = stock(8, "ES")
    future.contract.secType = "FUT"
    listed_elsewhere = stock(9, "SAP", primaryExchange="IBIS")
    with capture_logs() as logs:
        async with Vendor() as vendor, running(vendor, AAPL) as (alpaca, _):
            for _ in range(3):
                alpaca.want([AAPL, future, listed_elsewhere])
                alpaca.want([AAPL, future])
            await subscribed(vendor, "AAPL")
            assert alpaca.has(AAPL.watch_id)
            assert not alpaca.has(future.watch_id)
    told = [entry for entry in logs if entry["event"] == "alpaca_unmapped"]
    assert [entry["watch_id"] for entry in told] == [8, 9]
    assert "no FUT" in told[0]["why"]


async def test_lines_come_and_go_without_a_new_connection() -> None:
    async with Vendor() as vendor, running(vendor, AAPL) as (alpaca, sheet):
        await subscribed(vendor, "AAPL")
        alpaca.want([AAPL, CALL])
        await subscribed(vendor, "AAPL", CALL_SYMBOL)
        alpaca.want([CALL])
        await eventually(lambda: vendor.subscribed("trades") == {CALL_SYMBOL})
        assert vendor.subscribed("quotes") == {"AAPL", CALL_SYMBOL}
        vendor.push(quote())
        alpaca.want([BERKSHIRE])
        await subscribed(vendor, "BRK.B")
        vendor.push(quote("BRK.B", 360.0, 361.0))
        await eventually(lambda: sheet.rows)
    assert [row.instrument_id for row in sheet.rows] == [2]
    assert len(vendor.connects) == 2  # one a stream


def test_without_keys_there_is_no_alpaca() -> None:
    with pytest.raises(ConfigRefused, match="IBKEEPER_ALPACA__KEY_ID"):
        Alpaca(Sheet(), AlpacaSettings(), epoch=1)


# secrets

SESSION = """
import anyio
from pydantic import SecretStr
from ibcore import log
from ibcore.config import LogSettings
from ibcore.sim.alpaca import Rules, Vendor
from tests.integration.gateways import eventually
from tests.integration.vendors import option, running, stock

async def main():
    log.configure(LogSettings(level="debug", format="json"))
    rules = Rules(key_id="kanarienvogel-key", secret_key="sim-secret-key")
    call = option(3, "AAPL", "20991218", 100.0, "C")
    async with Vendor(rules) as vendor, running(vendor, stock(1, "AAPL"), call) as (alpaca, _):
        await eventually(lambda: alpaca.is_ready and vendor.asked)
        rules.secret_key = "another"
        vendor.drop()
        await eventually(lambda: alpaca.stocks.is_denied and alpaca.snapshots.failure)
        print(repr(vars(alpaca.stocks)))

anyio.run(main)
"""


def test_keys_stand_in_no_log_and_in_no_error() -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-c", SESSION], capture_output=True, text=True, timeout=50
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    assert "alpaca_stream_up" in said
    assert "402 auth failed" in said
    assert "HTTP Request" not in said
    for secret in ("kanarienvogel-key", "sim-secret-key"):
        assert secret not in said
        assert secret.encode().hex(" ") not in said


def test_a_provider_made_of_settings_shows_no_keys() -> None:
    vendor = Vendor(port=1)
    settings = settings_for(vendor, key_id=SecretStr(f"{SONG}-key"))
    alpaca = Alpaca(Sheet(), settings, epoch=1)
    assert SONG not in repr([vars(alpaca), vars(alpaca.stocks), vars(alpaca.snapshots)])
