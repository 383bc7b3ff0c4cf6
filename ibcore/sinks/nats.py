"""NATS JetStream: every row a message, on a subject of its kind and instrument.

    ibkeeper.quote.STK.AAPL.17       kind, security type, symbol, number of the instrument
    ibkeeper.greeks.OPT.SPY.203      wildcards choose: ibkeeper.*.OPT.SPY.*

The stream IBKEEPER holds them (made where it is missing, the oldest go first). `Nats-Msg-Id` is
epoch and seq: what is published again within two minutes of a crash the server drops; a consumer
that wants more compares (epoch, seq).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio
import nats
import nats.errors
import orjson
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StreamConfig
from nats.js.errors import NotFoundError

from ibcore.sinks.document import KINDS, document
from ibcore.sinks.sink import SinkUnavailable, Told
from ibcore.stream import Cursor

STREAM: Final = "IBKEEPER"
PREFIX: Final = "ibkeeper"
TIMEOUT_S: Final = 5.0
DEDUPE_S: Final = 120.0
PENDING: Final = 500  # messages without an answer
_TOKEN: Final = re.compile(r"[^A-Za-z0-9_-]")


class NatsSink:
    """Publishes to one NATS server with JetStream."""

    name = "nats"

    def __init__(self, url: str, *, stream_rows: int) -> None:
        self._url = url
        self._stream_rows = stream_rows
        self._client: Client | None = None
        self._js: JetStreamContext | None = None

    async def open(self, stored: Cursor | None) -> Cursor | None:
        """Connect, and make the stream where it is missing."""
        try:
            self._client = client = await nats.connect(
                self._url,
                connect_timeout=TIMEOUT_S,
                allow_reconnect=False,
                max_reconnect_attempts=0,
                error_cb=_silent,
            )
            self._js = js = client.jetstream(
                timeout=TIMEOUT_S, publish_async_max_pending=PENDING * 2
            )
            await self._require_stream(js)
        except (nats.errors.Error, OSError, TimeoutError) as away:
            raise _unavailable(away) from None
        return stored

    async def begin(self, latest: Sequence[Mapping[str, Any]], cursor: Cursor) -> None:
        """Do nothing: a stream is of what happens, not of what is."""

    async def publish(self, rows: Sequence[Told], cursor: Cursor) -> None:
        """Publish a page and wait until the server has all of it."""
        del cursor  # the caller keeps it
        for start in range(0, len(rows), PENDING):
            await self._publish(rows[start : start + PENDING])

    async def close(self) -> None:
        """Disconnect."""
        client, self._client, self._js = self._client, None, None
        if client is not None:
            await client.close()

    async def _publish(self, rows: Sequence[Told]) -> None:
        assert self._js is not None
        try:
            # A server that goes away answers nothing: the library would wait for ever.
            with anyio.fail_after(TIMEOUT_S):
                answers = [await self._send(self._js, told) for told in rows]
                results = await asyncio.gather(*answers, return_exceptions=True)
            for failure in results:
                if isinstance(failure, BaseException):
                    raise failure
        except (nats.errors.Error, OSError, TimeoutError) as away:
            raise _unavailable(away) from None

    async def _send(self, js: JetStreamContext, told: Told) -> asyncio.Future[Any]:
        name = {"Nats-Msg-Id": f"{told.row.epoch}-{told.row.seq}"}
        sent: asyncio.Future[Any] = await js.publish_async(
            subject(told), orjson.dumps(document(told)), headers=name
        )
        return sent

    async def _require_stream(self, js: JetStreamContext) -> None:
        try:
            await js.stream_info(STREAM)
        except NotFoundError:
            await js.add_stream(
                StreamConfig(
                    name=STREAM,
                    subjects=[f"{PREFIX}.>"],
                    max_msgs=self._stream_rows,
                    discard=DiscardPolicy.OLD,
                    duplicate_window=DEDUPE_S,
                )
            )


def subject(told: Told) -> str:
    """Return the subject of a row."""
    about = (told.sec_type, told.symbol, str(told.row.instrument_id))
    tokens = [_TOKEN.sub("_", token) or "_" for token in about]
    return ".".join((PREFIX, KINDS[type(told.row)], *tokens))


async def _silent(_error: Any) -> None:
    """Say nothing: the error comes out of the call that it broke."""


def _unavailable(away: Exception) -> SinkUnavailable:
    return SinkUnavailable(
        f"NATS does not take rows: {type(away).__name__}.",
        remedy="Nothing is lost: publishing goes on where it was. Check IBKEEPER_SINKS__NATS_URL.",
    )
