"""Rows of `provider_switch`, written whenever the database is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ibcore import db
from ibcore.failover import Switch
from sidecar.outbox import Outbox

# For the status page, which also works while the database is away.
RECENT: Final = 500


class Switched(NamedTuple):
    """What was switched at one moment."""

    number: int
    at: datetime
    switches: Sequence[Switch]


class SwitchJournal(Outbox[Switched]):
    """Writes each switch once, whenever it is told."""

    def __init__(self, url: str, *, sidecar: str, epoch: int) -> None:
        super().__init__(url, self._store, name="switches")
        self._owner = {"sidecar": sidecar, "epoch": epoch}
        self.recent: deque[Switched] = deque(maxlen=RECENT)

    def note(self, switched: Switched) -> None:
        """Queue what was switched; never waits."""
        self.recent.append(switched)
        self.put(switched)

    async def _store(self, connection: db.Connection, entry: Switched) -> None:
        moment = self._owner | {"number": entry.number, "at": entry.at}
        rows = [
            moment
            | switch._asdict()
            | {
                "from_provider": str(switch.from_provider),
                "to_provider": str(switch.to_provider),
                "cause": str(switch.cause),
            }
            for switch in entry.switches
        ]
        async with connection.cursor() as cursor:
            await cursor.executemany(db.QUERIES["note_provider_switch"], rows)
