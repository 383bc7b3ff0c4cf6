"""Executions: numbers and times of fills, and the filter of reqExecutions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, time, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ibcore.sim.hours import NEW_YORK, new_york_date
from ibcore.sim.orderrequests import Executions
from ibcore.sim.tickets import Fill

_STOCK_EXCHANGES: Final = ("IEX", "ARCA", "NASDAQ", "EDGX", "BATS")
_OPTION_EXCHANGES: Final = ("CBOE", "ISE", "PHLX", "MIAX")
_ZONES: Final = {"": timezone.utc, "UTC": timezone.utc, "GMT": timezone.utc, "EST": NEW_YORK,
                 "EDT": NEW_YORK, "ET": NEW_YORK}  # fmt: skip


def exec_id(seed: int, number: int, part: int = 1) -> str:
    """Return an execution's id in IB's form: legs count up the third part, corrections the last."""
    return f"{seed % 2**32:08x}.{number:08x}.{part:02d}.01"


def corrected(exec_id: str) -> str:
    """Return the id of the next correction."""
    base, _, version = exec_id.rpartition(".")
    return f"{base}.{int(version) + 1:02d}"


def exchange(number: int, *, option: bool) -> str:
    """Return where a fill happened."""
    venues = _OPTION_EXCHANGES if option else _STOCK_EXCHANGES
    return venues[number % len(venues)]


def time_text(at: datetime) -> str:
    """Write a time as execDetails does: two spaces, the zone of the handshake (GMT)."""
    return f"{at.astimezone(timezone.utc):%Y%m%d  %H:%M:%S}"


def parse_time(text: str) -> datetime | None:
    """Read `yyyymmdd hh:mm:ss [zone]` or `yyyymmdd-hh:mm:ss` (UTC); nothing if it is neither."""
    parts = text.replace("-", " ", 1).split()
    zone = _zone(parts[2] if len(parts) == 3 else "")
    if len(parts) not in (2, 3) or zone is None:
        return None
    try:
        return datetime.strptime(f"{parts[0]} {parts[1]}", "%Y%m%d %H:%M:%S").replace(tzinfo=zone)
    except ValueError:
        return None


def _zone(name: str) -> tzinfo | None:
    if name in _ZONES:
        return _ZONES[name]
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def midnight(now: datetime) -> datetime:
    """Return when the day began in New York: executions and ended orders before it are not told."""
    return datetime.combine(new_york_date(now), time(), NEW_YORK)


def matching(fills: Iterable[Fill], wanted: Executions, since: datetime) -> Iterator[Fill]:
    """Yield the fills that a filter lets through; blank fields let all through."""
    sides = {"BUY": True, "BOT": True, "SELL": False, "SLD": False}
    since_ns = since.timestamp() * 1e9
    for fill in fills:
        ticket = fill.ticket
        if (
            wanted.client_id in (0, ticket.client_id)
            and wanted.account in ("", ticket.account)
            and wanted.symbol in ("", fill.contract.symbol)
            and wanted.sec_type in ("", fill.contract.sec_type)
            and wanted.exchange in ("", fill.exchange, ticket.exchange)
            and (not wanted.side or sides.get(wanted.side) == fill.is_buy)
            and fill.at_ns >= since_ns
        ):
            yield fill
