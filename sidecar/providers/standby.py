"""A second IB gateway, connected and subscribed all the time, read-only.

Its user has his own market-data lines, so it has a budget of its own; it never sends an order and
never writes the watch list: what it cannot have is not a failed line of the watch list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ib_async import IB

from ibcore.config import GatewaySettings, TickDefaults
from ibcore.domain import Endpoint, Provider, SessionState, WatchState
from ibcore.liveness.health import Cure
from ibcore.liveness.patient import CureNote
from ibcore.log import get_logger
from ibcore.notices import Notice
from ibcore.policy import LineBudget
from sidecar.lines import Lines, Wanted
from sidecar.providers.backup import Task
from sidecar.providers.gated_feed import GatedFeed
from sidecar.session import Notes, Session

log = get_logger(__name__)

ROLE: Final = "standby"


class Standby:
    """The standby gateway as a backup provider."""

    def __init__(
        self,
        endpoint: Endpoint,
        feed: GatedFeed,
        *,
        gateway: GatewaySettings,
        defaults: TickDefaults,
        journal: Notes,
    ) -> None:
        self.feed = feed
        self.lines = Lines(
            feed,
            LineBudget(gateway.lines),
            market_data_type=gateway.market_data_type,
            report=self._report,
        )
        self._wanted: dict[int, Wanted] = {}
        self._refused: dict[int, Wanted] = {}
        self.session = Session(
            endpoint,
            role=ROLE,
            provider=Provider.standby,
            gateway=gateway,
            defaults=defaults,
            journal=journal,
            sink=feed,
            on_ready=self._on_ready,
            on_lost=self.lines.lost,
            on_notice=self._on_notice,
        )

    @property
    def provider(self) -> Provider:
        """Return who it is."""
        return Provider.standby

    @property
    def is_ready(self) -> bool:
        """Say whether its session is up."""
        return self.session.state is SessionState.ready

    def workers(self) -> dict[str, Task]:
        """Return its task."""
        return {"session standby": self.session.run}

    def want(self, lines: Sequence[Wanted]) -> None:
        """Subscribe what is new, cancel what is gone; a refused line waits for a new session."""
        wanted = self._wanted = {one.watch_id: one for one in lines}
        for watch_id, held in self.lines.wanted().items():
            now = wanted.get(watch_id)
            if now is None or not _is_same(now, held):
                self.lines.release(watch_id)
        for watch_id, one in wanted.items():
            refused = self._refused.get(watch_id)
            if watch_id not in self.lines and not (refused and _is_same(refused, one)):
                self.lines.hold(one)
                self._refused.pop(watch_id, None)

    def events(self, instrument_id: int) -> int:
        """Return how many ticks were heard of an instrument."""
        return self.feed.events(instrument_id)

    def activate(self, instrument_id: int) -> None:
        """Take that its rows are recorded from now on."""
        self.feed.activate(instrument_id)

    def cure(self, note: CureNote) -> None:
        """Do what was decided about a silent line."""
        if note.cure is Cure.re_request and note.instrument_id is not None:
            self.lines.ask_again(note.instrument_id)
        elif note.cure is Cure.reconnect:
            self.session.reconnect("Most lines of the standby are silent.")

    def _on_ready(self, ib: IB) -> None:
        self._refused.clear()
        self.lines.connected(ib)

    def _on_notice(self, req_id: int, notice: Notice, text: str) -> None:
        self.lines.notice(req_id, notice, text)

    def _report(self, watch_id: int, state: WatchState, reason: str | None) -> None:
        log.debug("standby_line", watch_id=watch_id, state=str(state), why=reason)
        if state is WatchState.failed and watch_id in self._wanted:
            self._refused[watch_id] = self._wanted[watch_id]


def _is_same(one: Wanted, other: Wanted) -> bool:
    return _asks_for(one) == _asks_for(other)


def _asks_for(wanted: Wanted) -> tuple[object, ...]:
    return wanted.line, wanted.contract, wanted.generic_ticks
