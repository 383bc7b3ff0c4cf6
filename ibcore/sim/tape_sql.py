"""Tapes that are a database: a day that ibkeeper recorded, read back in the order it was received.

    postgresql://user:password@host/database?day=2026-11-20[&symbols=AAPL,SPY]

The day is New York's. What is read, and only read: the tables `instrument`, `quote`, `trade`,
`greeks` and `instrument_stat` of the schema `ibkeeper`. The URL holds a secret: nothing here says
it, or logs it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg

from ibcore.errors import ConfigRefused, DatabaseUnavailable
from ibcore.sim import hours
from ibcore.sim.contracts import Contract
from ibcore.sim.sqlrows import EVENTS, events
from ibcore.sim.taperows import Listed, TapeRow, contract_of

SCHEMES: Final = ("postgresql://", "postgres://")
_CONNECT_S: Final = 5
_OWN: Final = frozenset({"day", "symbols"})

_INSTRUMENTS: Final = """
SELECT id, con_id, symbol, sec_type, to_char(expiry, 'YYYYMMDD'), strike::float8, "right",
       trading_class, min_tick::float8, multiplier
  FROM ibkeeper.instrument
 WHERE (%(symbols)s::text[] IS NULL OR symbol = ANY (%(symbols)s))
   AND (EXISTS (SELECT FROM ibkeeper.quote
                 WHERE instrument_id = instrument.id AND ts >= %(first)s AND ts < %(last)s)
     OR EXISTS (SELECT FROM ibkeeper.trade
                 WHERE instrument_id = instrument.id AND ts >= %(first)s AND ts < %(last)s)
     OR EXISTS (SELECT FROM ibkeeper.greeks
                 WHERE instrument_id = instrument.id AND ts >= %(first)s AND ts < %(last)s))
 ORDER BY id
"""
_OWN_VOLUME: Final = """
SELECT DISTINCT instrument_id FROM ibkeeper.instrument_stat
 WHERE ts >= %(first)s AND ts < %(last)s AND tick_type IN (8, 74)
"""
_OWN_GREEKS: Final = """
SELECT DISTINCT instrument_id FROM ibkeeper.greeks WHERE ts >= %(first)s AND ts < %(last)s
"""
_READ_ONLY: Final = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
_FIRST_S, _LONGEST_S = 60.0, 7_200.0  # how much of the day is read at once
_MANY: Final = 4_000  # rows; after more of them less is read at once


class SqlTape:
    """One recorded day; `rows` reads it through a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url, self.day, symbols = _taken_apart(url)
        first = datetime.combine(self.day, time(), hours.NEW_YORK)
        last = datetime.combine(self.day + timedelta(days=1), time(), hours.NEW_YORK)
        self._span: dict[str, Any] = {"first": first, "last": last, "symbols": symbols}
        with self._connected() as connection:
            rows = connection.execute(_INSTRUMENTS, self._span).fetchall()
            volumes = connection.execute(_OWN_VOLUME, self._span).fetchall()
            greeks = connection.execute(_OWN_GREEKS, self._span).fetchall()
        if not rows:
            raise ConfigRefused(
                f"Nothing was recorded on {self.day}"
                + (f" of {', '.join(symbols)}." if symbols else "."),
                remedy="Nothing was started. Choose another ?day=.",
            )
        self._by_id = {row[0]: _contract(row) for row in rows}
        self.own_volume = self._con_ids(volumes)
        self.own_greeks = self._con_ids(greeks)
        self.starts_us = self._first()

    def _con_ids(self, rows: Iterable[tuple[int]]) -> frozenset[int]:
        known = (self._by_id.get(number) for (number,) in rows)
        return frozenset(contract.con_id for contract in known if contract is not None)

    def _first(self) -> int:
        rows = self.rows()
        first = next(rows, None)
        rows.close()
        return 0 if first is None else first.at_us

    @property
    def contracts(self) -> list[Contract]:
        """Every instrument that something was recorded of."""
        return list(self._by_id.values())

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        with _translated(), psycopg.connect(
            self._url, autocommit=True, connect_timeout=_CONNECT_S,
            application_name="ibkeeper-sim-tape",
        ) as connection:  # fmt: skip
            connection.execute(_READ_ONLY)
            yield connection

    def rows(self) -> Generator[TapeRow, None, None]:
        """Yield the day's events as they were received, a piece of the day at a time.

        Each piece is a statement of its own: a replay of a whole day in one transaction would keep
        the recorder's tables from being vacuumed for as long.
        """
        start, width = self._span["first"], _FIRST_S
        with self._connected() as connection:
            while start < self._span["last"]:
                end = min(start + timedelta(seconds=width), self._span["last"])
                given = {"first": start, "last": end, "ids": list(self._by_id)}
                found = connection.execute(EVENTS, given).fetchall()
                yield from events(found, self._by_id)
                start = end
                if len(found) > _MANY:
                    width = max(width / 2, 1.0)
                elif len(found) < _MANY // 4:
                    width = min(width * 2, _LONGEST_S)


@contextmanager
def _translated() -> Iterator[None]:
    """Say what went wrong in one line; the driver's own text may repeat parts of the URL."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise ConfigRefused(
            "The database of the tape holds no tables of ibkeeper.",
            remedy="Nothing was started. Give the database that `ibkeeper db url` names.",
        ) from None
    except psycopg.errors.UndefinedColumn:
        raise ConfigRefused(
            "The database of the tape is of another version of ibkeeper.",
            remedy="Nothing was started. Run `ibkeeper db migrate` on it.",
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise ConfigRefused(
            "The user of the tape may not read the tables of ibkeeper.",
            remedy="Nothing was started. Give a user with SELECT on the schema ibkeeper.",
        ) from None
    except (psycopg.OperationalError, psycopg.ProgrammingError):
        raise DatabaseUnavailable(
            "The database of the tape does not answer, or refuses the user.",
            remedy="Check host, port, database, user and password of --tape.",
        ) from None


def _taken_apart(url: str) -> tuple[str, date, list[str] | None]:
    """Take our own parameters out of the URL: the driver knows neither."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read, and may be none, only when it is asked for
    except ValueError:
        raise ConfigRefused(
            "The URL of the tape has no valid host or port.",
            remedy="Nothing was started. Write postgresql://user:password@host:port/database"
            "?day=YYYY-MM-DD.",
        ) from None
    given = parse_qsl(parts.query)
    own = {name: value for name, value in given if name in _OWN}
    try:
        day = date.fromisoformat(own.get("day", ""))
    except ValueError:
        raise ConfigRefused(
            "A tape out of a database needs its day.",
            remedy="Nothing was started. End the URL with ?day=YYYY-MM-DD.",
        ) from None
    rest = urlencode([pair for pair in given if pair[0] not in _OWN])
    symbols = [part for part in own.get("symbols", "").split(",") if part]
    return urlunsplit(parts._replace(query=rest)), day, symbols or None


def _contract(row: tuple[Any, ...]) -> Contract:
    _, con_id, symbol, sec_type, expiry, strike, right, trading_class, *_ = row
    return contract_of(
        Listed(
            symbol, sec_type, expiry or "", strike or 0.0, right or "", trading_class or "", con_id
        )
    )


def shown(url: str) -> str:
    """Return what may be said of such a URL: host, database and day."""
    parts = urlsplit(url)
    own = {name: value for name, value in parse_qsl(parts.query) if name in _OWN}
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return urlunsplit((parts.scheme, place, parts.path, urlencode(own, safe=","), ""))
