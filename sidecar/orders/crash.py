"""Named places at which a test kills this process as the out-of-memory killer would.

`IBKEEPER_TEST_CRASH_AT=after_submitting:FILE` in the environment: dies there as soon as FILE is
there. Without the variable `point` is a comparison.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

_AT: Final = os.environ.get("IBKEEPER_TEST_CRASH_AT", "")
_PLACE, _, _ARMED = _AT.partition(":")


def point(name: str) -> None:
    """Die here, at once, if a test said so."""
    if _AT and name == _PLACE and Path(_ARMED).exists():
        os.kill(os.getpid(), signal.SIGKILL)
