"""A reader of market rows that misses none and doubles none.

    async with aclosing(follow(url, [17, 18], since=stored)) as pages:
        async for page in pages:
            use(page.rows)
            store(page.cursor)

Why nothing is missed: `ingest_order` gives every committed batch a position, inside COMMIT and
under a lock that is let go only once the commit is visible. Whoever sees position n therefore
sees every position below n, whichever lane or sidecar committed it and however late. A cursor is
(position, seq): a place in that order and a row in that batch; reading on from it is exact.
NOTIFY only wakes the reader; what it does not say is found by the poll.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

import anyio
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.rows import namedtuple_row

from ibcore import db
from ibcore.clock import datetime_from_us
from ibcore.domain import Greeks, MarketRow, Quote, Stat, Trade
from ibcore.errors import CursorTooOld, IbkeeperError
from ibcore.log import get_logger
from ibcore.policy import backoff_s

log = get_logger(__name__)

CHANNEL: Final = "ibkeeper_rows"
PAGE_ROWS: Final = 10_000
PAGE_BATCHES: Final = 500
RETRY_MAX_S: Final = 5.0
_ALL: Final = 2**63 - 1


class Cursor(NamedTuple):
    """A place in the stream: everything up to row `seq` of the batch at `position` was read."""

    position: int
    seq: int

    def __str__(self) -> str:
        return f"{self.position}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return the cursor that was stored as `str(cursor)`, or raise ValueError."""
        position, _, seq = text.partition(".")
        return cls(int(position), int(seq))


BEGINNING: Final = Cursor(0, 0)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order of their commits, and the cursor to store once they are dealt with.

    Rows are `ibcore.domain` Quote, Trade, Greeks and Stat; their times are microseconds since
    2000-01-01 UTC (`ibcore.clock.datetime_from_us`). (epoch, seq) names a row for ever.
    """

    rows: tuple[MarketRow, ...]
    cursor: Cursor


async def follow(
    dsn: str,
    instruments: Sequence[int] | None = None,
    *,
    since: Cursor | str | None = None,
    page_rows: int = PAGE_ROWS,
    poll_s: float = 1.0,
) -> AsyncGenerator[Page, None]:
    """Yield every row committed after `since`, once, for as long as the caller reads.

    `instruments`: numbers of `instrument.id`; None: all. `since`: a stored cursor (or its text),
    `BEGINNING` for all that the ledger has, None for what is committed from now on. A page has at
    most `page_rows` rows, and nothing is read ahead: a caller that is slow holds nobody up.

    Raises DatabaseUnavailable when the first connection fails; one that is lost later is made
    anew. Raises CursorTooOld when the ledger no longer reaches back to the cursor.
    """
    reader = _Reader(dsn, instruments, page_rows=page_rows, poll_s=poll_s)
    await reader.begin(Cursor.parse(since) if isinstance(since, str) else since)
    failures = 0
    while True:
        try:
            async with db.opened(dsn, application="stream") as connection:
                async for page in reader.pages(connection):
                    failures = 0
                    yield page
        except IbkeeperError as away:
            if not away.retryable:
                raise
            failures += 1
            log.warning("stream_reconnects", attempt=failures, reason=str(away))
            await anyio.sleep(min(backoff_s(failures), RETRY_MAX_S))


async def here(dsn: str) -> Cursor:
    """Return the cursor behind everything that is committed, or raise DatabaseUnavailable."""
    reader = _Reader(dsn, None, page_rows=PAGE_ROWS, poll_s=1.0)
    await reader.begin(None)
    return reader.cursor


class _Reader:
    """Where one `follow` is."""

    def __init__(
        self, dsn: str, instruments: Sequence[int] | None, *, page_rows: int, poll_s: float
    ) -> None:
        self._dsn = dsn
        self._instruments = None if instruments is None else list(instruments)
        self._page_rows = page_rows
        self._poll_s = poll_s
        self.cursor = BEGINNING

    async def begin(self, since: Cursor | None) -> None:
        """Find the place to begin at; raise what makes it impossible."""
        async with db.opened(self._dsn, application="stream") as connection:
            end, _ = await _end(connection)
            # No batch has a higher last_seq than this: all of the last one is read.
            self.cursor = Cursor(end, _ALL) if since is None else since

    async def pages(self, connection: db.Connection) -> AsyncIterator[Page]:
        """Yield pages until the connection is lost."""
        connection.prepare_threshold = None  # plans depend on the instruments and the times
        connection.adapters.register_loader("timestamptz", _Microseconds)
        await self._check_age(connection)
        listening = False
        while True:
            page = await self._next(connection)
            if page is not None:
                # Nobody listens while the caller works: a reader that stands still would in the
                # end fill the server's queue of notifications, and stop the writers.
                if listening:
                    await _execute(connection, b"UNLISTEN ibkeeper_rows")
                    listening = False
                if page.rows:
                    yield page
                self.cursor = page.cursor
            elif listening:
                await self._wait(connection)
            else:
                await _execute(connection, b"LISTEN ibkeeper_rows")
                listening = True

    async def _wait(self, connection: db.Connection) -> None:
        with db.translated():
            async for _ in connection.notifies(timeout=self._poll_s, stop_after=1):
                pass

    async def _check_age(self, connection: db.Connection) -> None:
        _, forgotten = await _end(connection)
        if BEGINNING < self.cursor < Cursor(forgotten, 0):
            raise CursorTooOld(
                f"The ledger was pruned beyond the cursor {self.cursor} (up to {forgotten}).",
                remedy="The rows themselves may still be there: read them by time, then follow "
                "from the beginning of the ledger or from now. Keep more of it with "
                "IBKEEPER_MAINTENANCE__KEEP_LEDGER_DAYS.",
            )

    async def _next(self, connection: db.Connection) -> Page | None:
        batches = await self._batches(connection)
        if not batches:
            return None
        rows: list[tuple[int, MarketRow]] = []
        runs, upto = self._runs(batches)
        for run in runs:
            for name, make in _MAKE.items():
                found = await _fetch(connection, name, run.bounds(self._instruments))
                rows += ((run.position(row.seq), row) for row in map(make, found))
        rows.sort(key=_in_order)
        return Page(tuple(map(itemgetter(1), rows)), Cursor(batches[-1].position, upto))

    async def _batches(self, connection: db.Connection) -> list[Any]:
        place = {**self.cursor._asdict(), "limit": PAGE_BATCHES}
        found = await _fetch(connection, "stream_batches", place)
        page, rows = found[:1], sum(batch.rows for batch in found[:1])
        for batch in found[1:]:
            rows += batch.rows
            if rows > self._page_rows:
                break
            page.append(batch)
        return page

    def _runs(self, batches: Sequence[Any]) -> tuple[list[_Run], int]:
        """Return what to read of the tables, and the last seq of it in the last batch."""
        runs: list[_Run] = []
        growing: dict[tuple[int, int], _Run] = {}
        for batch in batches:
            # Sidecars, and the two lanes of one, take turns: each has a run of its own.
            run = growing.pop((batch.epoch, batch.first_seq - 1), None)
            if run is None:
                run = _Run(batch.epoch)
                runs.append(run)
            run.batches.append(batch)
            growing[batch.epoch, batch.last_seq] = run
        first = runs[0]
        if first.batches[0].position == self.cursor.position:
            first.after_seq = self.cursor.seq
        upto = batches[-1].last_seq
        if len(batches) == 1:
            begin = max(batches[0].first_seq, first.after_seq + 1)
            upto = first.upto_seq = min(upto, begin + self._page_rows - 1)
        return runs, upto


@dataclass(slots=True)
class _Run:
    """Batches of one start of a sidecar whose seq is unbroken."""

    epoch: int
    batches: list[Any] = field(default_factory=list)
    after_seq: int = 0
    upto_seq: int = _ALL

    def bounds(self, instruments: Sequence[int] | None) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "from_seq": max(self.batches[0].first_seq, self.after_seq + 1),
            "to_seq": min(self.batches[-1].last_seq, self.upto_seq),
            "from_ts": _bound(min, [batch.first_ts for batch in self.batches]),
            "to_ts": _bound(max, [batch.last_ts for batch in self.batches]),
            "instruments": instruments,
        }

    def position(self, seq: int) -> int:
        place = bisect_right(self.batches, seq, key=attrgetter("first_seq")) - 1
        return int(self.batches[place].position)


def _bound(choose: Callable[[list[int]], int], times: list[int | None]) -> datetime | None:
    """Return the bound of all, or None where one of them is unknown."""
    known = [us for us in times if us is not None]
    return datetime_from_us(choose(known)) if len(known) == len(times) else None


class _Microseconds(Loader):
    """A timestamptz as PostgreSQL sends it in binary: microseconds since 2000."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return int.from_bytes(data, "big", signed=True)


def _stat(values: Sequence[Any]) -> Stat:
    number, text = values[-2:]
    return Stat._make((*values[:-2], text if number is None else number))


_MAKE: Final[dict[str, Callable[[Sequence[Any]], MarketRow]]] = {
    "stream_quote": Quote._make,
    "stream_trade": Trade._make,
    "stream_greeks": Greeks._make,
    "stream_instrument_stat": _stat,
}


def _in_order(placed: tuple[int, MarketRow]) -> tuple[int, int]:
    return placed[0], placed[1].seq


async def _end(connection: db.Connection) -> tuple[int, int]:
    (found,) = await _fetch(connection, "stream_end", {})
    return found.position, found.forgotten


async def _fetch(connection: db.Connection, query: str, values: dict[str, Any]) -> list[Any]:
    with db.translated():
        async with connection.cursor(binary=True, row_factory=namedtuple_row) as cursor:
            await cursor.execute(db.QUERIES[query], values)
            return await cursor.fetchall()


async def _execute(connection: db.Connection, command: bytes) -> None:
    with db.translated():
        await connection.execute(command)
