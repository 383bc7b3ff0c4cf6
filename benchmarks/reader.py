"""`python -m benchmarks.reader VARIANT PORT`: read one blast, print what was kept and the cost.

stock    ib_async as it is; every row of Ticker.ticks is copied in pendingTickersEvent, which
         is what a careful user can get from it
ticker   ours, with a Ticker beside it for every line
ours     ours as the sidecar runs it: no Ticker, uvloop
feed     the same, folded into rows
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Sized
from typing import Any

import anyio
from ib_async import IB, Contract

from benchmarks.blast import FIRST_REQ, LINES
from ibcore.config import TickDefaults
from sidecar.__main__ import loop_options
from sidecar.feed import Feed
from sidecar.ib_compat import make_ib
from sidecar.line import Line


class Notebook:
    """A sink that keeps every message with its receive time."""

    def __init__(self) -> None:
        self.kept: list[tuple[Any, ...]] = []
        self._at = 0

    def packet(self, recv_us: int) -> None:
        self._at = recv_us

    def keep(self, *values: Any) -> None:
        self.kept.append((self._at, *values))

    price_size = size = string = generic = computation = data_type = notice = reject = keep


class Tray:
    """What a feed needs of a recorder."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.messages = 0

    def next_seq(self) -> int:
        return len(self.rows) + 1

    def record(self, row: Any) -> None:
        self.rows.append(row)

    def forget(self, instrument_id: int, field: str) -> None:
        """Nothing is known."""

    def last_print(self, instrument_id: int) -> None:
        """Nothing is known."""

    def heard(self, messages: int = 1) -> None:
        self.messages += messages


def _stock() -> tuple[IB, Callable[[], int]]:
    ib, kept = IB(), []

    def copy(tickers: Any) -> None:
        for ticker in tickers:
            kept.extend((ticker.contract.conId, tick) for tick in ticker.ticks)

    ib.pendingTickersEvent += copy
    _add_tickers(ib)
    return ib, kept.__len__


def _tapped(*, tickers: bool) -> tuple[IB, Callable[[], int]]:
    sink = Notebook()
    ib = make_ib(TickDefaults(), sink)
    if tickers:
        _add_tickers(ib)
    kept: Sized = sink.kept
    return ib, kept.__len__


def _fed() -> tuple[IB, Callable[[], int]]:
    tray = Tray()
    feed = Feed(tray, epoch=1)
    for number in range(LINES):
        feed.open_line(FIRST_REQ + number, Line(number, "OPT", "C"))
    return make_ib(TickDefaults(), feed), lambda: tray.messages - feed.oddities.orphans


def _add_tickers(ib: IB) -> None:
    for number in range(LINES):
        contract = Contract(conId=number + 1, secType="STK", symbol=f"S{number}")
        ib.wrapper.startTicker(FIRST_REQ + number, contract, "mktData")


VARIANTS: dict[str, Callable[[], tuple[IB, Callable[[], int]]]] = {
    "stock": _stock,
    "ticker": lambda: _tapped(tickers=True),
    "ours": lambda: _tapped(tickers=False),
    "feed": _fed,
}


async def read(variant: str, port: int) -> dict[str, float]:
    """Read one blast to its end."""
    ib, count = VARIANTS[variant]()
    await ib.client.connectAsync("127.0.0.1", port, 1, timeout=10.0)
    done = ib.wrapper.startReq("currentTime")
    began, cpu = time.perf_counter(), time.process_time()
    ib.client.reqCurrentTime()
    await done
    figures = {
        "kept": count(),
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - began,
    }
    ib.client.disconnect()
    return figures


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    chosen = sys.argv[1]
    options = {} if chosen == "stock" else loop_options()
    print(json.dumps(anyio.run(read, chosen, int(sys.argv[2]), backend_options=options)))
