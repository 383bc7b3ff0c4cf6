"""One process owns a folder or a file: a lock file that says which.

The lock is the kernel's and ends with the process, however it ends; the number in the file is
for people only.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from ibcore.errors import InstanceConflict


def own(lock: Path, *, what: str, remedy: str) -> IO[str]:
    """Return the held lock of `what` (close it to give it free), or raise InstanceConflict."""
    held = lock.open("a+", encoding="ascii")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.seek(0)
        owner = held.read().strip() or "unknown"
        held.close()
        raise InstanceConflict(f"{what} is in use by process {owner}.", remedy=remedy) from None
    held.truncate(0)
    held.write(f"{os.getpid()}\n")
    held.flush()
    return held
