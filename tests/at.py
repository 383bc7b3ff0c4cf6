"""Run a command as if it were another moment: `python -m tests.at "2026-12-31 23:50" make test`.

Every process under it, PostgreSQL and the browser too, sees that wall clock (UTC), which goes on
from there. What depends on the day or the hour shows itself: a window of the gateway, the last
days of a year, a market that is open. Needs a C compiler and glibc.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from ibcore.clock import utcnow


def main() -> int:
    """Run it and return its exit code."""
    if len(sys.argv) < 3:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    then = datetime.fromisoformat(sys.argv[1]).replace(tzinfo=timezone.utc)
    with tempfile.TemporaryDirectory(prefix="ibk-at-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another account
        library = Path(folder) / "at.so"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
        # It may run under itself, and its own clock is moved then.
        shift = round((then - utcnow()).total_seconds()) + int(os.environ.get("SHIFT_S", 0))
        environ = {**os.environ, "LD_PRELOAD": str(library), "SHIFT_S": str(shift)}
        return subprocess.run(sys.argv[2:], env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
