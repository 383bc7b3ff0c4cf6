"""Which lines are held when lines are short, refused, doubled or lost: no socket needed."""

from __future__ import annotations

import asyncio

import pytest
from ib_async import Stock

from ibcore.config import TickDefaults
from ibcore.domain import WatchState
from ibcore.notices import classify
from ibcore.policy import LineBudget
from sidecar.ib_compat import make_ib
from sidecar.line import Line
from sidecar.lines import GENERIC_TICKS, Lines, Wanted, legal_ticks

REQ_MKT_DATA, CANCEL_MKT_DATA, MARKET_DATA_TYPE = "1", "2", "59"


class Wire(asyncio.Transport):
    """The transport of a client: keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[list[str]] = []

    def write(self, data: bytes) -> None:
        self.frames.append(data[4:].decode().split("\0"))

    def write_eof(self) -> None:
        """Take the client's goodbye."""

    def close(self) -> None:
        """Take the client's goodbye."""

    def sent(self, message: str) -> list[list[str]]:
        return [frame for frame in self.frames if frame[0] == message]


class Ears:
    """A line sink: keeps which request ids are open."""

    def __init__(self) -> None:
        self.open: dict[int, Line] = {}

    def open_line(self, req_id: int, line: Line) -> None:
        self.open[req_id] = line

    def close_line(self, req_id: int) -> None:
        del self.open[req_id]


class Desk:
    """Lines on a client whose transport is kept in memory."""

    def __init__(self, limit: int = 100) -> None:
        self.ears = Ears()
        self.budget = LineBudget(limit)
        self.verdicts: dict[int, tuple[WatchState, str | None]] = {}
        self.lines = Lines(self.ears, self.budget, market_data_type=1, report=self.note)

    def note(self, watch_id: int, state: WatchState, reason: str | None) -> None:
        self.verdicts[watch_id] = (state, reason)

    def connect(self) -> Wire:
        ib = make_ib(TickDefaults())
        wire = Wire()
        ib.client.conn.transport = wire
        ib.client.connState = ib.client.CONNECTED
        ib.client._apiReady = True
        ib.client._reqIdSeq = 1
        # ib_async's throttle would need a running loop to spread the frames.
        ib.client.sendMsg = lambda text: ib.client.conn.sendMsg(ib.client._prefix(text.encode()))
        self.ib = ib
        self.lines.connected(ib)
        return wire


def want(watch_id: int, *, priority: int = 100, instrument_id: int = 0, ticks: str = "") -> Wanted:
    number = instrument_id or watch_id
    contract = Stock(f"S{number}", "SMART", "USD", conId=number)
    return Wanted(watch_id, Line(number, "STK", ""), contract, ticks, priority)


@pytest.fixture
def desk():
    made = Desk()
    yield made
    if hasattr(made, "ib"):
        made.ib.client.reset()


def test_a_line_held_before_the_session_is_ready_is_subscribed_when_it_is(desk):
    desk.lines.hold(want(1))
    assert desk.verdicts[1] == (WatchState.pending, "waits for the session")
    wire = desk.connect()
    assert [frame[0] for frame in wire.frames] == [MARKET_DATA_TYPE, REQ_MKT_DATA]
    assert desk.verdicts[1] == (WatchState.active, None)
    assert list(desk.ears.open.values()) == [Line(1, "STK", "")]


def test_a_reconnect_subscribes_every_line_once_in_order_of_priority(desk):
    first = desk.connect()
    for watch_id, priority in ((1, 300), (2, 100), (3, 200)):
        desk.lines.hold(want(watch_id, priority=priority))
    desk.lines.lost("gone")
    assert desk.ears.open == {}
    assert desk.verdicts[2] == (WatchState.pending, "gone")
    second = desk.connect()
    assert [frame[3] for frame in second.sent(REQ_MKT_DATA)] == ["2", "3", "1"]
    assert first.sent(CANCEL_MKT_DATA) == []
    assert desk.budget.used == 3


def test_a_released_line_is_cancelled_and_given_back(desk):
    wire = desk.connect()
    desk.lines.hold(want(1))
    req_id = wire.sent(REQ_MKT_DATA)[0][2]
    desk.lines.release(1)
    assert [frame[2] for frame in wire.sent(CANCEL_MKT_DATA)] == [req_id]
    assert (desk.budget.used, desk.ears.open, 1 in desk.lines) == (0, {}, False)


def test_without_a_free_line_a_row_waits_and_says_so(desk):
    desk.budget.take("sweep", 100)
    assert not desk.lines.hold(want(1))
    assert desk.verdicts[1] == (WatchState.over_budget, "all 100 market-data lines are in use")


def test_a_row_of_higher_priority_takes_the_line_of_the_lowest():
    desk = Desk(limit=2)
    wire = desk.connect()
    desk.lines.hold(want(1, priority=10))
    desk.lines.hold(want(2, priority=50))
    assert desk.lines.hold(want(3, priority=20))
    assert desk.verdicts[2][0] is WatchState.over_budget
    assert len(wire.sent(CANCEL_MKT_DATA)) == 1
    assert not desk.lines.hold(want(4, priority=20)), "an equal does not push an equal out"
    assert desk.budget.used == 2


def test_one_instrument_is_streamed_by_one_line(desk):
    desk.connect()
    desk.lines.hold(want(1, instrument_id=7))
    assert not desk.lines.hold(want(2, instrument_id=7))
    assert desk.verdicts[2] == (
        WatchState.failed,
        "streams already as line 1 of the watch list",
    )
    assert desk.budget.used == 1


@pytest.mark.parametrize("code", [200, 354, 10168, 101])
def test_a_refused_line_fails_with_ibs_words_and_is_given_back(desk, code):
    wire = desk.connect()
    desk.lines.hold(want(1))
    req_id = int(wire.sent(REQ_MKT_DATA)[0][2])
    desk.lines.notice(req_id, classify(code, has_request=True), "no")
    assert desk.verdicts[1] == (WatchState.failed, f"IB {code}: no")
    assert (desk.budget.used, desk.ears.open, 1 in desk.lines) == (0, {}, False)


def test_a_refused_generic_tick_list_is_asked_again_with_the_legal_ones(desk):
    wire = desk.connect()
    desk.lines.hold(want(1, ticks="100,233,595"))
    refusal = classify(321, has_request=True)
    words = "Incorrect generic tick list. Legal ones for (STK) are: 100(Option Volume),233/45(RT)"
    desk.lines.notice(int(wire.sent(REQ_MKT_DATA)[0][2]), refusal, words)
    assert wire.sent(REQ_MKT_DATA)[1][16] == "100,233"
    assert desk.verdicts[1] == (WatchState.active, f"IB 321: {words}")
    desk.lines.notice(int(wire.sent(REQ_MKT_DATA)[1][2]), refusal, "again")
    assert wire.sent(REQ_MKT_DATA)[2][16] == ""
    desk.lines.notice(int(wire.sent(REQ_MKT_DATA)[2][2]), refusal, "read-only")
    assert desk.verdicts[1] == (WatchState.failed, "IB 321: read-only")
    assert desk.budget.used == 0


def test_delayed_data_keeps_the_line_and_is_remarked(desk):
    wire = desk.connect()
    desk.lines.hold(want(1))
    req_id = int(wire.sent(REQ_MKT_DATA)[0][2])
    desk.lines.notice(req_id, classify(10167, has_request=True), "delayed")
    assert desk.verdicts[1] == (WatchState.active, "IB 10167: delayed")


def test_lost_subscriptions_are_all_asked_again_exactly_once(desk):
    wire = desk.connect()
    desk.lines.hold(want(1))
    desk.lines.hold(want(2))
    desk.lines.notice(-1, classify(1101, has_request=False), "data lost")
    assert [frame[3] for frame in wire.sent(REQ_MKT_DATA)] == ["1", "2", "1", "2"]
    assert desk.lines.active == 2


def test_a_notice_about_somebody_elses_request_changes_nothing(desk):
    desk.connect()
    desk.lines.hold(want(1))
    desk.lines.notice(999, classify(200, has_request=True), "no")
    assert desk.verdicts[1][0] is WatchState.active


def test_legal_ticks_keeps_the_order_and_ends_at_none():
    listed = "Legal ones for (OPT) are: 233(RTVolume),100(Option Volume),106/24(impvolat)"
    assert legal_ticks("100,101,106,232,233", listed) == "100,106,233"
    assert legal_ticks("100,233", listed) == ""
    assert legal_ticks("100", "no list at all") == ""


# What code 321 of real gateways lists for stocks, in 2022 (deephaven-ib#46) and in October 2026.
LEGAL_FOR_STOCKS = (
    "Legal ones for (STK) are: 100(Option Volume),101(Option Open Interest),"
    "105(Average Opt Volume),106(impvolat),165(Misc. Stats),"
    "221/220(Creditman Mark Price),225(Auction),232/221(Pl Price),"
    "233(RTVolume),236(inventory),258/47(Fundamentals),293(TradeCount),294(TradeRate),"
    "295(VolumeRate),318(LastRTHTrade),375(RTTrdVolume),411(rthistvol),456/59(IBDividends),"
    "460(Bond Factor Multiplier),577(EtfNavLast(navlast)),586(IPOHLMPRC),587(Pl Price Delayed),"
    "588(Futures Open Interest),595(Short-Term Volume X Mins),614(EtfNavMisc(high/low)),"
    "619(Creditman Slow Mark Price),623(EtfFrozenNavLast(fznavlast))"
)


def test_what_stocks_ask_for_by_default_no_gateway_on_record_refuses():
    asked = GENERIC_TICKS["STK"]
    assert legal_ticks(f"{asked},104", LEGAL_FOR_STOCKS) == asked


def test_stocks_ask_for_what_the_mission_wants_and_options_for_no_volume_rates():
    assert {"236", "595", "232", "233"} <= set(GENERIC_TICKS["STK"].split(","))
    assert "595" not in GENERIC_TICKS["OPT"].split(",")
