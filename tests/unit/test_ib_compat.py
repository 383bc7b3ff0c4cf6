"""The vendor's private parts that sidecar.ib_compat touches are still what they were."""

from __future__ import annotations

import asyncio
import inspect
import math
from datetime import timezone
from zoneinfo import ZoneInfo

import ib_async
import ib_async.util
import pytest
from eventkit import event as eventkit_event
from ib_async import client, connection, util, wrapper

from ibcore.config import TickDefaults
from ibcore.domain import RejectReason
from ibcore.errors import ConfigRefused
from sidecar import ib_compat

DEFAULTS = TickDefaults()


class Heard:
    """A sink that writes down what it hears."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def packet(self, recv_us: int) -> None:
        self.said.append(("packet", recv_us))

    def price_size(self, *fields: float) -> None:
        self.said.append(("price_size", *fields))

    def size(self, *fields: float) -> None:
        self.said.append(("size", *fields))

    def string(self, *fields: object) -> None:
        self.said.append(("string", *fields))

    def generic(self, *fields: float) -> None:
        self.said.append(("generic", *fields))

    def computation(self, *fields: float) -> None:
        self.said.append(("computation", *fields))

    def reject(self, *fields: object) -> None:
        self.said.append(("reject", *fields))

    def snapshot_end(self, req_id: int) -> None:
        self.heard.append(("snapshot_end", req_id))

    def data_type(self, *fields: int) -> None:
        self.said.append(("data_type", *fields))

    def notice(self, *fields: object) -> None:
        self.said.append(("notice", *fields))


def frame(*fields: object) -> bytes:
    body = "".join(f"{field}\0" for field in fields).encode()
    return len(body).to_bytes(4, "big") + body


def feed(ib: ib_async.IB, *frames: bytes) -> None:
    """Hand the client a packet, as its socket would after the handshake."""
    ib.client._serverVersion = ib.client.decoder.serverVersion = 178
    ib.client._apiReady = True
    ib.client._onSocketHasData(b"".join(frames))


def test_the_private_parts_that_are_touched_exist():
    ib = ib_compat.make_ib(DEFAULTS, Heard())
    for owner, names in (
        (ib, ["wrapper", "client", "errorEvent", "disconnectedEvent", "_onError"]),
        (ib.client, ["conn", "decoder", "apiError", "apiEnd", "_prefix", "reset"]),
        (ib.client, ["MaxRequests", "RequestsInterval"]),
        (ib.client.conn, ["transport", "disconnected", "sendMsg"]),
        (ib.client.decoder, ["handlers", "priceSizeTick", "serverVersion"]),
        (ib.wrapper, ["_futures", "_endReq", "reqId2Ticker", "startReq", "clientId"]),
        (wrapper, ["RequestError", "PRICE_TICK_MAP", "SIZE_TICK_MAP", "GENERIC_TICK_MAP"]),
        (wrapper, ["GREEKS_TICK_MAP"]),
    ):
        assert [name for name in names if not hasattr(owner, name)] == []


def test_the_overridden_methods_take_what_the_vendor_passes():
    for name in ("tcpDataArrived", "marketDataType", "error"):
        ours = inspect.signature(getattr(ib_compat._TapWrapper, name))
        theirs = inspect.signature(getattr(wrapper.Wrapper, name))
        assert list(ours.parameters) == list(theirs.parameters)


def test_another_version_is_refused_with_the_way_to_the_right_one():
    with pytest.raises(ConfigRefused, match=r"2\.1\.0 is installed.*pip install ib_async==2\.0\.1"):
        ib_compat.harden("2.1.0")


def test_no_module_remembers_an_event_loop():
    ib_compat.harden()
    loops = []
    for _ in range(2):

        async def ask() -> None:
            running = asyncio.get_running_loop()
            found = [module.getLoop() for module in (util, client, connection, wrapper)]
            loops.extend((loop, running) for loop in [*found, eventkit_event.get_event_loop()])

        asyncio.run(ask())
    assert all(found is running for found, running in loops)
    assert len({id(found) for found, _ in loops}) == 2


def test_hardening_twice_changes_nothing():
    ib_compat.harden()
    before = dict(wrapper.PRICE_TICK_MAP), dict(wrapper.GENERIC_TICK_MAP)
    ib_compat.harden()
    assert before == (wrapper.PRICE_TICK_MAP, wrapper.GENERIC_TICK_MAP)


def test_the_vendors_own_tick_names_are_kept():
    ib_compat.harden()
    assert wrapper.PRICE_TICK_MAP[37] == "markPrice"
    assert wrapper.SIZE_TICK_MAP[22] == "openInterest"
    assert wrapper.GENERIC_TICK_MAP[90] == "delayedHalted"


def test_tickers_start_with_the_configured_defaults():
    made = ib_compat.make_ib(DEFAULTS)
    ticker = made.wrapper.startTicker(1, ib_async.Stock("SPY", "SMART", "USD", conId=1), "mktData")
    assert math.isnan(ticker.bid)
    assert math.isnan(ticker.bidSize)
    assert made.wrapper.defaultTimezone is timezone.utc
    assert math.isnan(made.wrapper.defaultEmptyPrice)
    assert ib_compat.ib_defaults(TickDefaults(timezone="America/New_York")).timezone == ZoneInfo(
        "America/New_York"
    )


@pytest.mark.parametrize("rate", [1, 4, 7, 45, 50])
def test_messages_leave_in_small_bursts_at_exactly_the_configured_rate(rate):
    client = ib_compat.make_ib(DEFAULTS, messages_per_s=rate).client
    assert client.MaxRequests / client.RequestsInterval == pytest.approx(rate)
    assert client.MaxRequests <= 3


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(ConfigRefused, match="no time zone Mars/Olympus"):
        ib_compat.ib_defaults(TickDefaults(timezone="Mars/Olympus"))


def test_every_tick_message_reaches_the_sink_without_a_ticker():
    heard = Heard()
    ib = ib_compat.make_ib(DEFAULTS, heard)
    feed(
        ib,
        frame(1, 6, 5, 1, "10.0", "3", 0),
        frame(1, 6, 5, 1, "10.1", "3", 0),
        frame(2, 6, 5, 0, "4"),
        frame(46, 6, 5, 45, "1700000000"),
        frame(46, 6, 5, 88, "1700000000"),
        frame(45, 6, 5, 49, "0"),
        frame(45, 6, 5, 46, "3.0"),
        frame(21, 5, 13, 1, *("0.2", "0.5", "1.5", "0", "0.01", "0.1", "-0.2", "100")),
        frame(58, 1, 5, 3),
        frame(4, 2, 5, 354, "not subscribed", ""),
    )
    assert [said[0] for said in heard.said] == [
        *("packet", "price_size", "price_size", "size", "string", "string"),
        *("generic", "generic", "computation", "data_type", "notice"),
    ]
    assert heard.said[1:3] == [("price_size", 5, 1, 10.0, 3.0), ("price_size", 5, 1, 10.1, 3.0)]
    assert heard.said[6] == ("generic", 5, 49, 0.0)
    assert heard.said[8] == ("computation", 5, 13, 1, 0.2, 0.5, 1.5, 0, 0.01, 0.1, -0.2, 100)
    assert heard.said[10] == ("notice", 5, 354, "not subscribed")


def test_a_price_frame_without_a_price_still_tells_its_size():
    heard = Heard()
    feed(ib_compat.make_ib(DEFAULTS, heard), frame(1, 6, 5, 2, "", "7", 0))
    kind, req_id, tick_type, price, size = heard.said[1]
    assert (kind, req_id, tick_type, size) == ("price_size", 5, 2, 7.0)
    assert isinstance(price, float)
    assert math.isnan(price)


def test_where_somebody_asked_for_a_ticker_it_is_kept_up_to_date_too():
    ib = ib_compat.make_ib(DEFAULTS, Heard())
    ticker = ib.wrapper.startTicker(5, ib_async.Stock("SPY", "SMART", "USD", conId=1), "mktData")
    feed(ib, frame(1, 6, 5, 1, "10.0", "3", 0), frame(2, 6, 5, 22, "9"))
    assert (ticker.bid, ticker.bidSize, ticker.openInterest) == (10.0, 3.0, 9.0)


def test_tick_types_that_the_vendor_does_not_know_leave_no_error_in_the_log(caplog):
    ib = ib_compat.make_ib(DEFAULTS, Heard())
    ib.wrapper.startTicker(5, ib_async.Stock("SPY", "SMART", "USD", conId=1), "mktData")
    prices = [frame(1, 6, 5, number, "1.0", "1", 0) for number in ib_compat.PRICE_TICKS]
    feed(ib, *prices, frame(2, 6, 5, 22, "9"), frame(45, 6, 5, 90, "1"), frame(46, 6, 5, 88, "1"))
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.anyio
async def test_a_request_that_ib_cannot_validate_ends_instead_of_waiting_for_ever():
    ib = ib_compat.make_ib(DEFAULTS, Heard())
    answer = ib.wrapper.startReq(7)
    feed(ib, frame(4, 2, 7, 321, "Error validating request", ""))
    assert answer.result() == []
    ib.RaiseRequestErrors = True
    answer = ib.wrapper.startReq(8)
    feed(ib, frame(4, 2, 8, 321, "Error validating request", ""))
    assert isinstance(answer.exception(), wrapper.RequestError)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (frame(1, 6, 5, 1, "1O.0", "3", 0), (5, 1, "1;6;5;1;1O.0;3;0")),
        (frame(2, 6, 5, 0, "many"), (5, 0, "2;6;5;0;many")),
        (frame(2, 6, 5, 99_999, "4"), (5, -1, "2;6;5;99999;4")),
        (frame(45, 6, 5, 49), (5, 49, "45;6;5;49")),
        (frame(46, 6, "x", 45, "1"), (-1, 45, "46;6;x;45;1")),
        (frame(21, 5, 13, 1, "0.2", ""), (5, 13, "21;5;13;1;0.2;")),
    ],
)
def test_a_tick_that_cannot_be_read_is_told_as_it_came_and_logs_nothing(sent, told, caplog):
    heard = Heard()
    ib = ib_compat.make_ib(DEFAULTS, heard)
    ib.wrapper.startTicker(5, ib_async.Stock("SPY", "SMART", "USD", conId=1), "mktData")
    feed(ib, sent)
    req_id, tick_type, raw = told
    assert heard.said[1:] == [("reject", req_id, tick_type, RejectReason.unreadable, raw)]
    assert caplog.records == []
