"""Tells a person when the stream session stays away, except in the windows that are planned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio

from ibcore.clock import monotonic, utcnow
from ibcore.domain import SessionState
from ibcore.incidents import Incident, IncidentKind
from ibcore.windows import Windows
from sidecar.incident_board import IncidentBoard

EVERY_S: Final = 1.0


class SessionAlarm:
    """Opens `session_down` after `after_s` without a session; a planned window delays it."""

    def __init__(
        self,
        state: Callable[[], SessionState],
        incidents: IncidentBoard,
        *,
        sidecar: str,
        windows: Windows,
        after_s: float,
    ) -> None:
        self._state = state
        self._incidents = incidents
        self._sidecar = sidecar
        self._windows = windows
        self._after_s = after_s
        self._down_since: float | None = None
        self._told = False

    async def run(self) -> None:
        """Look once a second until cancelled."""
        while True:
            self.look()
            await anyio.sleep(EVERY_S)

    def look(self) -> None:
        """Look at the session once."""
        if self._state() is SessionState.ready:
            self._down_since = None
            if self._told:
                self._told = False
                self._incidents.close(IncidentKind.session_down, self._sidecar, "it is ready again")
            return
        now = monotonic()
        if self._down_since is None:
            self._down_since = now
        if self._windows.planned(utcnow()) is not None:
            self._down_since = max(self._down_since, now)  # counted from the window's end
        elif not self._told and now - self._down_since >= self._after_s:
            self._told = True
            self._incidents.open(self._incident(now - self._down_since))

    def _incident(self, seconds: float) -> Incident:
        summary = f"No session with the gateway for {seconds:.0f} s; it is tried again and again."
        return Incident(
            IncidentKind.session_down, self._sidecar, summary, f"sidecar {self._sidecar}"
        )
