"""The watch list as rows: read as frozen values, written as verdicts, many lines a statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ib_async import Contract
from psycopg.rows import dict_row

from ibcore import db
from ibcore.domain import ContractSpec, WatchState
from ibcore.liveness.hours import parse
from sidecar.line import Line
from sidecar.lines import GENERIC_TICKS, Wanted

_HOURS: Final = ("trading_hours", "liquid_hours", "time_zone")


class Verdict(NamedTuple):
    """What became of a line, and why."""

    state: WatchState
    reason: str | None


class WatchRow(NamedTuple):
    """A row of the watch list."""

    watch_id: int
    spec: ContractSpec
    generic_ticks: str | None
    priority: int
    state: WatchState
    wanted: Wanted | None

    @property
    def asks_for(self) -> tuple[ContractSpec, str | None, int]:
        """Return the part that a person writes."""
        return self.spec, self.generic_ticks, self.priority


async def read(conn: db.Connection, sidecar: str) -> list[WatchRow]:
    """Return the watch list of a sidecar, first things first."""
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES["watch_rows"], {"sidecar": sidecar})
            return [_row_of(row) for row in await cursor.fetchall()]


async def write_instruments(conn: db.Connection, instruments: Mapping[int, int]) -> None:
    """Store which instrument each line is, by watch id."""
    values = {"ids": list(instruments), "instrument_ids": list(instruments.values())}
    with db.translated():
        await conn.execute(db.QUERIES["watch_qualified"], values)


async def write_verdicts(conn: db.Connection, verdicts: Iterable[tuple[int, Verdict]]) -> None:
    """Store what became of each line, by watch id."""
    listed = list(verdicts)
    if not listed:
        return
    values = {
        "ids": [watch_id for watch_id, _ in listed],
        "states": [str(verdict.state) for _, verdict in listed],
        "reasons": [verdict.reason for _, verdict in listed],
    }
    with db.translated():
        async with conn.transaction():
            await conn.execute(db.QUERIES["watch_to_pending"], values)
            await conn.execute(db.QUERIES["watch_to_state"], values)


def _row_of(row: Mapping[str, Any]) -> WatchRow:
    spec = ContractSpec(**{name: row[name] for name in ContractSpec._fields})
    return WatchRow(
        watch_id=row["id"],
        spec=spec,
        generic_ticks=row["generic_ticks"],
        priority=row["priority"],
        state=WatchState(row["state"]),
        wanted=None if row["instrument_id"] is None else _wanted_of(row),
    )


def _wanted_of(row: Mapping[str, Any]) -> Wanted:
    sec_type, ticks = row["known_sec_type"], row["generic_ticks"]
    return Wanted(
        watch_id=row["id"],
        line=Line(row["instrument_id"], sec_type, row["known_right"] or ""),
        contract=_contract_of(row),
        generic_ticks=GENERIC_TICKS.get(sec_type, "") if ticks is None else ticks,
        priority=row["priority"],
        hours=parse(*(row[name] or "" for name in _HOURS)),
    )


def _contract_of(row: Mapping[str, Any]) -> Contract:
    # The venue is the one that was asked for: one instrument is quoted at many.
    return Contract(
        conId=row["known_con_id"],
        symbol=row["known_symbol"],
        secType=row["known_sec_type"],
        lastTradeDateOrContractMonth=row["known_expiry"] or "",
        strike=row["known_strike"] or 0.0,
        right=row["known_right"] or "",
        multiplier=row["known_multiplier"] or "",
        exchange=row["exchange"],
        primaryExchange=row["known_primary_exchange"] or "",
        currency=row["known_currency"],
        localSymbol=row["known_local_symbol"] or "",
        tradingClass=row["known_trading_class"] or "",
    )
