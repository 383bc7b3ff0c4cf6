"""Limits, kill switch and arming as rows: set, lift and read them on an open connection.

Nothing is ever changed: the newest row counts, and those before it say who changed what, and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, NoReturn

from psycopg.rows import dict_row

from ibcore import db
from ibcore.errors import IbkeeperError
from ibcore.incidents import Incident, IncidentKind, key_of
from ibcore.risk import is_paper, parse_limit
from ibcore.risk.limits import EVERY_ACCOUNT, LIMITS

KILL_CHANNEL: Final = "ibkeeper_kill_switch"
ARMED_AT_MOST_S: Final = 24 * 3600


class AuthorityRefused(IbkeeperError):
    """What was asked for cannot be written down."""

    exit_code = 2


class Word(NamedTuple):
    """Who says it, and why."""

    set_by: str
    reason: str = ""


async def set_limit(
    conn: db.Connection, name: str, value: str | None, *, word: Word, account: str = EVERY_ACCOUNT
) -> str | None:
    """Set a limit (None: unset it); return what it was before."""
    _named(word)
    try:
        if value is not None:
            parse_limit(name, value)
        elif name not in LIMITS:
            raise ValueError(f"no limit is called {name!r}")
    except ValueError as wrong:
        _refuse(f"This limit cannot be set: {wrong}.", "See: ibkeeper limits names.")
    values = {"account": account, "name": name, "value": value}
    (row,) = await _rows(conn, "limit_set", values | word._asdict())
    before: str | None = row["before"]
    return before


async def limits(conn: db.Connection) -> list[dict[str, Any]]:
    """Return the limits that are set now."""
    return await _rows(conn, "limits_now", {})


async def limits_history(conn: db.Connection, *, limit: int = 50) -> list[dict[str, Any]]:
    """Return the newest changes of limits."""
    return await _rows(conn, "limits_history", {"limit": limit})


async def set_kill_switch(
    conn: db.Connection,
    engaged: bool,
    word: Word,
    *,
    source: str = "row",
    sidecar: str | None = None,
) -> None:
    """Engage the kill switch, or lift it."""
    _named(word)
    if not word.reason.strip():
        _refuse("The kill switch needs a reason.", "Say why: --reason TEXT.")
    values = {"engaged": engaged, "source": source, "sidecar": sidecar}
    async with conn.transaction():
        await _rows(conn, "kill_switch_note", values | word._asdict())
        if engaged:
            text = f"The kill switch is on: {word.reason}. Nothing is sent, all is cancelled."
            told = Incident(IncidentKind.kill_switch_engaged, "all", text, word.set_by)
            await _rows(conn, "open_incident", told.row())
        else:
            key = key_of(IncidentKind.kill_switch_engaged, "all")
            reason = f"{word.reason} ({word.set_by})"
            await _rows(conn, "close_incident", {"key": key, "reason": reason})


async def kill_switch_history(conn: db.Connection, *, limit: int = 1) -> list[dict[str, Any]]:
    """Return the newest rows of the kill switch; the first counts, none is off."""
    return await _rows(conn, "kill_switch_history", {"limit": limit})


async def arm(conn: db.Connection, account: str, *, for_s: float, word: Word) -> datetime:
    """Let a live account trade for a while; 0 s: no longer. Return when that ends."""
    _named(word)
    if is_paper(account):
        _refuse(f"{account} is a paper account.", "It needs no arming.")
    if not 0 <= for_s <= ARMED_AT_MOST_S:
        _refuse(f"{for_s:g} s is no time to arm for.", "Give at most 24h.")
    values = {"account": account, "for_s": for_s}
    (row,) = await _rows(conn, "arming_note", values | word._asdict())
    until: datetime = row["armed_until"]
    return until


async def armings(conn: db.Connection) -> list[dict[str, Any]]:
    """Return the newest word on every account that was ever armed."""
    return await _rows(conn, "armings_now", {})


def _named(word: Word) -> None:
    if not word.set_by.strip():
        _refuse("A person must stand for this.", "Say who: --by NAME.")


def _refuse(what: str, remedy: str) -> NoReturn:
    raise AuthorityRefused(what, remedy=f"Nothing was changed. {remedy}")


async def _rows(conn: db.Connection, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES[query], values)
            return await cursor.fetchall()
