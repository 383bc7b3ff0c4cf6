"""The frames recorded from real gateways, one by one, and what the simulator builds for each.

Every recorded server frame of a message that the simulator sends needs a row in `ROWS`: the values,
typed by hand, go through the simulator's own encoders. `differs` gives each place where the two are
not equal, and why.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from ibcore.sim import details, messages, wire
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import Spec, stock, underlying
from ibcore.sim.tickets import Ticket
from tests.conformance import recordings_data as data
from tests.conformance import recordings_orders as orders

WIRE: Final = Path(
    os.environ.get("IBKEEPER_TEST_WIRE", Path(__file__).parents[3] / "shared" / "wire")
)


class Recorded(NamedTuple):
    """One frame as it stands in a file; `sent` says that the server sent it."""

    file: str
    number: int
    fields: tuple[str, ...]
    sent: bool

    @property
    def msg_id(self) -> int:
        """The message's number; the one frame without its head is a contractData."""
        return int(self.fields[0]) if self.fields[0].isdecimal() else 10


# Requests in files that hold mostly answers, told by how they start.
_REQUESTS = {
    "rust-ibapi_orders.txt": ("3|13|0|TSLA", "3|12|0|", "4|1|41|", "7|3|9000", "15|1|1"),
}


def frames() -> Iterator[Recorded]:
    """Yield every frame of every file, in order."""
    for path in sorted(WIRE.glob("*.txt")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text = line.removeprefix("S->C ").removeprefix("C->S ")
            if line.startswith("#") or "|" not in text or path.name == "issue_excerpts.txt":
                continue
            asked = line.startswith("C->S") or text.startswith(_REQUESTS.get(path.name, ("?",)))
            yield Recorded(path.name, number, tuple(text.removesuffix("|").split("|")), not asked)


@dataclass(frozen=True)
class Row:
    """What the simulator builds for the recorded frame that starts so."""

    start: str
    build: Callable[[], bytes]
    differs: dict[int, str] = field(default_factory=dict)
    has: str = ""  # what else the frame contains, where the start does not tell
    file: str = ""

    def fits(self, recorded: Recorded) -> bool:
        """Say whether this row is the frame's."""
        text = "|".join(recorded.fields) + "|"
        return text.startswith(self.start) and self.has in text and self.file in recorded.file


def _of(name: str, version: int = 173, **values: Any) -> Callable[[], bytes]:
    return lambda: messages.encode(name, version, **values)


def _tsla(exchange: str) -> bytes:
    today, tsla = date(2022, 12, 29), stock(CATALOGUE["TSLA"])
    return details.details(9001, tsla, Spec(exchange=exchange), today=today, version=164)


def _es() -> bytes:
    future = underlying(CATALOGUE["ES"], date(2025, 6, 20))
    return details.details(9000, future, today=date(2025, 5, 22), version=173)


_ES_DIFFERS = {
    4: "with seconds, as a gateway wrote it in December 2025 (ib_async#128)",
    12: "a future's id is packed from its expiry, so that it is the same on every day",
    16: "one exchange",
    26: "hours: no exchange holidays (26 May 2025)",
    27: "the same",
    34: "one rule for each exchange",
}
_TSLA_DIFFERS = {
    15: "order types: our list is the one of AAPL in 2025; TSLA's is of 2022",
    16: "exchanges: of 2025, not of 2022 (ISLAND became NASDAQ)",
    26: "hours: no exchange holidays (2 January 2023)",
    27: "the same",
    32: "the ISIN is made up: real ones are licensed",
    36: "one rule for each exchange, of which there are others",
    39: "minimum size and increment: fractions since 2023",
    40: "the same",
}


def _tsla_filled() -> Ticket:
    return orders.tsla("Filled")


def _aapl_filled() -> Ticket:
    return orders.aapl("Filled")


_MULTI = {"req_id": 9000, "account": "DU1234567"}

ROWS: Final[tuple[Row, ...]] = (
    Row("173|", lambda: wire.frame(173, "20250323 22:21:01 Greenwich Mean Time")),
    Row("15|1|DU1234567|", _of("managed_accounts", accounts="DU1234567")),
    Row("15|1|DU1234567,DU7654321|",
        _of("managed_accounts", accounts="DU1234567,DU7654321")),
    Row("9|1|1|", _of("next_valid_id", order_id=1)),
    Row("4|2|-1|2104|", _of("error", req_id=-1, code=2104,
                            text="Market data farm connection is OK:usfarm")),
    Row("4|2|-1|2107|", _of("error", req_id=-1, code=2107,
                            text="HMDS data farm connection is inactive but should be available"
                                 " upon demand.ushmds")),
    Row("4|2|-1|2158|", _of("error", req_id=-1, code=2158,
                            text="Sec-def data farm connection is OK:secdefil")),
    Row("4|2|41|202|", _of("error", req_id=41, code=202, text="Order Canceled - reason:")),
    Row("6|1|CashBalance", _of("account_value", key="CashBalance", value="1000.00",
                               currency="USD"),
        {1: "both clients skip the version; TWS has sent 2 since accounts have names",
         5: "the recording was trimmed: no account"}),
    Row("61|3|DU1236109", orders.position),
    Row("62|1|DU1234567", _of("position_end"),
        {2: "trimmed by the recorder from another message: positionEnd names no account"}),
    Row("63|1|9000|", _of("account_summary", **_MULTI, tag="AccountType", value="FA")),
    Row("64|1|9000|", _of("account_summary_end", req_id=9000)),
    Row("73|1|9000|DU1234567||CashBalance", _of("account_update_multi", **_MULTI,
                                                key="CashBalance", value="94629.71",
                                                currency="USD")),
    Row("73|1|9000|DU1234567||Currency", _of("account_update_multi", **_MULTI, key="Currency",
                                             value="USD", currency="USD")),
    Row("73|1|9000|DU1234567||StockMarketValue", _of("account_update_multi", **_MULTI,
                                                     key="StockMarketValue", value="0.00",
                                                     currency="BASE")),
    Row("74|1|9000|", _of("account_update_multi_end", req_id=9000)),
    Row("10|9001|TSLA|STK||0||SMART", lambda: _tsla("SMART"), _TSLA_DIFFERS),
    Row("10|9001|TSLA|STK||0||AMEX", lambda: _tsla("AMEX"), _TSLA_DIFFERS),
    Row("10|9000|ES|FUT", _es, _ES_DIFFERS),
    Row("AAPL|STK||0||SMART",
        lambda: details.details(9000, stock(CATALOGUE["AAPL"]), today=date(2025, 3, 24),
                                version=173),
        {26: "our calendar shows six days, weekends as CLOSED (as the TSLA recording does)",
         27: "the same", 32: "the ISIN is made up: real ones are licensed"}),
    Row("52|1|9001|", _of("contract_details_end", req_id=9001)),
    Row("93|26|", lambda: details.market_rule(26) or b""),
    Row("5|13|", orders.open_order(orders.tsla, 164), has="|PreSubmitted|"),
    Row("5|13|", orders.open_order(_tsla_filled, 164, **orders.CHARGED), has="|1.0|||USD|"),
    Row("5|13|", orders.open_order(_tsla_filled, 164), has="|Filled|"),
    Row("5|5|", orders.open_order(orders.aapl, 178), has="|PreSubmitted|", file="derived"),
    Row("5|5|", orders.open_order(_aapl_filled, 178), has="|Filled|", file="derived"),
    Row("5|5|", orders.open_order(orders.aapl, 173), has="|PreSubmitted|"),
    Row("5|5|", orders.open_order(_aapl_filled, 173), has="|Filled|"),
    Row("3|13|PreSubmitted|", orders.status(orders.tsla)),
    Row("3|13|Filled|", orders.status(lambda: orders.tsla_fill().ticket)),
    Row("3|41|Cancelled|", orders.status(orders.cancelled)),
    Row("3|5|PreSubmitted|", orders.status(orders.aapl)),
    Row("3|5|Filled|", orders.status(lambda: orders.aapl_fill().ticket)),
    Row("11|-1|13|", orders.execution(orders.tsla_fill, 164)),
    Row("11|-1|5|", orders.execution(orders.aapl_fill, 178), file="derived"),
    Row("11|-1|5|", orders.execution(orders.aapl_fill, 173)),
    Row("59|1|", orders.commission),
    Row("71|3|6|", orders.position_multi),
    Row("101|265598|", orders.completed_order),
    Row("17|9000|", data.two_days,
        dict.fromkeys((6, 7, 8, 9, 14, 15, 16, 17), data.ZEROS)
        | dict.fromkeys((2, 3), data.ONE_ZONE)),
    Row("50|3|9001|", _of("real_time_bar", req_id=9001, time=1678323335, open=4028.75,
                          high=4029.0, low=4028.25, close=4028.5, volume=2.0, wap=4026.75,
                          trades=1),
        dict.fromkeys((5, 7), data.ZEROS)),
    Row("88|9000|", _of("head_timestamp", req_id=9000, timestamp="1560346200")),
    Row("96|9000|", data.MIDPOINTS),
    Row("97|9000|", data.BID_ASKS),
    Row("98|9000|", data.LASTS),
    Row("99|9000|1|", _of("tick_by_tick_last", req_id=9000, kind=1, time=1678740829,
                          price=3895.25, size=7.0, mask=2)),
    Row("99|9000|3|", _of("tick_by_tick_bid_ask", req_id=9000, kind=3, time=1678745793,
                          bid=3895.5, ask=3896.0, bid_size=9.0, ask_size=11.0, mask=1),
        dict.fromkeys((4, 5), data.ZEROS)),
    Row("99|9000|4|", _of("tick_by_tick_mid_point", req_id=9000, kind=4, time=1678746113,
                          mid_point=3896.875)),
    Row("106|9000|", _of("historical_schedule", req_id=9000, start="20230414-09:30:00",
                         end="20230414-16:00:00", zone="US/Eastern",
                         sessions_details=[1, "20230414-09:30:00", "20230414-16:00:00",
                                           "20230414"])),
)  # fmt: skip
