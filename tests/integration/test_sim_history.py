"""History, asked for by the real ib_async and by a client that speaks the bare protocol."""

from __future__ import annotations

import asyncio
import os
from datetime import date, datetime, timezone
from pathlib import Path

import pytest
from ib_async import IB, BarData, Option, Stock

from ibcore.sim import bars, tape
from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.hand_clock import HandClock, passes
from tests.integration.sim_client import RawClient, eventually, ib_client, raw_client

pytestmark = pytest.mark.anyio

APPLE = Stock("AAPL", "SMART", "USD", conId=265598)
NOON = "20261120 12:00:00 US/Eastern"
FAST = SimConfig(cadence_scale=0.1, symbols=("AAPL", "SPY"))
SIZES = [size for size in bars.SIZES if size not in ("1W", "1M")]


class MovedClock:
    """The wall clock, set to a Monday afternoon."""

    def __init__(self) -> None:
        self._shift = datetime(2026, 11, 23, 19, tzinfo=timezone.utc) - datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return asyncio.get_event_loop().time()

    def utcnow(self) -> datetime:
        return datetime.now(timezone.utc) + self._shift

    def unix_ns(self) -> int:
        return int(self.utcnow().timestamp() * 1e9)


def monday() -> SimConfig:
    return SimConfig(cadence_scale=0.1, symbols=("AAPL", "SPY"), clock=MovedClock())


def bars_request(req_id: int, **given: object) -> list[object]:
    """Build reqHistoricalData (20)."""
    contract = asking.contract({"symbol": "AAPL", "sec_type": "STK", **given})
    names = {"end": "", "size": "1 min", "back": "1 D", "regular": 1, "show": "TRADES", "format": 1}
    return [
        *(20, req_id, *contract, 0),
        *(given.get(name, default) for name, default in names.items()),
        *(given.get("keep", 0), ""),
    ]


async def bars_of(ib: IB, back: str, size: str, **more: object) -> list[BarData]:
    given = {"endDateTime": "", "whatToShow": "TRADES", "useRTH": True, "formatDate": 1, **more}
    end = given.pop("endDateTime")
    return list(
        await ib.reqHistoricalDataAsync(
            APPLE, end, back, size, given["whatToShow"], given["useRTH"], given["formatDate"]
        )
    )


@pytest.mark.parametrize("size", SIZES)
async def test_bars_of_every_size_are_answered(size: str) -> None:
    back = "1800 S" if "secs" in size else "2 M" if bars.SIZES[size] >= bars.DAY_S else "2 D"
    async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
        found = await bars_of(ib, back, size)
        assert found
        starts = [bar.date for bar in found]
        assert starts == sorted(set(starts))
        assert all(bar.low <= min(bar.open, bar.close, bar.average) for bar in found)
        assert all(bar.high >= max(bar.open, bar.close, bar.average) for bar in found)
        assert all(bar.volume >= bar.barCount > 0 for bar in found)


@pytest.mark.parametrize(
    "show",
    ["TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST", "HISTORICAL_VOLATILITY",
     "OPTION_IMPLIED_VOLATILITY", "FEE_RATE"],
)  # fmt: skip
async def test_every_kind_of_data_is_shown(show: str) -> None:
    async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
        found = await bars_of(ib, "5 D", "1 day", whatToShow=show)
        assert [bar.date for bar in found] == [date(2026, 11, day) for day in range(16, 21)]
        assert all(bar.low <= bar.open <= bar.high for bar in found)
        assert all((bar.volume == -1) == (show not in ("TRADES", "ADJUSTED_LAST")) for bar in found)


async def test_a_period_in_the_past_ends_where_it_is_told_to() -> None:
    async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
        found = await bars_of(ib, "3600 S", "5 mins", endDateTime=NOON)
        assert len(found) == 12
        assert [f"{bar.date:%H:%M}" for bar in (found[0], found[-1])] == ["11:00", "11:55"]
        extended = await bars_of(ib, "1 D", "1 hour", endDateTime=NOON, useRTH=False)
        assert f"{extended[0].date:%H:%M}" == "04:00"


async def test_numbers_for_dates_mean_the_same_moments() -> None:
    async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
        text = await bars_of(ib, "1 D", "30 mins", endDateTime=NOON)
        numbers = await bars_of(ib, "1 D", "30 mins", endDateTime=NOON, formatDate=2)
        assert [bar.date for bar in text] == [bar.date for bar in numbers]


async def test_bars_of_today_agree_with_the_ticks_that_were_sent() -> None:
    async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
        prints = ib.reqTickByTickData(APPLE, "AllLast")
        seen = []
        prints.updateEvent += lambda ticker: seen.extend(ticker.tickByTicks)
        await eventually(lambda: len(seen) > 40)
        ib.cancelTickByTickData(APPLE, "AllLast")
        total = sum(tick.size for tick in seen)
        [live] = [
            bar for bar in await bars_of(ib, "1 D", "1 day") if bar.date == date(2026, 11, 23)
        ]
        assert live.volume >= total
        assert live.open == seen[0].price
        assert live.high >= max(tick.price for tick in seen)
        assert live.low <= min(tick.price for tick in seen)


def by_hand(clock: HandClock) -> SimConfig:
    return SimConfig(cadence_scale=0.1, symbols=("AAPL", "SPY"), clock=clock, farm_wake_s=0.0)


async def lets_pass(gateway: Gateway, clock: HandClock, seconds: int) -> None:
    """Let seconds pass one by one, so that the market moves in each of them."""
    for _ in range(seconds):
        await passes(gateway, clock, 1.0)


async def test_kept_bars_are_updated_and_cancelled_with_162() -> None:
    clock = HandClock()
    async with Gateway(by_hand(clock)) as gateway, ib_client(gateway) as ib:
        ib.reqMktData(APPLE)  # the market moves from here on
        await eventually(lambda: gateway.subscriptions.count)
        await lets_pass(gateway, clock, 7)
        kept = await ib.reqHistoricalDataAsync(
            APPLE, "", "1 D", "5 secs", "TRADES", True, keepUpToDate=True
        )
        before = len(kept)
        updates: list[bool] = []
        kept.updateEvent += lambda _bars, new: updates.append(new)
        await lets_pass(gateway, clock, 12)
        await eventually(lambda: len(kept) > before + 1)
        assert updates.count(True) >= 1
        assert kept[-1].date > kept[-2].date
        ib.cancelHistoricalData(kept)
        await eventually(lambda: gateway.ledger.counts["notice_162"] == 1)
        assert gateway.data.streams.count("kept bars") == 0


async def test_real_time_bars_come_every_five_seconds_on_the_clock() -> None:
    clock = HandClock()
    clock.now += 3  # not on the clock's five seconds
    async with Gateway(by_hand(clock)) as gateway, ib_client(gateway) as ib:
        rolling = ib.reqRealTimeBars(APPLE, 5, "TRADES", False)
        await eventually(lambda: list(gateway.data.streams))
        await lets_pass(gateway, clock, 12)
        await eventually(lambda: len(rolling) == 3)
        starts = [bar.time for bar in rolling]
        assert [f"{start:%H:%M:%S}" for start in starts] == ["17:00:00", "17:00:05", "17:00:10"]
        for bar in rolling:
            assert bar.low <= bar.wap <= bar.high
            assert bar.volume > 0
        ib.cancelRealTimeBars(rolling)
        await eventually(lambda: not list(gateway.data.streams))


@pytest.mark.parametrize("show", ["TRADES", "BID_ASK", "MIDPOINT"])
async def test_historical_ticks_reach_backwards_and_forwards(show: str) -> None:
    async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
        before = await ib.reqHistoricalTicksAsync(APPLE, "", NOON, 1_000, show, True)
        after = await ib.reqHistoricalTicksAsync(APPLE, NOON, "", 1_000, show, True)
        noon = datetime(2026, 11, 20, 17, tzinfo=timezone.utc)
        assert (len(before), len(after)) == (1_000, 1_000)
        assert before[-1].time < noon <= after[0].time
        times = [tick.time for tick in (*before, *after)]
        assert times == sorted(times)


async def test_historical_ticks_add_up_to_the_bars() -> None:
    async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
        ticks = await ib.reqHistoricalTicksAsync(APPLE, NOON, "", 600, "TRADES", True)
        minutes = await bars_of(ib, "600 S", "1 min", endDateTime="20261120 12:10:00 US/Eastern")
        assert sum(tick.size for tick in ticks) == sum(bar.volume for bar in minutes)


async def test_first_dates_schedules_and_histograms() -> None:
    async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
        first = await ib.reqHeadTimeStampAsync(APPLE, "TRADES", True, 1)
        number = await ib.reqHeadTimeStampAsync(APPLE, "TRADES", True, 2)
        assert first.replace(tzinfo=timezone.utc) == number
        assert first.year < 2018
        schedule = await ib.reqHistoricalScheduleAsync(APPLE, 5)
        assert [session.refDate for session in schedule.sessions] == [
            f"202611{day}" for day in range(16, 21)
        ]
        assert schedule.sessions[0].startDateTime == "20261116-09:30:00"
        entries = await ib.reqHistogramDataAsync(APPLE, True, "3 days")
        days = await bars_of(ib, "3 D", "1 day")
        assert sum(entry.count for entry in entries) == sum(bar.volume for bar in days)


async def test_an_option_s_past_follows_its_underlying() -> None:
    async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
        call = Option("AAPL", "20270115", 230, "C", "SMART")
        await ib.qualifyContractsAsync(call)
        bid = await ib.reqHistoricalDataAsync(call, NOON, "2 D", "30 mins", "BID", True)
        ask = await ib.reqHistoricalDataAsync(call, NOON, "2 D", "30 mins", "ASK", True)
        assert len(bid) == len(ask) == 18
        assert all(low.high < high.high for low, high in zip(bid, ask, strict=True))


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"symbol": "XXX"}, 200, "No security definition"),
        ({"size": "7 mins"}, 321, "bar size setting is invalid"),
        ({"back": "1 fortnight"}, 321, "duration"),
        ({"back": "400 D"}, 321, "must be made in years"),
        ({"back": "90000 S"}, 321, "must be made in days"),
        ({"end": "yesterday"}, 10314, "End Date/Time"),
        ({"show": "GOSSIP"}, 321, "Incorrect data type"),
        ({"size": "1 secs", "back": "1 D"}, 162, "Time length exceed max."),
        ({"back": "5 Y"}, 162, "Time length exceed max."),
        ({"end": NOON, "keep": 1}, 321, "no end date"),
        ({"show": "SCHEDULE", "size": "1 min"}, 321, "schedule"),
        ({"end": "20100101 12:00:00 US/Eastern"}, 162, "HMDS query returned no data"),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_is_refused_clearly(
    given: dict[str, object], code: int, text: str
) -> None:
    async with Gateway(monday()) as gateway, raw_client(gateway) as client:
        client.send(*bars_request(7, **given))
        frame = await client.receive()
        assert frame[:4] == ["4", "2", "7", str(code)]
        assert text in frame[4]


async def test_a_request_id_that_keeps_bars_is_not_taken_twice() -> None:
    async with Gateway(monday()) as gateway, raw_client(gateway) as client:
        client.send(*bars_request(7, size="5 secs", back="600 S", keep=1))
        client.send(*bars_request(7, size="10 secs", back="600 S", keep=1))
        refused = await client.until(4)
        assert refused[-1][2:4] == ["7", "322"]
        assert gateway.data.streams.count("kept bars") == 1


async def test_a_moment_without_a_zone_is_warned_of_and_taken_as_new_york_s() -> None:
    async with Gateway(monday()) as gateway, raw_client(gateway) as client:
        client.send(*bars_request(7, end="20261120 12:00:00", back="600 S"))
        warned, answer = await client.receive(), await client.receive()
        assert warned[2:4] == ["7", "2174"]
        client.send(*bars_request(8, end="20261120-17:00:00", back="600 S"))
        same = await client.receive()
        assert same[2:] == answer[2:]
        assert same[3] == "20261120 12:00:00 US/Eastern"


async def codes(client: RawClient, count: int) -> list[str]:
    frames = [await client.receive() for _ in range(count)]
    return [frame[3] if frame[0] == "4" else frame[0] for frame in frames]


async def test_pacing_violations_are_told_with_162() -> None:
    async with Gateway(monday()) as gateway, raw_client(gateway) as client:
        for _ in range(2):
            client.send(*bars_request(1, size="5 secs", back="60 S", end=NOON))
        assert sorted(await codes(client, 2)) == ["162", "17"]
        for number in range(5):
            client.send(*bars_request(number, size="5 secs", back=f"{60 + number * 5 + 5} S"))
        assert "162" in await codes(client, 5)


async def test_pacing_can_be_switched_off() -> None:
    config = SimConfig(symbols=("AAPL",), history_pacing="off", clock=MovedClock())
    async with Gateway(config) as gateway, raw_client(gateway) as client:
        for _ in range(8):
            client.send(*bars_request(1, size="5 secs", back="60 S", end=NOON))
        assert await codes(client, 8) == ["17"] * 8


async def test_cancelling_what_is_not_there_is_366() -> None:
    async with Gateway(monday()) as gateway, raw_client(gateway) as client:
        client.send(25, 1, 99)
        assert (await client.receive())[3] == "366"


async def test_a_long_answer_delays_nobody_s_ticks_and_ends_with_its_session() -> None:
    async with Gateway(monday()) as gateway, raw_client(gateway, 1) as one:
        async with raw_client(gateway, 2) as other:
            one.send(*asking.market_data(1, symbol="AAPL", sec_type="STK"))
            other.send(*bars_request(5, size="1 day", back="10 Y"))
            for _ in range(30):
                await one.receive()
            await asyncio.wait_for(other.until(17), 20.0)
            other.send(*bars_request(6, size="1 day", back="10 Y", symbol="SPY"))
            await eventually(lambda: len(gateway.ledger.requests) >= 5)
        await eventually(lambda: len(gateway.sessions) == 1)
        assert not gateway.data._jobs


async def test_the_past_is_the_same_in_every_run() -> None:
    found = []
    for _ in range(2):
        async with Gateway(monday()) as gateway, ib_client(gateway) as ib:
            found.append(await bars_of(ib, "2 D", "1 min", endDateTime=NOON))
    assert found[0] == found[1]


async def test_kinds_of_contracts_that_do_not_exist_here_are_refused() -> None:
    async with Gateway(monday()) as gateway, raw_client(gateway) as client:
        for sec_type in ("BOND", "CASH", "CRYPTO"):
            client.send(*asking.contract_details(7, symbol="AAPL", sec_type=sec_type))
            assert (await client.receive())[3] in ("200", "321")


GOOG_DAY = (
    Path(os.environ.get("IBKEEPER_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    / "goog-2015-12-24"
)


@pytest.mark.skipif(not GOOG_DAY.exists(), reason="the recorded day is not here")
@pytest.mark.parametrize("time", ["tape", "now"])
async def test_a_day_of_bars_is_its_own_history(time: str) -> None:
    config = SimConfig(tape=GOOG_DAY, time=time, tape_start="10:30", farm_wake_s=0.0)
    async with Gateway(config) as gateway, ib_client(gateway) as ib:
        [google] = await ib.qualifyContractsAsync(Stock("GOOG", "SMART", "USD"))
        bars_of_hour = await ib.reqHistoricalDataAsync(
            google, "", "1 D", "1 min", "TRADES", True, 2
        )
        day = tape.read_day(GOOG_DAY, only={"GOOG"})
        ended = [t for t in day.trades if t.end_ms <= tape.start_ms("10:30")]
        assert [(b.open, b.high, b.low, b.close, b.volume) for b in bars_of_hour] == [
            (t.open, t.high, t.low, t.close, t.volume) for t in ended
        ]
        if time == "tape":
            assert f"{bars_of_hour[-1].date:%Y-%m-%d %H:%M}" == "2015-12-24 15:29"
