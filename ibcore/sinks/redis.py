"""Redis or Valkey: the newest values of each instrument as a hash, all rows as Streams.

    ibkeeper:latest:ID   a hash, the newest value each: symbol, bid, ask, last, model_iv, …
    ibkeeper:quote       Streams of documents (field `row`, JSON), capped by MAXLEN;
    ibkeeper:trade, ibkeeper:greeks, ibkeeper:instrument_stat
    ibkeeper:cursor      up to where all of that is complete

A page and its cursor are one MULTI: what Redis has is exact, also after a crash on either side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ibcore.clock import us_from_datetime
from ibcore.log import hide
from ibcore.sinks.document import KINDS, current, document, unix_us
from ibcore.sinks.sink import SinkUnavailable, Told
from ibcore.stream import Cursor

PREFIX: Final = "ibkeeper"
CURSOR: Final = f"{PREFIX}:cursor"
TIMEOUT_S: Final = 5.0
# As redis-py types what it encodes.
Plain = bytes | bytearray | memoryview | str | int | float
Fields = dict[Plain, Plain]
# Of which kind of row the newest is known, by the field of the hash that says since when.
_SINCE: Final = {kind: f"{name}_us" for kind, name in KINDS.items()}


class RedisSink:
    """Publishes to one Redis."""

    name = "redis"

    def __init__(self, url: str, *, stream_rows: int) -> None:
        self._url = url
        self._stream_rows = stream_rows
        self._redis: Redis | None = None
        self._newest: dict[tuple[int, str], int] = {}

    async def open(self, stored: Cursor | None) -> Cursor | None:
        """Connect; what Redis says of the cursor counts."""
        del stored
        self._redis = client = Redis.from_url(
            self._url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            decode_responses=True,
        )
        hide(client.connection_pool.connection_kwargs.get("password"))
        self._newest.clear()
        try:
            found = await client.get(CURSOR)
        except (RedisError, OSError) as away:
            raise _unavailable(away) from None
        return None if found is None else Cursor.parse(str(found))

    async def begin(self, latest: Sequence[Mapping[str, Any]], cursor: Cursor) -> None:
        """Fill the hashes with the present."""
        assert self._redis is not None
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                for row in latest:
                    plain = {name: _plain(value) for name, value in row.items()}
                    known: Fields = {
                        name: value for name, value in plain.items() if value is not None
                    }
                    pipe.hset(_hash(row["instrument_id"]), mapping=known)
                pipe.set(CURSOR, str(cursor))
                await pipe.execute()
        except (RedisError, OSError) as away:
            raise _unavailable(away) from None

    async def publish(self, rows: Sequence[Told], cursor: Cursor) -> None:
        """Add a page to the Streams, bring the hashes up to date, and move the cursor: or none."""
        assert self._redis is not None
        try:
            await self._learn(rows)
            async with self._redis.pipeline(transaction=True) as pipe:
                for told in rows:
                    body: Fields = {"row": orjson.dumps(document(told))}
                    key = f"{PREFIX}:{KINDS[type(told.row)]}"
                    pipe.xadd(key, body, maxlen=self._stream_rows, approximate=True)
                for instrument_id, (there, gone) in self._changes(rows).items():
                    pipe.hset(_hash(instrument_id), mapping=there)
                    if gone:
                        pipe.hdel(_hash(instrument_id), *gone)
                pipe.set(CURSOR, str(cursor))
                await pipe.execute()
        except (RedisError, OSError) as away:
            raise _unavailable(away) from None

    async def close(self) -> None:
        """Disconnect."""
        if self._redis is not None:
            await self._redis.aclose()
            self._redis = None

    async def _learn(self, rows: Sequence[Told]) -> None:
        """Read how new the hashes are that this connection has not touched yet."""
        assert self._redis is not None
        known = {instrument_id for instrument_id, _ in self._newest}
        asked = sorted({told.row.instrument_id for told in rows} - known)
        async with self._redis.pipeline(transaction=False) as pipe:
            for instrument_id in asked:
                pipe.hmget(_hash(instrument_id), list(_SINCE.values()))
            answers = await pipe.execute() if asked else []
        for instrument_id, times in zip(asked, answers, strict=True):
            for name, us in zip(_SINCE.values(), times, strict=True):
                self._newest[instrument_id, name] = int(us or 0)

    def _changes(self, rows: Sequence[Told]) -> Mapping[int, tuple[Fields, list[str]]]:
        """Return what to set and what to remove; a batch that comes late changes nothing."""
        values: dict[int, dict[str, Any]] = {}
        for told in rows:
            row, since = told.row, _SINCE[type(told.row)]
            at = unix_us(row.recv_ts)
            if at < self._newest[row.instrument_id, since]:
                continue
            self._newest[row.instrument_id, since] = at
            about = {"symbol": told.symbol, "local_symbol": told.local_symbol}
            origin = {"provider": row.provider, "quality": row.quality, "recv_ts": at}
            values.setdefault(row.instrument_id, about).update(
                {**current(row), **origin, "epoch": row.epoch, "seq": row.seq, since: at}
            )
        return {
            instrument_id: (
                {name: value for name, value in said.items() if value is not None},
                [name for name, value in said.items() if value is None],
            )
            for instrument_id, said in values.items()
        }


def _plain(value: Any) -> Any:
    return unix_us(us_from_datetime(value)) if isinstance(value, datetime) else value


def _hash(instrument_id: int) -> str:
    return f"{PREFIX}:latest:{instrument_id}"


def _unavailable(away: Exception) -> SinkUnavailable:
    return SinkUnavailable(
        f"Redis does not take rows: {type(away).__name__}.",
        remedy="Nothing is lost: publishing goes on where it was. Check IBKEEPER_SINKS__REDIS_URL.",
    )
