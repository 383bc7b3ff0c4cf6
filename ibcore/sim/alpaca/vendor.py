"""The server: one port for both streams and the snapshots, and a ledger of all that was said.

async with Vendor() as vendor:
    vendor.push(messages.quote("AAPL", ns, 100.0, 200, 100.02, 300))
    vendor.silent = True      # connected, answering pings, and nothing comes
    vendor.drop()             # every connection is cut, without a word
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from ibcore.clock import unix_ns
from ibcore.sim.alpaca import snapshots
from ibcore.sim.alpaca.conversation import Conversation
from ibcore.sim.alpaca.frames import Message
from ibcore.sim.alpaca.messages import is_option
from ibcore.sim.alpaca.rules import Rules, feed_of

_HOST: Final = "127.0.0.1"
# The library tells of every cut connection, which here are made on purpose.
_quiet: Final = logging.getLogger("ibcore.sim.alpaca.websockets")


class Sent(NamedTuple):
    """One message of a frame that was sent; `connection` counts from 1."""

    at_ns: int
    connection: int
    feed: str
    message: Message


class Heard(NamedTuple):
    """What a client said."""

    at_ns: int
    connection: int
    feed: str
    said: Any


class Vendor:
    """Alpaca's streams and snapshots on a loopback port."""

    def __init__(self, rules: Rules | None = None, *, port: int = 0) -> None:
        self.rules = rules or Rules()
        self.port = port
        self.silent = False
        self.deaf = False  # connections are taken, and not even welcomed
        self.slow_s = 0.0  # before every frame
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.http: snapshots.Answer | None = None  # what every request gets instead
        self.ledger: list[Sent] = []
        self.heard_of: list[Heard] = []
        self.asked: list[str] = []
        self.connects: list[int] = []  # when, ns
        self._numbers: dict[Conversation, int] = {}
        self._server: Server | None = None

    @property
    def stream_url(self) -> str:
        """Where the streams are."""
        return f"ws://{_HOST}:{self.port}"

    @property
    def data_url(self) -> str:
        """Where the snapshots are."""
        return f"http://{_HOST}:{self.port}"

    @property
    def conversations(self) -> list[Conversation]:
        """Those that are open."""
        return list(self._numbers)

    async def __aenter__(self) -> Vendor:
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Listen, on the same port as before."""
        self._server = await serve(
            self._talk,
            _HOST,
            self.port,
            process_request=self._request,
            ping_interval=None,
            close_timeout=0.2,
            logger=_quiet,
        )
        _quiet.setLevel(logging.CRITICAL)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        """Cut every connection and listen no more: who connects is refused."""
        self.drop()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def push(self, *messages: Message) -> None:
        """Send messages, as one frame, to whoever subscribed to them."""
        for conversation in self.conversations:
            kind = conversation.is_option
            conversation.offer([m for m in messages if is_option(m["S"]) is kind])

    def refuse(self, code: int) -> None:
        """Tell everybody an error."""
        for conversation in self.conversations:
            conversation.refuse(code)

    def drop(self) -> None:
        """Cut every connection."""
        for conversation in self.conversations:
            conversation.socket.transport.abort()

    def subscribed(self, channel: str) -> set[str]:
        """Return the symbols of a channel, of all open connections."""
        return set().union(*(one.subscribed.get(channel, set()) for one in self.conversations))

    # of its conversations

    def is_full(self, conversation: Conversation) -> bool:
        """Say whether the endpoint has as many connections as the account may have."""
        others = [o for o in self.conversations if o.feed == conversation.feed and o.authenticated]
        return len(others) >= self.rules.connections

    def sent(self, conversation: Conversation, messages: list[Message]) -> None:
        """Keep what was sent."""
        number, now = self._numbers.get(conversation, 0), unix_ns()
        self.ledger += [Sent(now, number, conversation.feed, message) for message in messages]

    def heard(self, conversation: Conversation, said: Any) -> None:
        """Keep what a client said."""
        number = self._numbers.get(conversation, 0)
        self.heard_of.append(Heard(unix_ns(), number, conversation.feed, said))

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            found = feed_of(request.path) is not None
            return None if found else connection.respond(HTTPStatus.NOT_FOUND, "no such stream\n")
        self.asked.append(request.path)
        told = self.http or snapshots.answer(
            request.path, request.headers, self.snapshots, self.rules
        )
        body = told.body.encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        headers.update({"Connection": "close", **told.headers})
        return Response(told.status, HTTPStatus(told.status).phrase, headers, body)

    async def _talk(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        feed = feed_of(socket.request.path)
        assert feed is not None
        self.connects.append(unix_ns())
        packed = socket.request.headers.get("Content-Type") == "application/msgpack"
        conversation = Conversation(self, socket, feed, packed=packed)
        self._numbers[conversation] = len(self.connects)
        try:
            await (socket.wait_closed() if self.deaf else conversation.run())
        finally:
            del self._numbers[conversation]
