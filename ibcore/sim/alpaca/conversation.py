"""One websocket: welcome, authentication, subscriptions, then frames until somebody goes.

What is to be sent waits in a queue of `OUTGOING` frames; a client that lets it fill is told 407
and closed, as the vendor does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from ibcore.sim.alpaca import frames
from ibcore.sim.alpaca.frames import Message
from ibcore.sim.alpaca.rules import OPTION_FEEDS, Rules, error

OUTGOING: Final = 1_000
_STOCK_CHANNELS: Final = (
    *("trades", "quotes", "bars", "updatedBars", "dailyBars"),
    *("statuses", "lulds", "corrections", "cancelErrors"),
)
_OPTION_CHANNELS: Final = ("trades", "quotes")
_CHANNEL_OF: Final = {"q": "quotes", "t": "trades", "c": "corrections", "x": "cancelErrors"}
_FOLLOW_TRADES: Final = ("corrections", "cancelErrors")


class House(Protocol):
    """What a conversation needs of its server."""

    rules: Rules
    silent: bool
    slow_s: float

    def is_full(self, conversation: Conversation) -> bool:
        """Say whether the endpoint has as many connections as the account may have."""

    def sent(self, conversation: Conversation, messages: list[Message]) -> None:
        """Keep what was sent."""

    def heard(self, conversation: Conversation, said: Any) -> None:
        """Keep what a client said."""


class Conversation:
    """One client on one feed."""

    def __init__(self, house: House, socket: ServerConnection, feed: str, *, packed: bool) -> None:
        self.feed = feed
        self.socket = socket
        self.packed = packed
        self.authenticated = False
        channels = _OPTION_CHANNELS if self.is_option else _STOCK_CHANNELS
        self.subscribed: dict[str, set[str]] = {channel: set() for channel in channels}
        self._house = house
        self._outgoing: asyncio.Queue[list[Message]] = asyncio.Queue(OUTGOING)

    @property
    def is_option(self) -> bool:
        """Whether the feed is one of options."""
        return self.feed in OPTION_FEEDS

    async def run(self) -> None:
        """Talk until the socket closes."""
        sender = asyncio.create_task(self._send_all(), name="alpaca sender")
        timer = asyncio.create_task(self._expire(), name="alpaca auth timer")
        try:
            self.say({"T": "success", "msg": "connected"})
            async for frame in self.socket:
                self._take(frame)
        except ConnectionClosed:
            pass
        finally:
            for task in (sender, timer):
                task.cancel()
            await asyncio.gather(sender, timer, return_exceptions=True)

    def offer(self, messages: list[Message]) -> None:
        """Send those of the messages that are subscribed, in one frame."""
        if self._house.silent or not self.authenticated:
            return
        if wanted := [message for message in messages if self._wants(message)]:
            self.say(*wanted)

    def say(self, *messages: Message) -> None:
        """Send one frame."""
        try:
            self._outgoing.put_nowait(list(messages))
        except asyncio.QueueFull:
            self._outgoing = asyncio.Queue(OUTGOING)
            self.refuse(407)

    def refuse(self, code: int) -> None:
        """Send an error."""
        self.say(error(code))

    def _wants(self, message: Message) -> bool:
        symbols = self.subscribed.get(_CHANNEL_OF.get(message["T"], ""), set())
        return message["S"] in symbols or "*" in symbols

    async def _send_all(self) -> None:
        while True:
            messages = await self._outgoing.get()
            await asyncio.sleep(self._house.slow_s)
            await self.socket.send(frames.encode(messages, packed=self.packed))
            self._house.sent(self, messages)
            if messages[0].get("code") in (404, 407):
                await self.socket.close()

    async def _expire(self) -> None:
        await asyncio.sleep(self._house.rules.auth_s)
        if not self.authenticated:
            self.refuse(404)

    def _take(self, frame: str | bytes) -> None:
        try:
            said = frames.decode(frame)
        except ValueError:
            said = None
        self._house.heard(self, said)
        if not isinstance(said, Mapping):
            self.refuse(400)
        elif said.get("action") == "auth":
            self._authenticate(said)
        elif not self.authenticated:
            self.refuse(401)
        elif said.get("action") in ("subscribe", "unsubscribe"):
            self._subscribe(said)
        else:
            self.refuse(400)

    def _authenticate(self, said: Mapping[str, Any]) -> None:
        rules = self._house.rules
        if self.authenticated:
            self.refuse(403)
        elif self.is_option and not self.packed:
            self.refuse(412)
        elif (said.get("key"), said.get("secret")) != (rules.key_id, rules.secret_key):
            self.refuse(402)
        elif self.feed not in rules.feeds:
            self.refuse(409)
        elif self._house.is_full(self):
            self.refuse(406)
        else:
            self.authenticated = True
            self.say({"T": "success", "msg": "authenticated"})

    def _subscribe(self, said: Mapping[str, Any]) -> None:
        asked = {name: set(symbols) for name, symbols in said.items() if name != "action"}
        if not asked.keys() <= self.subscribed.keys():
            self.refuse(410)
            return
        if self.is_option and "*" in asked.get("quotes", ()):
            self.refuse(413)
            return
        adds = said["action"] == "subscribe"
        after = {
            name: known | asked.get(name, set()) if adds else known - asked.get(name, set())
            for name, known in self.subscribed.items()
        }
        limit = self._house.rules.symbols
        if adds and limit is not None and len(set().union(*after.values())) > limit:
            self.refuse(405)
            return
        for name in _FOLLOW_TRADES if not self.is_option else ():
            after[name] = set(after["trades"])
        self.subscribed = after
        listed = {name: sorted(symbols) for name, symbols in after.items()}
        self.say({"T": "subscription", **listed})
