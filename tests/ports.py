"""Ports for what listens later than its port is named, or never."""

from __future__ import annotations

import itertools
import os
import socket
from typing import Final

# Below what the system hands out to whoever asks for any port, and of this worker alone: between
# naming it and using it, no other test can be given it.
_FIRST, _MANY = 20_000, 1_000
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_OWN: Final = range(_FIRST + _MANY * _WORKER, _FIRST + _MANY * (_WORKER + 1))
_NEXT: Final = itertools.islice(itertools.cycle(_OWN), os.getpid() % _MANY, None)


def free_port() -> int:
    """Return a port that nobody listens on, another one at each call."""
    for port in _NEXT:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("an endless iterator ended")
