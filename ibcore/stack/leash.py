"""Become a program that cannot outlive whoever started it.

`python -I -S leash.py PARENT_PID PROGRAM ARGUMENT…` asks the kernel for SIGTERM at the death of
the parent and then execs the program, so `ps` shows the program alone. Only Linux has this
(prctl(2), PR_SET_PDEATHSIG); elsewhere the guardian alone cleans up after a killed parent.
Standard library only: this runs before any package is importable.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def main(argv: Sequence[str]) -> NoReturn:
    """Tie this process to the parent, then become the program."""
    parent, *program = argv
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have died between fork and prctl: then no signal will ever come.
        if os.getppid() != int(parent):
            sys.exit("the process that started this one has gone")
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
