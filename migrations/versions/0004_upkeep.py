"""Upkeep: closed days, strays, retention, policies; rows that are written once stay as written.

The statements are in `migrations/upkeep/*.sql`, run in the order of their names. Who may call
them is no history but a state: `migrations/roles.sql`, applied after every migration.
"""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0004"
down_revision = "0003"

_FOLDER = Path(__file__).resolve().parent.parent / "upkeep"
_DROP = _FOLDER / "99_drop.sql"


def upgrade() -> None:
    """Build the functions and triggers."""
    for file in sorted(_FOLDER.glob("*.sql")):
        if file != _DROP:
            script.run(file)


def downgrade() -> None:
    """Drop everything that `upgrade` built."""
    script.run(_DROP)
