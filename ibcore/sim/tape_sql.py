"""Tapes that are a database: a day that ibkeeper recorded, read back in the order it was received.

    postgresql://user:password@host/database?day=2026-11-20[&symbols=AAPL,SPY]

The day is New York's. What is read: the tables `instrument`, `quote` and `trade` (prints of source
`last`: the others tell of the same prints again) of the schema `ibkeeper`, through a cursor of the
server, in one read-only transaction. The URL holds a secret: nothing here says it, or logs it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg

from ibcore.errors import ConfigRefused, DatabaseUnavailable
from ibcore.sim import hours
from ibcore.sim.contracts import Contract
from ibcore.sim.taperows import Listed, TapeRow, contract_of

SCHEMES: Final = ("postgresql://", "postgres://")
_CHUNK: Final = 2_000
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
                 WHERE instrument_id = instrument.id AND ts >= %(first)s AND ts < %(last)s))
 ORDER BY id
"""
_EVENTS: Final = """
SELECT recv_ts, instrument_id, bid, bid_size, ask, ask_size, NULL::float8, NULL::float8, epoch, seq
  FROM ibkeeper.quote
 WHERE ts >= %(first)s AND ts < %(last)s AND instrument_id = ANY (%(ids)s)
UNION ALL
SELECT recv_ts, instrument_id, NULL, NULL, NULL, NULL, price, size, epoch, seq
  FROM ibkeeper.trade
 WHERE ts >= %(first)s AND ts < %(last)s AND instrument_id = ANY (%(ids)s) AND source = 'last'
 ORDER BY recv_ts, epoch, seq
"""


class SqlTape:
    """One recorded day; `rows` reads it through a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url, self.day, symbols = _taken_apart(url)
        first = datetime.combine(self.day, time(), hours.NEW_YORK)
        last = datetime.combine(self.day + timedelta(days=1), time(), hours.NEW_YORK)
        self._span: dict[str, Any] = {"first": first, "last": last, "symbols": symbols}
        with self._connected() as connection:
            rows = connection.execute(_INSTRUMENTS, self._span).fetchall()
        if not rows:
            raise ConfigRefused(
                f"Nothing was recorded on {self.day}"
                + (f" of {', '.join(symbols)}." if symbols else "."),
                remedy="Nothing was started. Choose another ?day=.",
            )
        self._by_id = {row[0]: _contract(row) for row in rows}
        self.starts_us = self._first()

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
        try:
            connection = psycopg.connect(
                self._url, connect_timeout=_CONNECT_S, application_name="ibkeeper-sim-tape"
            )
        except (psycopg.OperationalError, psycopg.ProgrammingError):
            # The driver's own text may repeat parts of the URL.
            raise DatabaseUnavailable(
                "The database of the tape does not answer, or refuses the user.",
                remedy="Nothing was started. Check host, port, user and password of --tape.",
            ) from None
        with connection:
            connection.read_only = True
            try:
                yield connection
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                raise ConfigRefused(
                    "The database of the tape holds no tables of ibkeeper.",
                    remedy="Nothing was started. Give the database that `ibkeeper db url` names.",
                ) from None

    def rows(self) -> Generator[TapeRow, None, None]:
        """Yield the day's events as they were received."""
        given = {**self._span, "ids": list(self._by_id)}
        with self._connected() as connection, connection.cursor("tape") as cursor:
            cursor.itersize = _CHUNK
            cursor.execute(_EVENTS, given)
            for at, number, bid, bid_size, ask, ask_size, price, size, _epoch, _seq in cursor:
                yield TapeRow(
                    round(at.timestamp() * 1_000_000), self._by_id[number].con_id,
                    bid, bid_size or 0.0, ask, ask_size or 0.0, price, size or 0.0,
                )  # fmt: skip


def _taken_apart(url: str) -> tuple[str, date, list[str] | None]:
    """Take our own parameters out of the URL: the driver knows neither."""
    parts = urlsplit(url)
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
