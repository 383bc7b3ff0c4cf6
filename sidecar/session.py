"""One supervised session: connected, watched, and connected again for as long as it runs.

    waiting ─► connecting ─► ready            docs/states.md has the table
       ▲            │          │
       └── failed ──┴── lost ──┘              any ─► stopped

Waits are 1, 2, 4, 8, 16, 32, 60, 60 … seconds by failures since the session was last ready.
Every step is checked against `domain.SESSION_TRANSITIONS` and noted in the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

import anyio
from ib_async import IB

from ibcore.clock import monotonic, utcnow
from ibcore.config import GatewaySettings, TickDefaults
from ibcore.domain import (
    SESSION_TRANSITIONS,
    Endpoint,
    Provider,
    SessionState,
    may_move,
)
from ibcore.errors import GatewayRefused, SessionFailed, SessionLost
from ibcore.link_states import LINK_TRANSITIONS, LinkState
from ibcore.log import get_logger
from ibcore.notices import Action, Notice, Scope
from ibcore.policy import backoff_s
from sidecar.ib_compat import make_ib
from sidecar.journal import Attempt, Entry, Step
from sidecar.link import Ending, Link, NoticeHandler, until_somebody_listens
from sidecar.tick_sink import TickSink

log = get_logger(__name__)

Wake = Callable[[], Awaitable[None]]
Waiter = Callable[[float, Wake], Awaitable[bool]]

VERIFIED: Final = "every line ticks"


class Notes(Protocol):
    """Where steps are written down; never waits."""

    def note(self, entry: Entry) -> None:
        """Take one entry."""


async def wait_out(seconds: float, wake: Wake) -> bool:
    """Wait `seconds`, or until `wake` returns; say whether it did."""
    with anyio.move_on_after(seconds):
        await wake()
        return True
    return False


def link_after(notice: Notice, *, verifies: bool) -> LinkState | None:
    """Return what a notice makes of the link; `verifies`: somebody checks that lines tick."""
    back = LinkState.suspect if verifies else LinkState.up
    match notice.scope, notice.action:
        case Scope.link, Action.mark_stale:
            return LinkState.lost
        case Scope.link, Action.resubscribe | Action.verify_lines:
            return back
        case Scope.farm, Action.mark_stale if verifies:
            return LinkState.suspect
    return None


class Session:
    """Supervises one connection of one role."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        role: str,
        gateway: GatewaySettings,
        defaults: TickDefaults,
        journal: Notes,
        sink: TickSink | None = None,
        provider: str = Provider.ib,
        on_ready: Callable[[IB], None] | None = None,
        on_lost: Callable[[str], None] | None = None,
        on_notice: NoticeHandler | None = None,
        waiter: Waiter = wait_out,
        sends_orders: bool = False,
        paces_itself: bool = False,
        verifies: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self.role = role
        self.state = SessionState.waiting
        self.failures = 0
        self.connects = 0
        self._gateway = gateway
        self._defaults = defaults
        self._journal = journal
        self._sink = sink
        self._provider = provider
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._on_notice = on_notice
        self._waiter = waiter
        # Who paces by himself, as orders do, must not wait in the library's queue too.
        paced = sends_orders or paces_itself
        self._messages_per_s = None if paced else gateway.messages_per_s
        self._sends_orders = sends_orders
        self._verifies = verifies
        self.link = LinkState.up
        self._link_code: int | None = None
        self._row: Attempt | None = None
        self._link: Link | None = None
        self._why_now: str | None = None
        self._is_ready = asyncio.Event()
        self._refused_until = 0.0

    @property
    def ib(self) -> IB | None:
        """Return the client while the session is ready."""
        if self.state is SessionState.ready and self._link is not None:
            return self._link.ib
        return None

    async def ready(self) -> IB:
        """Wait until the session is ready and return its client."""
        while (ib := self.ib) is None:
            await self._is_ready.wait()
        return ib

    def reconnect(self, why: str) -> None:
        """End the connection; another is opened as after any loss."""
        if self._link is not None:
            self._link.end(why)

    def refuse_for(self, seconds: float) -> None:
        """Let every attempt to connect fail for so long: a drill. Time alone ends it."""
        self._refused_until = monotonic() + seconds

    def verified(self) -> None:
        """Take that every line has shown that it lives: a suspect link is up."""
        if self.link is LinkState.suspect:
            self._move_link(LinkState.up, self._link_code, VERIFIED)

    async def run(self) -> None:
        """Connect, watch and connect again, until cancelled or for ever refused."""
        reason = "the sidecar stops"
        try:
            while True:
                ending = await self._connect_once()
                if not ending.error.retryable:
                    reason = str(ending.error)
                    raise ending.error
                await self._wait(ending)
        finally:
            self._move(SessionState.stopped, reason=reason)

    async def _connect_once(self) -> Ending:
        self._begin()
        if (left := self._refused_until - monotonic()) > 0:
            return Ending(SessionLost(f"A drill refuses connections for {left:.0f} s more."))
        ib = make_ib(self._defaults, self._sink, messages_per_s=self._messages_per_s)
        self._link = link = Link(
            ib,
            self.endpoint,
            self._gateway,
            on_notice=self._take_notice,
            sends_orders=self._sends_orders,
        )
        try:
            self._enter_ready(ib, await link.open())
            return await link.hold()
        except SessionFailed as failure:
            return link.ending or Ending(failure)
        finally:
            self._leave(link)
            await link.close()

    def _take_notice(self, req_id: int, notice: Notice, text: str) -> None:
        new = link_after(notice, verifies=self._verifies)
        if new is not None and may_move(LINK_TRANSITIONS, self.link, new):
            self._move_link(new, notice.code, text)
        if self._on_notice is not None:
            self._on_notice(req_id, notice, text)

    def _move_link(self, new: LinkState, code: int | None, why: str) -> None:
        self.link, self._link_code = new, code
        if self._row is None:
            return
        self._row = replace(self._row, link=new)
        step = Step(utcnow(), self.role, self.state, self.state, self._row.attempt, None, code, why)
        self._journal.note(Entry(step, self._row))

    def _begin(self) -> None:
        self.link = LinkState.up
        host, port, client_id = self.endpoint
        self._row = Attempt(
            role=self.role,
            provider=str(self._provider),
            host=host,
            port=port,
            client_id=client_id,
            state=SessionState.connecting,
            attempt=self.failures + 1,
            opened_at=utcnow(),
        )
        self._move(SessionState.connecting, reason=self._why_now)
        self._why_now = None

    def _enter_ready(self, ib: IB, connect_ms: float) -> None:
        assert self._row is not None
        self.failures = 0
        self.connects += 1
        self._row = replace(
            self._row,
            ready_at=self._not_before_opened(),
            connect_ms=connect_ms,
            server_version=ib.client.serverVersion(),
        )
        self._move(SessionState.ready)
        log.info("session_ready", role=self.role, at=str(self.endpoint), ms=round(connect_ms, 1))
        self._is_ready.set()
        if self._on_ready is not None:
            self._on_ready(ib)

    def _leave(self, link: Link) -> None:
        self._link = None
        self._is_ready.clear()
        if self.state is SessionState.ready and self._on_lost is not None:
            self._on_lost("the sidecar stops" if link.ending is None else str(link.ending.error))

    async def _wait(self, ending: Ending) -> None:
        self.failures += 1
        seconds = backoff_s(self.failures)
        self._move(
            SessionState.waiting, reason=str(ending.error), code=ending.code, backoff=seconds
        )
        log.warning("session_waits", role=self.role, seconds=seconds, why=str(ending.error))
        if await self._waiter(seconds, self._wake(ending)):
            self._why_now = f"Somebody listens again: the wait of {seconds:g} s was cut short."

    def _wake(self, ending: Ending) -> Wake:
        if not isinstance(ending.error, GatewayRefused):
            return anyio.sleep_forever
        # Nobody listens, so nobody is hammered: the wait may end when somebody does.
        return lambda: until_somebody_listens(self.endpoint, self._gateway.knock_s)

    def _move(
        self,
        new: SessionState,
        *,
        reason: str | None = None,
        code: int | None = None,
        backoff: float | None = None,
    ) -> None:
        old, self.state = self.state, new
        if not may_move(SESSION_TRANSITIONS, old, new):
            raise AssertionError(f"a session cannot go from {old} to {new}")
        row = self._row_after(new, reason)
        attempt = row.attempt if row is not None and backoff is None else self.failures
        step = Step(utcnow(), self.role, old, new, attempt, backoff, code, reason)
        self._journal.note(Entry(step, row))

    def _row_after(self, new: SessionState, reason: str | None) -> Attempt | None:
        if self._row is None:
            return None
        closing = new in {SessionState.waiting, SessionState.stopped}
        if closing and self._row.closed_at is None:
            self._row = replace(self._row, closed_at=self._not_before_opened(), close_reason=reason)
        self._row = replace(self._row, state=new)
        return self._row

    def _not_before_opened(self) -> datetime:
        # The wall clock may be set back in between; the database refuses to believe that.
        assert self._row is not None
        return max(utcnow(), self._row.opened_at)
