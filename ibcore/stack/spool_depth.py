"""How much waits in a sidecar's spool, read from its file: also while the database is away."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

# A batch stays a moment longer than it must: it is dropped some time after its commit.
_DEPTH: Final = """
SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(length(body)), 0), min(sealed_us) FROM batch
"""
_ASIDE: Final = """
SELECT count(*) FROM quarantine
"""
_WAIT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class SpoolDepth:
    """What the file holds; `oldest_s` is None when that is nothing."""

    batches: int
    rows: int
    bytes: int
    oldest_s: float | None
    quarantined: int
    cap_bytes: int

    @property
    def share(self) -> float:
        """Return how much of the cap is used."""
        return self.bytes / self.cap_bytes


def read(file: Path, *, now_us: int, cap_bytes: int) -> SpoolDepth | None:
    """Return the depth, or None when there is no file that can be read."""
    if not file.exists():
        return None
    try:
        with closing(_opened(file)) as connection:
            batches, rows, size, oldest_us = connection.execute(_DEPTH).fetchone()
            (quarantined,) = connection.execute(_ASIDE).fetchone()
    except sqlite3.Error:
        return None
    oldest_s = None if oldest_us is None else max(0.0, (now_us - oldest_us) / 1e6)
    return SpoolDepth(batches, rows, size, oldest_s, quarantined, cap_bytes)


def _opened(file: Path) -> sqlite3.Connection:
    # Without its -wal file nobody has it open, and a reader of a WAL file would have to make one.
    mode = "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "immutable=1"
    address = f"file:{quote(str(file.absolute()))}?{mode}"
    return sqlite3.connect(address, uri=True, timeout=_WAIT_S)
