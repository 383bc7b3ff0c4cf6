"""Whatever Alpaca sends: nothing is raised, times agree in both encodings, the limit is found."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import msgpack
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibcore.clock import us_from_datetime
from ibcore.domain import Provider, Quote, Trade
from ibcore.errors import StreamGarbled
from ibcore.sim.alpaca.frames import encode, rfc3339
from sidecar.line import Line
from sidecar.providers.alpaca import greeks
from sidecar.providers.alpaca.feed import Seat, VendorFeed
from sidecar.providers.alpaca.subscription import Subscription, Topic
from sidecar.providers.alpaca.wire import decode, micros
from tests.integration.vendors import Sheet

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)
MESSAGES = st.fixed_dictionaries(
    {"T": st.sampled_from("qtcxsb"), "S": st.sampled_from(["AAPL", "AAPL240119C00100000", "MSFT"])},
    optional=dict.fromkeys(("bp", "bs", "ap", "as", "p", "s", "c", "z", "t", "i"), ANYTHING),
)
NANOSECONDS = st.integers(946_684_800_000_000_000, 4_102_444_800_000_000_000)
NOW_US = 758_989_800_000_000


def feed() -> tuple[VendorFeed, Sheet]:
    sheet = Sheet()
    made = VendorFeed(sheet, epoch=1, provider=Provider.alpaca)
    lines = {"AAPL": Line(1, "STK"), "AAPL240119C00100000": Line(2, "OPT", "C")}
    made.keep({symbol: Seat(line, "live") for symbol, line in lines.items()})
    return made, sheet


@settings(deadline=None)  # made of so many parts that making them takes longer than taking them
@given(st.lists(MESSAGES, max_size=8))
def test_no_message_is_raised_over_and_every_row_is_sane(told: list[dict[str, Any]]) -> None:
    made, sheet = feed()
    made.take(decode(msgpack.packb(told)), NOW_US)
    for row in sheet.rows:
        prices = row[8:] if isinstance(row, Quote) else row[9:11]
        assert isinstance(row, Quote | Trade)
        assert all(value is None or 0 < value < 1e15 for value in prices)
        assert abs(row.ts - row.recv_ts) < 86_400_000_000


@given(st.binary(max_size=40) | st.text(max_size=40) | ANYTHING.map(msgpack.packb))
def test_any_frame_is_a_list_of_messages_or_is_refused(frame: str | bytes) -> None:
    try:
        told = decode(frame)
    except StreamGarbled:
        return
    assert all(isinstance(message["T"], str) for message in told)


@given(st.dictionaries(st.sampled_from(["greeks", "impliedVolatility", "latestQuote"]), ANYTHING))
def test_any_snapshot_is_read_or_passed_over(snapshot: dict[str, Any]) -> None:
    read = greeks.of_vendor(snapshot)
    assert read is None or read.kind == "vendor"
    middle = greeks.middle_of(snapshot)
    assert middle is None or middle > 0


@given(NANOSECONDS)
def test_a_time_is_the_same_in_both_encodings(ns: int) -> None:
    packed, text = (decode(encode([{"T": "q", "t": ns}], packed=one)) for one in (True, False))
    expected = us_from_datetime(datetime.fromtimestamp(ns // 10**9, timezone.utc))
    assert micros(packed[0]["t"]) == micros(text[0]["t"]) == expected + ns % 10**9 // 1000


@pytest.mark.parametrize("text", ["", "Z", "2024-01-19", "2024-01-19T14:30:00", "x.5Z", "1.+5Z"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert micros(text) is None


def test_times_are_read_as_the_vendor_documents_them() -> None:
    assert rfc3339(1_614_009_104_208_000_000) == "2021-02-22T15:51:44.208Z"
    moment = us_from_datetime(datetime(2021, 2, 22, 15, 51, 44, 208_000, timezone.utc))
    assert micros("2021-02-22T15:51:44.208Z") == moment
    assert micros("2021-02-22T15:51:44Z") == moment - 208_000
    assert orjson.loads(encode([{"T": "q", "t": 0}], packed=False)) == [
        {"T": "q", "t": "1970-01-01T00:00:00Z"}
    ]


@given(st.lists(st.integers(0, 300), unique=True, max_size=300), st.integers(0, 310))
def test_as_many_of_the_most_important_are_held_as_the_vendor_allows(
    numbers: list[int], limit: int
) -> None:
    wanted = [Topic(f"S{number}") for number in numbers]
    kept = Subscription()
    assert kept.want(wanted) is bool(wanted)
    asked = converge(kept, limit)
    assert kept.held == set(wanted[:limit])
    assert asked <= 2 * len(wanted).bit_length() + 3
    kept.want(list(reversed(wanted)))
    converge(kept, limit)
    assert kept.held == set(wanted[-limit:] if limit else [])
    assert len(kept.left_out) == max(0, len(wanted) - limit)


def converge(kept: Subscription, limit: int) -> int:
    asked = 0
    while (batch := kept.due()) is not None:
        asked += 1
        if batch.adds and len(kept.held | set(batch.topics)) > limit:
            kept.too_many(batch)
        else:
            kept.settle(batch)
    return asked
