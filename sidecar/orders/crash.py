"""Named places at which a test kills this process as the out-of-memory killer would.

`IBKEEPER_TEST_CRASH_AT=after_submitting` in the environment; without it `point` is a comparison.
"""

from __future__ import annotations

import os
import signal
from typing import Final

_AT: Final = os.environ.get("IBKEEPER_TEST_CRASH_AT", "")


def point(name: str) -> None:
    """Die here, at once, if a test said so."""
    if name == _AT:
        os.kill(os.getpid(), signal.SIGKILL)
