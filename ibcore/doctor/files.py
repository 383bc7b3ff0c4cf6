"""Files that hold secrets: nobody but their owner may read them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, Final

from pydantic_settings import TomlConfigSettingsSource

from ibcore.config import TOML_FILE, Settings, secret_names
from ibcore.doctor.finding import Finding, failed, ok, skipped

# Not to pass through (x): where root started it, PostgreSQL's account must.
_LOOK_INTO: Final = 0o066


def look(home: Path, *, toml: Path = Path(TOML_FILE)) -> list[Finding]:
    """Return what was found: the state folder, what it says of a running system, the settings."""
    return [
        private("state folder", home, mode="700"),
        private("run.json", home / "run.json", mode="600"),
        settings_file(toml),
    ]


def private(name: str, path: Path, *, mode: str) -> Finding:
    """Judge the mode of a file or folder."""
    try:
        found = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return skipped(name, f"{path} is not there")
    except OSError as refused:
        return failed(name, f"{path}: {refused.strerror}", "Run as the owner of the state folder.")
    if found & _LOOK_INTO:
        seen = f"{path} has mode {found:o}: others may look into it"
        return failed(name, seen, f"chmod {mode} {path}")
    return ok(name, f"{path}, mode {found:o}")


def settings_file(path: Path) -> Finding:
    """Judge ibkeeper.toml: it may be read by others where it holds no secret."""
    try:
        if not path.exists():
            return skipped(TOML_FILE, "not there: the settings are in the environment")
        held = _secrets_in(TomlConfigSettingsSource(Settings, toml_file=path).toml_data)
    except (OSError, ValueError) as broken:
        return failed(TOML_FILE, f"cannot be read: {type(broken).__name__}", "Correct the file.")
    if not held:
        return ok(TOML_FILE, "holds no secret")
    found = private(TOML_FILE, path, mode="600")
    return found._replace(seen=f"{found.seen}; it holds {', '.join(held)}")


def _secrets_in(table: dict[str, Any]) -> list[str]:
    return [
        ".".join(name)
        for name in secret_names()
        if (table.get(name[0], {}) if len(name) == 2 else table).get(name[-1]) is not None
    ]
