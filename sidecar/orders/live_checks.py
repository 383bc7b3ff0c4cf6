"""Where live trading is allowed: nothing is sent until the doctor finds nothing that failed.

Asked at the start of the sidecar, and again until it is well; then never more. Recording goes on
meanwhile, and what works at IB can be cancelled. Where only paper may trade, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import anyio

from ibcore.doctor.finding import Finding, require_healthy
from ibcore.errors import LiveRefused
from ibcore.incidents import Incident, IncidentKind
from ibcore.log import get_logger
from sidecar.incident_board import IncidentBoard

log = get_logger(__name__)

AGAIN_S: Final = 15.0
Examine = Callable[[], Awaitable[Sequence[Finding]]]


class LiveChecks:
    """Holds the gate shut until an examination has found nothing that failed."""

    def __init__(
        self, examine: Examine, incidents: IncidentBoard, *, sidecar: str, again_s: float = AGAIN_S
    ) -> None:
        self._examine = examine
        self._incidents = incidents
        self._sidecar = sidecar
        self._again_s = again_s
        self._why: str | None = "live trading: the checks of ibkeeper doctor have not ended yet"

    def why(self) -> str | None:
        """Return why nothing may be sent, or None when it may."""
        return self._why

    async def run(self) -> None:
        """Look until all is well."""
        while True:
            if await self._well():
                break
            await anyio.sleep(self._again_s)
        log.info("live_checks_passed")
        self._incidents.close(IncidentKind.live_refused, self._sidecar, "the doctor is content")

    async def _well(self) -> bool:
        try:
            require_healthy(await self._examine())
        except LiveRefused as refused:
            self._refuse(refused)
            return False
        except Exception as bug:
            # A fault of the doctor shuts the gate; it must not end the recording.
            log.exception("live_checks_broken")
            self._refuse(LiveRefused(f"The checks broke: {type(bug).__name__}. Nothing was sent."))
            return False
        self._why = None
        return True

    def _refuse(self, refused: LiveRefused) -> None:
        if self._why != str(refused):
            log.error("live_refused", why=str(refused))
        self._why = str(refused)
        about = f"sidecar {self._sidecar}"
        self._incidents.open(
            Incident(IncidentKind.live_refused, self._sidecar, str(refused), about)
        )
