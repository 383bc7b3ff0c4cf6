"""Room on the disks: of the spool, which an outage of the database fills, and of the database.

The bound is the spool's cap: so much may come at once, and after the outage all of it goes into
the database. Where both are on one disk, both need their room there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from anyio import to_thread

from ibcore import db
from ibcore.config import Settings
from ibcore.doctor.finding import Finding, failed, ok, skipped, warning
from ibcore.errors import DatabaseUnavailable

NAMES: Final = ("spool disk", "database disk")
_MIB: Final = 2**20
# Below this nothing can be counted on: PostgreSQL stops at the first segment that it cannot write.
LEAST: Final = 512 * _MIB


class Disk(NamedTuple):
    """The file system that a folder is on, and what is free there for who is no root."""

    device: int
    free: int


async def look(settings: Settings, url: str | None) -> list[Finding]:
    """Return a finding of the spool's disk, and one of the database's where it is ours."""
    spool, cap = settings.spool_file, settings.recorder.spool_mib * _MIB
    folder = None if url is None else await _data_folder(url)
    return await to_thread.run_sync(_look, spool, cap, folder)


def _look(spool: Path, cap: int, folder: Path | None) -> list[Finding]:
    own = disk_of(spool.parent)
    grows = max(0, cap - _size(spool))
    remedy = "Free some, lower IBKEEPER_RECORDER__SPOOL_MIB, or move IBKEEPER_HOME."
    found = [judge(NAMES[0], own.free, grows, of="the spool may still take", remedy=remedy)]
    if folder is None or not _is_dir(folder):
        why = "no database of this machine is reached, or its login may not see where its data is"
        return [*found, skipped(NAMES[1], why)]
    there = disk_of(folder)
    wanted, of = cap, "a full spool brings"
    if there.device == own.device:
        wanted, of = cap + grows, "a spool on the same disk takes, and brings"
    remedy = "Free some, or keep less: IBKEEPER_MAINTENANCE__KEEP_TICKS_DAYS."
    return [*found, judge(NAMES[1], there.free, wanted, of=of, remedy=remedy)]


def judge(name: str, free: int, wanted: int, *, of: str, remedy: str) -> Finding:
    """Judge the free bytes of a disk against what may come at once."""
    seen = f"{free // _MIB:,} MiB are free; {of} {wanted // _MIB:,} MiB"
    if free < min(LEAST, wanted):
        return failed(name, seen, remedy)
    return warning(name, seen, remedy) if free < wanted else ok(name, seen)


def disk_of(folder: Path) -> Disk:
    """Return the disk of a folder, or of the nearest one above it that is there."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    room = os.statvfs(there)
    return Disk(there.stat().st_dev, room.f_bavail * room.f_frsize)


async def _data_folder(url: str) -> Path | None:
    """Return where a database of this machine keeps its data, if its login may see that."""
    try:
        async with db.opened(url, application="doctor") as conn:
            with db.translated():
                cursor = await conn.execute(db.QUERIES["doctor_data_folder"])
                row = await cursor.fetchone()
    except DatabaseUnavailable:
        return None
    return Path(row[0]) if row else None


def _is_dir(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except PermissionError:
        return False


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
