"""The sweep connections: chains, listings, history. One by default; a second doubles their pace.

What is sent on them goes through their pacers, not through ib_async's queue, whose timers give
away a third of the messages that IB allows.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from ib_async import IB

from ibcore.config import Settings
from ibcore.domain import Endpoint
from ibcore.policy import Pacer
from sidecar.chain_reading import Lane
from sidecar.journal import Journal
from sidecar.session import Session
from sidecar.tap import LineTap

# Role and distance from the first client id; n + 2 is the orders session's.
ROLES: Final = (("sweep", 1), ("sweep2", 3))

Task = Callable[[], Coroutine[Any, Any, object]]


class SweepPart:
    """The sessions, each with its ear and its pace."""

    def __init__(self, sessions: list[Session], lanes: list[Lane]) -> None:
        self.session = sessions[0]
        self.lanes = lanes
        self.sessions = tuple(sessions)

    @property
    def pacer(self) -> Pacer:
        """Return the pace of the first connection."""
        return self.lanes[0].pacer

    def workers(self) -> dict[str, Task]:
        """Return what runs."""
        return {f"session {session.role}": session.run for session in self.sessions}


def assemble(
    settings: Settings, *, endpoint: Callable[[int], Endpoint], journal: Journal
) -> SweepPart:
    """Make as many connections as are configured; nothing is started."""
    sessions: list[Session] = []
    lanes: list[Lane] = []
    for role, offset in ROLES[: settings.gateway.sweep_connections]:
        tap = LineTap()
        session = _session(settings, role, endpoint(offset), tap=tap, journal=journal)
        sessions.append(session)
        lanes.append(Lane(session, tap, Pacer(settings.gateway.messages_per_s)))
    return SweepPart(sessions, lanes)


def _session(
    settings: Settings, role: str, endpoint: Endpoint, *, tap: LineTap, journal: Journal
) -> Session:
    def on_ready(ib: IB) -> None:
        ib.client.reqMarketDataType(settings.gateway.market_data_type)

    return Session(
        endpoint,
        role=role,
        gateway=settings.gateway,
        defaults=settings.defaults,
        journal=journal,
        sink=tap,
        on_ready=on_ready,
        paces_itself=True,
    )
