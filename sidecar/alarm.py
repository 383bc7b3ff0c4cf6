"""What the sidecar does so that people are told: delivers alerts, pings outside, minds Prefect.

Prefect's flow connection-sla minds the sidecar; this minds connection-sla: each is the other's
dead-man switch.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

import anyio

from ibcore import db
from ibcore.alerts.heartbeat import ping
from ibcore.alerts.office import Office
from ibcore.clock import monotonic
from ibcore.config import Settings
from ibcore.errors import DatabaseUnavailable
from ibcore.incidents import Incident, IncidentKind
from ibcore.log import get_logger
from sidecar.incident_board import IncidentBoard

log = get_logger(__name__)

# A silence is noticed so much later than it began, at most.
LOOKS_A_SILENCE: Final = 20

Task = Callable[[], Coroutine[Any, Any, object]]


def assemble(settings: Settings, url: str, board: IncidentBoard) -> dict[str, Task]:
    """Return what runs until the sidecar has said its last word."""
    office = Office(settings.alerts)
    silent_s = settings.prefect.silent_s
    mind = PrefectMind(url, board, sidecar=settings.sidecar.name, silent_s=silent_s)
    tasks: dict[str, Task] = {"alerts": lambda: office.run(url), "prefect mind": mind.run}
    outside = settings.alerts.heartbeat_url
    if outside is not None:
        tasks["outside heartbeat"] = lambda: ping(outside, every_s=settings.alerts.heartbeat_s)
    return tasks


class PrefectMind:
    """Says when connection-sla has been silent: then Prefect runs no flow at all.

    Where it never ran nobody misses it: some run the sidecar without Prefect.
    """

    def __init__(
        self, url: str, board: IncidentBoard, *, sidecar: str, silent_s: float = 600.0
    ) -> None:
        self._url = url
        self._board = board
        self._sidecar = sidecar
        self._silent_s = silent_s
        self._look_s = silent_s / LOOKS_A_SILENCE
        self._since = monotonic()

    async def run(self) -> NoReturn:
        """Look for ever; a database that is away is somebody else's news."""
        while True:
            try:
                async with db.opened(self._url, application="prefect mind") as conn:
                    while True:
                        await self.look(conn)
                        await anyio.sleep(self._look_s)
            except DatabaseUnavailable:
                self._since = monotonic()  # nobody can say that it was silent meanwhile
                await anyio.sleep(self._look_s)

    async def look(self, conn: db.Connection) -> None:
        """Open the incident, or close it; a silence from before our own start does not count."""
        with db.translated():
            found = await (await conn.execute(db.QUERIES["sla_check_age"])).fetchone()
        age_s = None if found is None else found[0]
        if age_s is None or min(age_s, monotonic() - self._since) < self._silent_s:
            if age_s is not None and age_s < self._silent_s:
                self._board.close(IncidentKind.sla_check_silent, "prefect", "it looks again")
            return
        self._board.open(
            Incident(
                IncidentKind.sla_check_silent,
                "prefect",
                f"The flow connection-sla has not looked for {age_s / 60:.0f} minutes: Prefect or "
                "its worker is down. Recording goes on; no flow runs: no snapshots, no batches.",
                f"sidecar {self._sidecar}",
                {"age_s": round(age_s)},
            )
        )
