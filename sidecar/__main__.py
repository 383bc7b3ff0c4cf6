"""`python -m sidecar`: settings in, exit code out; what went wrong is one line, never a traceback.

Exit codes: 0 stopped as asked · 1 failed · 3 configuration refused · 4 another sidecar of the
same name holds the lock.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import anyio

from ibcore import log
from ibcore.config import load
from ibcore.errors import IbkeeperError
from sidecar.app import serve

# A thread that waits for the database needs the interpreter back some ten times a transaction, and
# each time a loop that is busy sealing may keep it this long. Python's own 5 ms cost a fifth of the
# rows a second at full load; live latency at 10,000/s and the replay are the same with either.
TURN_S: Final = 0.0005


def main() -> int:
    """Run the sidecar and return its exit code."""
    sys.setswitchinterval(TURN_S)
    try:
        settings = load()
        log.configure(settings.log)
        take_priority(settings.sidecar.nice)
        anyio.run(serve, settings, backend_options=loop_options())
    except KeyboardInterrupt:
        return IbkeeperError.exit_code
    except Exception as failure:
        known = named(failure)
        if known is None:
            raise
        sys.stderr.write(log.mask(f"sidecar: {known}\n"))
        return known.exit_code
    return 0


def take_priority(nice: int) -> None:
    """Go before other processes where the system allows it; threads begin with what this one has.

    What a process that is not let run has not read is lost with it when it is killed, and is late.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except PermissionError:
        remedy = "CAP_SYS_NICE (LimitNICE= of a service), or another IBKEEPER_SIDECAR__NICE"
        log.get_logger(__name__).info("priority_refused", nice=nice, remedy=remedy)


def loop_options() -> dict[str, Any]:
    """Ask for uvloop where it is installed; asyncio's own loop does the same with more CPU."""
    try:
        import uvloop
    except ImportError:
        return {}
    return {"loop_factory": uvloop.new_event_loop}


def named(failure: BaseException) -> IbkeeperError | None:
    """Return the error that ibkeeper has a name for, however task groups have wrapped it."""
    if isinstance(failure, IbkeeperError):
        return failure
    for inner in getattr(failure, "exceptions", ()):
        if (found := named(inner)) is not None:
            return found
    return None


if __name__ == "__main__":
    sys.exit(main())
