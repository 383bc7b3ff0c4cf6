"""What a real session printed in ib_async's notebooks: the same values through the simulator.

Each printed object goes out as the simulator's frames and comes back through ib_async's decoder,
equal, and so do the rows of the printed tables. Objects that are no message of a server (a trade's
log, a contract as it was asked for) are named, and so is every line that is neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from ibcore.sim import messages
from tests.conformance import retold, retold_ticks
from tests.conformance.decoders import by_ib_async, by_official, neutral
from tests.conformance.printed import NOTEBOOKS, Printed, objects
from tests.conformance.retold import SENT, VERSION
from tests.conformance.retold_ticks import ALONE, GREEKS, PRICES

pytestmark = pytest.mark.skipif(not NOTEBOOKS.exists(), reason="the recordings are not here")

PRINTED = list(objects()) if NOTEBOOKS.exists() else []

# What ib_insync printed in 2019 and nobody sends: made by the client, or asked by it.
NOT_SENT: Final = {
    "TradeLogEntry": "written by the client",
    "Stock": "what was asked for, or contractDetails once more",
    "Index": "contractDetails once more",
    "Option": "contractDetails once more",
    "Contract": "contractDetails once more",
}
# The field left the wire with server 164; the sessions of 2019 still had it.
EXPLAINED: Final = {"mdsizemultiplier"}

# Lines that hold no object: how each starts, and what becomes of it.
LINES: Final = {
    r"<IB connected|<Figure": "drawn by the client",
    r"CPU times|Wall time|20\d\d-\d\d-\d\d \S+ ib_async": "said by the client",
    r"\['util'|\[\]$|35$|48$|Unknown contract": "said by the client",
    r"1\.1224750000000001$|11\.607050000000001$|3221\.29$": "summed by the client",
    r"datetime\.datetime\(2010": "test_the_first_date_is_told",
    r"Error 162|Error 200": "test_an_error_has_the_printed_words",
    r" +[a-z][A-Za-z]+( |$)": "the head of a table",
    r"\d+ +20\d\d-\d\d-\d\d \d\d:": "test_a_row_of_a_table_of_bars_is_told",
    r"[A-Z]{6} +\d": "test_a_row_of_a_table_of_currencies_is_told",
    r"\d( +[\d.]+){4}$": "test_a_row_of_a_printed_book_is_told",
    r"\d+ +\d{4} *$": "the bars' counts, in test_a_row_of_a_table_of_bars_is_told",
    r"\d+ +(STK|SMART|[A-Z]+ +(NASDAQ|IBIS|MEXI|EBS|ASX)|False|None)": "contracts of many venues:"
    " objects of the same file, with most columns cut away",
    r"\d +(SMART|CBOE|\[)": "option chains: one of them is an object of the same file",
}


def name(printed: Printed) -> str:
    return f"{printed.file}:{printed.line}:{printed.kind}"


def lines(file: str, pattern: str) -> list[tuple[str, ...]]:
    """Return the groups of every line of a notebook that is written so."""
    path = NOTEBOOKS / file
    found = re.findall(pattern, path.read_text() if path.exists() else "", re.MULTILINE)
    return [item if isinstance(item, tuple) else (item,) for item in found]


@pytest.mark.parametrize("printed", [p for p in PRINTED if p.kind in SENT], ids=name)
def test_a_printed_object_comes_back_equal(printed: Printed) -> None:
    _message, build, found = SENT[printed.kind]
    call = by_ib_async(build(printed.value), VERSION)[0]
    assert by_official(build(printed.value), VERSION)
    heard, wanted = found(call.values), neutral(printed.value)
    if printed.kind == "Trade":  # what else it holds is the client's own: status, fills, log
        wanted = {key: wanted[key] for key in heard}
    different = {key for key in wanted | heard if wanted.get(key) != heard.get(key)}
    assert different <= EXPLAINED


@pytest.mark.parametrize("printed", [p for p in PRINTED if p.kind == "Ticker"], ids=name)
def test_a_printed_ticker_is_told_tick_by_tick(printed: Printed) -> None:
    told: dict[tuple[str, float], tuple[Any, ...]] = {}
    for frame in retold_ticks.ticks(printed.value):
        for call in by_ib_async(frame, VERSION):
            told[call.method, call.values[1]] = call.values[2:]
        assert by_official(frame, VERSION)
    assert told == dict(wanted_ticks(printed.value))


def wanted_ticks(printed: Any) -> Iterator[tuple[tuple[str, float], tuple[Any, ...]]]:
    """Yield what a client must hear of a ticker."""
    for field, (tick_type, size_type) in PRICES.items():
        if hasattr(printed, field):
            yield ("tickPrice", tick_type), (getattr(printed, field),)
            yield ("tickSize", size_type), (getattr(printed, f"{field}Size"),)
    for field, tick_type in ALONE.items():
        if hasattr(printed, field):
            yield ("tickPrice", tick_type), (getattr(printed, field),)
    if hasattr(printed, "volume"):
        yield ("tickSize", 8), (printed.volume,)
    if hasattr(printed, "halted"):
        yield ("tickGeneric", 49), (printed.halted,)
    for field, tick_type in GREEKS.items():
        if hasattr(printed, field):
            values = neutral(getattr(printed, field))
            order = ("tickattrib", *(member.lower() for member in retold_ticks.GREEKS_ORDER))
            yield ("tickOptionComputation", tick_type), tuple(values[key] for key in order)


TICKS = [(p, tick) for p in PRINTED for tick in getattr(p.value, "tickByTicks", ())]


@pytest.mark.parametrize(("printed", "tick"), TICKS, ids=str)
def test_a_printed_tick_by_tick_quote_comes_back_equal(printed: Printed, tick: Any) -> None:
    frame = retold_ticks.tick_by_tick(tick)
    [call] = by_ib_async(frame, VERSION)
    [other] = by_official(frame, VERSION)
    _req_id, time, *values, attrib = call.values
    assert (time, *values, attrib) == other.values[1:]
    assert {**retold_ticks.tick(values), "tickattribbidask": attrib, "time": time} == {
        **neutral(tick),
        "time": tick.time.replace(microsecond=0).timestamp(),  # the client's own clock has more
    }


BARS = lines("bar_data.txt", r"^(\d+) (20\S+ \S+)" + r" +([\d.]+)" * 6)
COUNTS = dict(lines("bar_data.txt", r"^(\d+) +(\d{4}) *$"))


@pytest.mark.parametrize("row", BARS, ids=str)
def test_a_row_of_a_table_of_bars_is_told(row: tuple[str, ...]) -> None:
    number, began, *values = row
    printed = retold.table_bar(began, [*map(float, values), int(COUNTS[number])])
    call = by_ib_async(retold.bar(printed), VERSION)[0]
    assert SENT["BarData"][2](call.values) == neutral(printed)


@pytest.mark.parametrize("row", lines("tick_data.txt", "^([A-Z]{6})" + r" +([\d.]+)" * 7), ids=str)
def test_a_row_of_a_table_of_currencies_is_told(row: tuple[str, ...]) -> None:
    columns = ("bidSize", "bid", "ask", "askSize", "high", "low", "close")
    printed = retold_ticks.ticker(**dict(zip(columns, map(float, row[1:]), strict=True)))
    heard = [call for frame in retold_ticks.ticks(printed) for call in by_ib_async(frame, VERSION)]
    told = {(call.method, call.values[1]): call.values[2:] for call in heard}
    assert told == dict(wanted_ticks(printed))


@pytest.mark.parametrize("row", lines("market_depth.txt", r"^(\d)" + r" +([\d.]+)" * 4), ids=str)
def test_a_row_of_a_printed_book_is_told(row: tuple[str, ...]) -> None:
    place, bid_size, bid, ask, ask_size = map(float, row)
    for side, price, size in ((1, bid, bid_size), (0, ask, ask_size)):
        frame = messages.encode("market_depth", VERSION, req_id=1, position=int(place),
                                operation=0, side=side, price=price, size=size)  # fmt: skip
        [call] = by_ib_async(frame, VERSION)
        assert call.method == "updateMktDepth"
        assert call.values == (1, place, 0, side, price, size)
        assert by_official(frame, VERSION) == [call]


def test_the_first_date_is_told() -> None:
    [date] = lines("bar_data.txt", r"^datetime\.datetime\((\d+), (\d+), (\d+), (\d+), (\d+)\)")
    year, month, day, hour, minute = map(int, date)
    frame = retold.head_timestamp(f"{year}{month:02}{day:02}  {hour:02}:{minute:02}:00")
    [call] = by_ib_async(frame, VERSION)
    assert retold.moment(call.values[1]).timetuple()[:5] == (year, month, day, hour, minute)


ERRORS = [
    (file, *found)
    for file in ("bar_data.txt", "contract_details.txt")
    for found in lines(file, r"^Error (\d+), reqId (\d+): (.*?)(?:, contract:.*)?$")
]


@pytest.mark.parametrize(("file", "code", "req_id", "text"), ERRORS, ids=str)
def test_an_error_has_the_printed_words(file: str, code: str, req_id: str, text: str) -> None:
    ours = {
        "162": "Historical Market Data Service error message:"
        f"API historical data query cancelled: {req_id}",
        "200": "No security definition has been found for the request",
    }
    assert text == ours[code]  # that the simulator uses them is held by its own tests
    frame = messages.encode("error", VERSION, req_id=int(req_id), code=int(code), text=text)
    assert by_ib_async(frame, VERSION)[0].values == (int(req_id), int(code), text, "")


def test_no_printed_object_is_passed_over() -> None:
    kinds = {printed.kind for printed in PRINTED}
    assert kinds - SENT.keys() - NOT_SENT.keys() == {"Ticker"}


def test_no_line_is_passed_over() -> None:
    read = {(printed.file, printed.line) for printed in PRINTED}
    left = [
        line
        for path in sorted(NOTEBOOKS.glob("*.txt"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.strip() and not line.startswith("#") and (path.name, number) not in read
    ]
    assert len(left) > 100
    assert [line for line in left if not any(re.match(known, line) for known in LINES)] == []
