"""Who runs PostgreSQL when we are root, and how that account reaches its files.

PostgreSQL refuses to run as root. No account is created for it: an existing one is used.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import Final, NamedTuple

from ibcore import log
from ibcore.errors import ConfigRefused

# `nobody` is everywhere; the others are better because nothing else runs under them.
CANDIDATES: Final = ("embedded_postgres", "postgres", "nobody")

_log = log.get_logger(__name__)


class Account(NamedTuple):
    """A user of the operating system."""

    uid: int
    gid: int


def account_for(data: Path) -> Account | None:
    """Return the account to run as; None: we are not root and run as ourselves."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return Account(owner.st_uid, owner.st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise ConfigRefused(
        "PostgreSQL refuses to run as root, and there is no account to run it as.",
        remedy="Nothing was started. Run ibkeeper as an ordinary user, "
        "or set IBKEEPER_DATABASE_URL.",
    )


def open_way(folder: Path, *, programs: Path) -> None:
    """Let every account pass through to `folder` and run `programs`, and not one bit more."""
    for parent in {*folder.parents, *programs.parents}:
        # Passing (x) only: the folder still cannot be listed.
        _add(parent, stat.S_IXOTH)
    for file in (programs, *programs.rglob("*"), *programs.parent.with_suffix(".libs").rglob("*")):
        if not file.is_symlink():
            executable = file.is_dir() or file.stat().st_mode & stat.S_IXUSR
            _add(file, stat.S_IROTH | (stat.S_IXOTH if executable else 0))


def _add(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        _log.warning("folder_opened_for_postgres", path=str(path), mode=oct(mode | bits))
        path.chmod(mode | bits)
