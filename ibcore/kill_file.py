"""The kill switch that needs no database: the file `IBKEEPER_HOME/KILL`. While it is there, stop.

What it says is for people; that it is there is what counts. A file, a folder, an unreadable
thing of that name all stop: only "there is none" is off.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ibcore.clock import utcnow
from ibcore.errors import IbkeeperError

NAME: Final = "KILL"
_LONGEST: Final = 500


def path(home: Path) -> Path:
    """Return where the file is looked for."""
    return home.expanduser().absolute() / NAME


def read(home: Path) -> str | None:
    """Return what the file says, or why it cannot be read; None: there is none."""
    file = path(home)
    try:
        file.lstat()
    except FileNotFoundError:
        return None
    except OSError as unreadable:
        return f"{file} cannot be read ({unreadable.strerror})"
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            text = " ".join(opened.read(_LONGEST).split())
    except OSError as unreadable:
        return f"{file} cannot be read ({unreadable.strerror})"
    return text or f"{file} is there"


def engage(home: Path, set_by: str, reason: str) -> Path:
    """Write the file, or raise; one that is there is left as it is."""
    file = path(home)
    text = f"{reason} ({set_by}, {utcnow():%Y-%m-%d %H:%M:%S} UTC)\n"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(handle)
    except FileExistsError:
        pass
    except OSError as refused:
        raise IbkeeperError(
            f"{file} could not be written: {refused.strerror}.",
            remedy="Nothing was stopped by it. Send SIGUSR1 to the sidecar, or stop the sidecar.",
        ) from None
    return file


def lift(home: Path) -> bool:
    """Remove the file; say whether there was one."""
    try:
        path(home).unlink()
    except FileNotFoundError:
        return False
    except OSError as refused:
        raise IbkeeperError(
            f"{path(home)} could not be removed: {refused.strerror}.",
            remedy="The kill switch is still on. Remove it by hand, then lift the switch again.",
        ) from None
    return True
