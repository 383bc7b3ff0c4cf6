"""The local Alpaca speaks the vendor's protocol: its own client and ours hear the same values."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from ibcore.clock import unix_ns, us_from_datetime
from ibcore.domain import Greeks, MarketRow, Quote, Trade
from ibcore.sim.alpaca import Rules, Vendor, messages
from tests.integration.gateways import eventually
from tests.integration.vendors import option, running, stock

# alpaca-py stands on websockets' legacy client, which warns when it is imported.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

KEYS = ("PKTEST", "sim-secret-key")
CALL = "AAPL240119C00100000"
NS = 1_705_674_600_123_456_789
STOCKS = [
    messages.quote("AAPL", NS, 100.01, 300, 100.03, 200),
    messages.quote("BRK.B", NS + 1_000, 360.5, 40, 0, 0),
    messages.trade("AAPL", NS + 2_000_000, 100.02, 100, number=7),
    messages.trade("AAPL", NS + 3_000_000, 100.025, 3, number=8, conditions=["@", "I"]),
    messages.correction("AAPL", NS + 4_000_000, (100.02, 100), (100.01, 100), number=7),
    messages.cancel("AAPL", NS + 5_000_000, 100.025, 3, number=8),
]
OPTIONS = [
    messages.quote(CALL, NS, 5.1, 10, 5.3, 12),
    messages.trade(CALL, NS + 1_000, 5.2, 2, conditions=["S"]),
]
NAMES = {
    "q": {"bid_price": "bp", "bid_size": "bs", "bid_exchange": "bx", "ask_price": "ap",
          "ask_size": "as", "ask_exchange": "ax", "conditions": "c", "tape": "z"},
    "t": {"price": "p", "size": "s", "exchange": "x", "id": "i", "conditions": "c", "tape": "z"},
    "x": {"price": "p", "size": "s", "exchange": "x", "id": "i", "action": "a", "tape": "z"},
    "c": {"original_id": "oi", "original_price": "op", "original_size": "os",
          "original_conditions": "oc", "corrected_id": "ci", "corrected_price": "cp",
          "corrected_size": "cs", "corrected_conditions": "cc", "exchange": "x", "tape": "z"},
}  # fmt: skip


@pytest.fixture(scope="module")
def official() -> SimpleNamespace:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from alpaca.data import enums, historical, requests
        from alpaca.data.live import option, stock
    return SimpleNamespace(
        enums=enums, rest=historical.option, requests=requests, option=option, stock=stock
    )


@asynccontextmanager
async def listening(stream: Any, *symbols: str) -> AsyncIterator[list[Any]]:
    """Run one of alpaca-py's streams in this loop; what it hears is collected."""
    heard: list[Any] = []

    async def keep(model: Any) -> None:
        heard.append(model)

    stream.subscribe_quotes(keep, *symbols)
    stream.subscribe_trades(keep, *symbols)
    if hasattr(stream, "register_trade_cancels"):
        stream.register_trade_cancels(keep)
        stream.register_trade_corrections(keep)
    running = asyncio.create_task(stream._run_forever())
    try:
        yield heard
    finally:
        await stream.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def told(model: Any, kind: str) -> dict[str, Any]:
    """Return what one of alpaca-py's models says, under the names of the wire."""
    values = {wire: getattr(model, name) for name, wire in NAMES[kind].items()}
    plain = {wire: getattr(value, "value", value) for wire, value in values.items()}
    return {"T": kind, "S": model.symbol, "t": model.timestamp, **plain}


def expected(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message of ours as alpaca-py must tell it: its times end with microseconds."""
    moment = datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=message["t"] // 1000)
    return dict.fromkeys(NAMES[message["T"]].values()) | message | {"t": moment}


def streams(official: SimpleNamespace) -> dict[str, tuple[Callable[..., Any], str]]:
    return {
        "sip": (official.stock.StockDataStream, "v2"),
        "opra": (official.option.OptionDataStream, "v1beta1"),
    }


@pytest.mark.parametrize(("feed", "sent"), [("sip", STOCKS), ("opra", OPTIONS)])
async def test_the_official_client_hears_every_value(
    official: SimpleNamespace, feed: str, sent: list[dict[str, Any]]
) -> None:
    make, version = streams(official)[feed]
    symbols = sorted({message["S"] for message in sent})
    async with Vendor() as vendor:
        stream = make(*KEYS, url_override=f"{vendor.stream_url}/{version}/{feed}")
        async with listening(stream, *symbols) as heard:
            await eventually(lambda: vendor.subscribed("quotes") == set(symbols))
            vendor.push(*sent)
            await eventually(lambda: len(heard) == len(sent))
        ledger = [entry.message for entry in vendor.ledger if entry.message["T"] in NAMES]
    kinds = [message["T"] for message in sent]
    assert [told(m, kind) for m, kind in zip(heard, kinds, strict=True)] == [*map(expected, sent)]
    assert ledger == sent


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Rules(secret_key="another"), "auth failed"),
        (Rules(feeds=frozenset({"iex"})), "insufficient subscription"),
        (Rules(connections=0), "connection limit exceeded"),
    ],
)
async def test_the_official_client_understands_a_refusal(
    official: SimpleNamespace, rules: Rules, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with Vendor(rules) as vendor:
        stream = official.stock.StockDataStream(*KEYS, url_override=f"{vendor.stream_url}/v2/sip")
        async with listening(stream, "AAPL"):
            await eventually(lambda: words in caplog.text)


async def test_the_official_client_reads_snapshots_page_by_page(official: SimpleNamespace) -> None:
    greeks = {"delta": 0.61, "gamma": 0.02, "theta": -0.08, "vega": 0.11}
    symbols = [f"AAPL240119C{strike:05d}000" for strike in range(90, 95)]
    async with Vendor(Rules(page=2)) as vendor:
        for symbol in symbols[:-1]:
            vendor.snapshots[symbol] = messages.snapshot(
                NS, bid=5.1, ask=5.3, last=5.2, iv=0.31, greeks=greeks
            )
        vendor.snapshots[symbols[-1]] = messages.snapshot(NS, bid=0.0, ask=0.05)
        client = official.rest.OptionHistoricalDataClient(*KEYS, url_override=vendor.data_url)
        request = official.requests.OptionSnapshotRequest(
            symbol_or_symbols=symbols, feed=official.enums.OptionsFeed.OPRA
        )
        found = await asyncio.to_thread(client.get_option_snapshot, request)
    assert sorted(found) == symbols
    assert len(vendor.asked) == 3
    for symbol in symbols[:-1]:
        assert found[symbol].implied_volatility == 0.31
        assert found[symbol].greeks.model_dump() == {"rho": 0.0, **greeks}
        assert found[symbol].latest_quote.ask_price == 5.3
        assert found[symbol].latest_trade.price == 5.2
    assert found[symbols[-1]].greeks is None
    assert found[symbols[-1]].implied_volatility is None


@pytest.mark.parametrize(("feed", "sent"), [("sip", STOCKS), ("opra", OPTIONS)])
async def test_the_official_client_and_ours_agree_on_every_value(
    official: SimpleNamespace, feed: str, sent: list[dict[str, Any]]
) -> None:
    now = unix_ns()
    sent = [message | {"t": now + n * 1_000_000} for n, message in enumerate(sent)]
    make, version = streams(official)[feed]
    wanted = [stock(1, "AAPL"), stock(2, "BRK B"), option(3, "AAPL", "20240119", 100.0, "C")]
    numbers = {"AAPL": 1, "BRK.B": 2, CALL: 3}
    symbols = sorted({message["S"] for message in sent})
    async with Vendor(Rules(connections=2)) as vendor, running(vendor, *wanted) as (_, sheet):
        stream = make(*KEYS, url_override=f"{vendor.stream_url}/{version}/{feed}")
        async with listening(stream, *symbols) as heard:
            await eventually(lambda: both_subscribed(vendor, feed, set(symbols)))
            for message in sent:
                vendor.push(message)
            await eventually(lambda: len(heard) == len(sent))
            await eventually(lambda: sheet.messages == len(sent))
    theirs = [agreed(model, numbers) for model in heard if agreed(model, numbers)]
    assert [row_of(row) for row in sheet.rows] == theirs
    assert len(theirs) == len([m for m in sent if m["T"] in "qt" and m.get("c") != ["@", "I"]])


def both_subscribed(vendor: Vendor, feed: str, symbols: set[str]) -> bool:
    ours = [one for one in vendor.conversations if one.feed == feed]
    return len(ours) == 2 and all(one.subscribed["quotes"] >= symbols for one in ours)


def agreed(model: Any, numbers: dict[str, int]) -> tuple[object, ...] | None:
    """Return what a model of theirs must be as a row of ours; None: it is none."""
    name, number = type(model).__name__, numbers[model.symbol]
    if name == "Quote":
        bid = (model.bid_price, model.bid_size) if model.bid_price else (None, None)
        ask = (model.ask_price, model.ask_size) if model.ask_price else (None, None)
        return ("Quote", number, *bid, *ask)
    if name == "Trade" and "I" not in (model.conditions or []):
        return ("Trade", number, us_from_datetime(model.timestamp), model.price, model.size)
    return None


def row_of(row: MarketRow) -> tuple[object, ...]:
    if isinstance(row, Quote):
        return ("Quote", row.instrument_id, *row[8:])
    assert isinstance(row, Trade)
    return ("Trade", row.instrument_id, row.ts, row.price, row.size)


async def test_the_official_client_and_ours_read_the_same_greeks(
    official: SimpleNamespace,
) -> None:
    numbers = {"delta": 0.61, "gamma": 0.02, "theta": -0.08, "vega": 0.11}
    wanted = option(3, "AAPL", "20240119", 100.0, "C")
    async with Vendor() as vendor, running(vendor, wanted) as (_, sheet):
        vendor.snapshots[CALL] = messages.snapshot(NS, bid=5.1, ask=5.3, iv=0.31, greeks=numbers)
        client = official.rest.OptionHistoricalDataClient(*KEYS, url_override=vendor.data_url)
        request = official.requests.OptionSnapshotRequest(
            symbol_or_symbols=CALL, feed=official.enums.OptionsFeed.OPRA
        )
        found = (await asyncio.to_thread(client.get_option_snapshot, request))[CALL]
        await eventually(lambda: sheet.of(Greeks))
    (row,) = sheet.of(Greeks)
    assert (row.iv, row.delta, row.gamma, row.vega, row.theta) == (
        found.implied_volatility,
        found.greeks.delta,
        found.greeks.gamma,
        found.greeks.vega,
        found.greeks.theta,
    )
