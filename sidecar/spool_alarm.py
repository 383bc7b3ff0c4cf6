"""The spool's level, told to people: an incident from 80 % of the cap until there is room again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ibcore.incidents import Incident, IncidentKind, Severity
from ibcore.log import get_logger
from sidecar.incident_board import IncidentBoard
from sidecar.room import Room

log = get_logger(__name__)

_MEANING: Final = {
    Room.low: "Everything is kept.",
    Room.full: "Trades are kept whole, of everything else the newest a second.",
    Room.over: "Only trades are kept.",
}


def spool_told(board: IncidentBoard, sidecar: str, *, cap_mib: int) -> Callable[[Room, int], None]:
    """Return what a recorder's gauge calls when the level changes."""

    def tell(room: Room, used: int) -> None:
        mib = used >> 20
        say = log.warning if room else log.info
        say("spool_room", room=room.name, mib=mib, of=cap_mib)
        if room is Room.enough:
            board.close(IncidentKind.spool_filling, sidecar, f"{mib} of {cap_mib} MiB are in use")
            return
        board.open(
            Incident(
                IncidentKind.spool_filling,
                sidecar,
                f"The spool of the sidecar {sidecar} holds {mib} of {cap_mib} MiB: the database "
                f"does not take rows as fast as they come. {_MEANING[room]}",
                f"sidecar {sidecar}",
                {"mib": mib, "of_mib": cap_mib, "level": room.name},
                severity=Severity.critical if room >= Room.full else None,
            )
        )

    return tell
