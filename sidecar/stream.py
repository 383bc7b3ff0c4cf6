"""The stream part of the sidecar, put together: session, watch list, liveness, alarm."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from ib_async import IB

from ibcore.config import Settings
from ibcore.domain import Endpoint
from ibcore.liveness.ward import TakeOver, nobody_takes_over
from ibcore.notices import Notice
from ibcore.policy import LineBudget
from sidecar.feed import Feed
from sidecar.incident_board import IncidentBoard
from sidecar.journal import Journal
from sidecar.line_journal import LineJournal
from sidecar.liveness import Liveness
from sidecar.session import Session
from sidecar.session_alarm import SessionAlarm
from sidecar.watch import Watcher

ROLE: Final = "stream"

Task = Callable[[], Coroutine[Any, Any, object]]


@dataclass(frozen=True, slots=True)
class Stream:
    """Everything that streams in one sidecar."""

    session: Session
    watcher: Watcher
    liveness: Liveness
    alarm: SessionAlarm
    lines: LineJournal

    def workers(self) -> dict[str, Task]:
        """Return what listens and cures: ended first."""
        return {
            "session stream": self.session.run,
            "watch": self.watcher.run,
            "liveness": self.liveness.run,
            "session alarm": self.alarm.run,
        }

    def keepers(self) -> dict[str, Task]:
        """Return what writes: ended last."""
        return {"lines": self.lines.run}


def assemble(
    settings: Settings,
    url: str,
    epoch: int,
    *,
    endpoint: Endpoint,
    feed: Feed,
    journal: Journal,
    incidents: IncidentBoard,
    budget: LineBudget,
    take_over: TakeOver = nobody_takes_over,
) -> Stream:
    """Make the parts and join them; nothing is started."""
    name = settings.sidecar.name
    watcher = Watcher(
        url,
        sidecar=name,
        sink=feed,
        budget=budget,
        client=lambda: session.ib,
        market_data_type=settings.gateway.market_data_type,
        poll_s=settings.sidecar.poll_s,
    )
    lines = LineJournal(url, sidecar=name, epoch=epoch)
    liveness = Liveness(
        watcher.lines,
        feed,
        session=lambda: session,
        journal=lines,
        incidents=incidents,
        sidecar=name,
        settings=settings.liveness,
        take_over=take_over,
    )
    session = _session(settings, endpoint, feed, journal, watcher=watcher, liveness=liveness)
    alarm = SessionAlarm(
        lambda: session.state,
        incidents,
        sidecar=name,
        windows=settings.gateway.windows,
        after_s=settings.liveness.session_down_s,
    )
    return Stream(session, watcher, liveness, alarm, lines)


def _session(
    settings: Settings,
    endpoint: Endpoint,
    feed: Feed,
    journal: Journal,
    *,
    watcher: Watcher,
    liveness: Liveness,
) -> Session:
    def on_ready(ib: IB) -> None:
        watcher.on_ready(ib)
        liveness.on_ready()

    def on_lost(reason: str) -> None:
        watcher.on_lost(reason)
        liveness.on_lost(reason)

    def on_notice(req_id: int, notice: Notice, text: str) -> None:
        # The line of a request is asked for first: the watch list may drop it.
        liveness.on_notice(req_id, notice, text)
        watcher.on_notice(req_id, notice, text)

    return Session(
        endpoint,
        role=ROLE,
        gateway=settings.gateway,
        defaults=settings.defaults,
        journal=journal,
        sink=feed,
        on_ready=on_ready,
        on_lost=on_lost,
        on_notice=on_notice,
        verifies=True,
    )
