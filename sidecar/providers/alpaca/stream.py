"""One websocket to Alpaca: connected, authenticated, subscribed, watched, and connected again.

    waiting ─► connecting ─► up        waits: 1, 2, 4 … 60 s by failures, `denied_s` when denied
       ▲           │          │
       └── failed ─┴── lost ──┘

Nothing that the network or the vendor does is raised out of `run`. A dead connection is seen by
its pings, a living one that is silent in market hours by `silent_s`. What comes is taken in the
turn in which it is read; what waits is at most `QUEUED` frames, then the vendor waits, or ends a
client that is too slow (407).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import anyio
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ibcore.clock import monotonic, now_us, utcnow
from ibcore.errors import (
    GatewayTimeout,
    SessionFailed,
    SessionLost,
    VendorDenied,
)
from ibcore.log import get_logger
from ibcore.policy import backoff_s
from sidecar.providers.alpaca import codes
from sidecar.providers.alpaca.door import (
    CLOSE_S,
    LATER,
    Keys,
    Pace,
    closed_by,
    opened,
    refusal,
)
from sidecar.providers.alpaca.subscription import Batch, Subscription, Topic
from sidecar.providers.alpaca.wire import Message, decode, encode

log = get_logger(__name__)

_CONTROL: Final = frozenset({"success", "error", "subscription"})


class Ear(Protocol):
    """Who hears the messages."""

    def take(self, messages: Sequence[Message], recv_us: int) -> None:
        """Take the data messages of one frame."""


class VendorStream:
    """Supervises one stream; `name` is its feed."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        keys: Keys,
        ear: Ear,
        on_lost: Callable[[], None],
        pace: Pace,
        always: bool,
    ) -> None:
        self.name = name
        self.is_up = False
        self.failure: SessionFailed | None = None
        self.left_out: frozenset[str] = frozenset()  # beyond what the account may have
        self._url = url
        self._keys = keys
        self._ear = ear
        self._on_lost = on_lost
        self._pace = pace
        self._always = always
        self._failures = 0
        self._topics = Subscription()
        self._asked = asyncio.Event()
        self._answers: asyncio.Queue[int] = asyncio.Queue(1)
        self._heard_at = 0.0

    @property
    def is_denied(self) -> bool:
        """Say whether a person must act before it can come up."""
        return isinstance(self.failure, VendorDenied)

    def want(self, topics: Sequence[Topic]) -> None:
        """Take what shall be subscribed, the most important first."""
        if self._topics.want(topics):
            self._look_at_limit()
            self._asked.set()

    async def run(self) -> None:
        """Keep a connection up until cancelled; unless `always`, once something is wanted."""
        while True:
            while not (self._always or self._topics.wanted):
                self._asked.clear()
                await self._asked.wait()
            began = monotonic()
            failed = await self._live()
            wait_s = self._wait_after(failed, held_s=monotonic() - began)
            log.warning(
                "alpaca_stream_down",
                stream=self.name,
                why=str(failed),
                kind=type(failed).__name__,
                retry_in_s=wait_s,
            )
            await anyio.sleep(wait_s)

    def _wait_after(self, failed: SessionFailed, *, held_s: float) -> float:
        if self.failure is None and held_s >= self._pace.steady_s:
            self._failures = 0
        self._failures += 1
        self.failure = failed
        waits_s = backoff_s(self._failures)
        return max(waits_s, self._pace.denied_s) if self.is_denied else waits_s

    async def _live(self) -> SessionFailed:
        try:
            async with self._opened() as socket:
                self._up()
                return await self._talk(socket)
        except SessionFailed as failed:
            return failed
        finally:
            if self.is_up:
                self.is_up = False
                self._on_lost()

    def _up(self) -> None:
        self.is_up, self.failure = True, None
        self._heard_at = monotonic()
        self._topics.begin()
        self._look_at_limit()
        log.info("alpaca_stream_up", stream=self.name)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[ClientConnection]:
        socket = await opened(self.name, self._url, keys=self._keys, pace=self._pace)
        try:
            yield socket
        finally:
            with anyio.move_on_after(CLOSE_S, shield=True):
                await socket.close()
            socket.transport.abort()

    # connected

    async def _talk(self, socket: ClientConnection) -> SessionFailed:
        """Do all three until one of them fails, and return why."""
        failures: list[SessionFailed] = []
        async with anyio.create_task_group() as parts:

            async def until_it_fails(part: Callable[[ClientConnection], Awaitable[None]]) -> None:
                try:
                    await part(socket)
                except ConnectionClosed as closed:
                    failures.append(closed_by(self.name, closed))
                except SessionFailed as failed:
                    failures.append(failed)
                parts.cancel_scope.cancel()

            for part in (self._read, self._subscribe, self._watch):
                parts.start_soon(until_it_fails, part)
        return failures[0]

    async def _read(self, socket: ClientConnection) -> None:
        while True:
            messages = decode(await socket.recv())
            # Control messages come alone.
            if len(messages) == 1 and messages[0].get("T") in _CONTROL:
                self._control(messages[0])
                continue
            self._heard_at = monotonic()
            self._ear.take(messages, now_us())

    def _control(self, told: Message) -> None:
        if told["T"] == "error":
            code = told.get("code")
            if not isinstance(code, int) or code not in codes.ANSWERS or self._answers.full():
                raise refusal(self.name, told)
            self._answers.put_nowait(code)
        elif told["T"] == "subscription" and not self._answers.full():
            self._answers.put_nowait(0)

    async def _subscribe(self, socket: ClientConnection) -> None:
        while True:
            batch = self._topics.due()
            if batch is None:
                self._asked.clear()
                await self._asked.wait()
                continue
            self._answers = asyncio.Queue(1)  # what came unasked is no answer
            await socket.send(encode(batch.said()))
            self._settle(batch, await self._answer())

    async def _answer(self) -> int:
        with anyio.move_on_after(self._pace.answer_s):
            return await self._answers.get()
        raise GatewayTimeout(
            f"Alpaca's stream {self.name} did not acknowledge a subscription.", remedy=LATER
        )

    def _settle(self, batch: Batch, code: int) -> None:
        if not code:
            self._topics.settle(batch)
            return
        refused = codes.refused(f"a subscription on {self.name}", code, "")
        if code != codes.SYMBOL_LIMIT or not batch.adds:
            raise refused
        self._topics.too_many(batch)
        self._look_at_limit()
        if self.left_out:
            log.warning(
                "alpaca_symbol_limit",
                stream=self.name,
                taken=self._topics.capacity,
                left_out=len(self.left_out),
                symbols=sorted(self.left_out)[:20],
                why=str(refused),
            )

    def _look_at_limit(self) -> None:
        self.left_out = frozenset(topic.symbol for topic in self._topics.left_out)

    async def _watch(self, _socket: ClientConnection) -> None:
        silent_s = self._pace.silent_s
        while True:
            await anyio.sleep(silent_s / 4)
            quiet_s = monotonic() - self._heard_at
            if quiet_s < silent_s or not self._topics.held:
                continue
            # The first question loads the calendars, which takes seconds.
            if await anyio.to_thread.run_sync(self._pace.is_open, utcnow()):
                raise SessionLost(
                    f"Alpaca's stream {self.name} said nothing for {quiet_s:.0f} s.", remedy=LATER
                )
