"""Alpaca as a backup, run against the local Alpaca; its rows are kept in a list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
from ib_async import Contract
from pydantic import SecretStr

from ibcore.config import AlpacaSettings
from ibcore.domain import MarketRow
from ibcore.sim.alpaca import Vendor
from sidecar.fold import Print
from sidecar.line import Line
from sidecar.lines import Wanted
from sidecar.providers.alpaca import Alpaca
from sidecar.providers.alpaca.door import PATIENT, Pace

R = TypeVar("R", bound=MarketRow)
QUICK = PATIENT._replace(silent_s=0.4, answer_s=1.0, is_open=lambda _now: True)
NS = 1_705_674_600_123_456_789  # 2024-01-19 14:30 UTC
US = NS // 1_000 - 946_684_800_000_000


class Sheet:
    """Rows in the order in which they were recorded (a `RowSink`)."""

    def __init__(self) -> None:
        self.rows: list[MarketRow] = []
        self.messages = 0
        self.prints: dict[int, Print] = {}

    def next_seq(self) -> int:
        """Return the number of the next row."""
        return len(self.rows) + 1

    def record(self, row: MarketRow) -> None:
        """Keep a row, whose number must be the next one."""
        assert row.seq == len(self.rows) + 1
        self.rows.append(row)

    def forget(self, instrument_id: int, field: str) -> None:
        """Do nothing: Alpaca has no statistics."""

    def last_print(self, instrument_id: int) -> Print | None:
        """Return the last print that somebody had recorded."""
        return self.prints.get(instrument_id)

    def heard(self, messages: int = 1) -> None:
        """Count messages."""
        self.messages += messages

    def of(self, kind: type[R]) -> list[R]:
        """Return the rows of one table."""
        return [row for row in self.rows if isinstance(row, kind)]


def stock(number: int, symbol: str, *, priority: int = 100, **fields: Any) -> Wanted:
    """Return a wanted stock; instrument, watch and contract have one number."""
    contract = Contract(
        conId=number, symbol=symbol, secType="STK", exchange="SMART", currency="USD", **fields
    )
    return Wanted(number, Line(number, "STK"), contract, "", priority)


def option(number: int, symbol: str, expiry: str, strike: float, right: str) -> Wanted:
    """Return a wanted option of a stock."""
    contract = Contract(
        conId=number,
        symbol=symbol,
        secType="OPT",
        lastTradeDateOrContractMonth=expiry,
        strike=strike,
        right=right,
        multiplier="100",
        exchange="SMART",
        currency="USD",
        tradingClass=symbol,
    )
    return Wanted(number, Line(number, "OPT", right), contract, "", 100)


def settings_for(vendor: Vendor, **changed: Any) -> AlpacaSettings:
    """Return the settings of a client of the local Alpaca."""
    return AlpacaSettings(
        **{
            "key_id": SecretStr(vendor.rules.key_id),
            "secret_key": SecretStr("sim-secret-key"),
            "stream_url": vendor.stream_url,
            "data_url": vendor.data_url,
            "greeks_s": 0.1,
            **changed,
        }
    )


@asynccontextmanager
async def running(
    vendor: Vendor, *wanted: Wanted, pace: Pace = PATIENT, **changed: Any
) -> AsyncIterator[tuple[Alpaca, Sheet]]:
    """Run the backup until the block ends."""
    sheet = Sheet()
    alpaca = Alpaca(sheet, settings_for(vendor, **changed), epoch=7, pace=pace)
    alpaca.want(wanted)
    async with anyio.create_task_group() as tasks:
        for name, task in alpaca.workers().items():
            tasks.start_soon(task, name=name)
        yield alpaca, sheet
        tasks.cancel_scope.cancel()
