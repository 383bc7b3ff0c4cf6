"""What a drill does to the stream session; each fault ends by the sidecar's own clock.

Nobody has to end one: the flow that asked may be killed, the database may be away, this task may
be cancelled. `mute` is ended by a timer of the loop, `refuse` by a time that has passed.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from ib_async import IB

from ibcore.domain import SessionState
from ibcore.drill import Scenario


class Drilled(Protocol):
    """The session that is drilled."""

    state: SessionState

    @property
    def ib(self) -> IB | None:
        """Return the client while the session is ready."""

    def refuse_for(self, seconds: float) -> None:
        """Let every attempt to connect fail for so long."""


class Deaf(Protocol):
    """A feed that can be told to hear nothing."""

    def deafen(self) -> None:
        """Hear nothing until `listen`."""

    def listen(self) -> None:
        """Hear again."""


def deafen(feed: Deaf, hold_s: float) -> None:
    """Let a feed hear nothing for so long; the loop's own timer ends it."""
    feed.deafen()
    asyncio.get_running_loop().call_later(hold_s, feed.listen)


def inflict(session: Drilled, scenario: Scenario, hold_s: float) -> None:
    """Begin the fault; the session must be ready."""
    ib = session.ib
    transport = None if ib is None else ib.client.conn.transport
    if transport is None:
        return
    if scenario is Scenario.mute:
        transport.pause_reading()
        asyncio.get_running_loop().call_later(hold_s, _unmute, transport)
        return
    if scenario in (Scenario.refuse, Scenario.standby):
        session.refuse_for(hold_s)
    transport.abort()


def _unmute(transport: asyncio.Transport) -> None:
    # The session noticed and has cut it: then there is nothing to read any more.
    if not transport.is_closing() and not transport.is_reading():
        transport.resume_reading()
