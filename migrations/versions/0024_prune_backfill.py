"""Retention of what was filled in afterwards."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0024"
down_revision = "0023"

_FOLDER = Path(__file__).resolve().parent.parent / "prune_backfill"


def upgrade() -> None:
    """Make the function."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Undo it."""
    script.run(_FOLDER / "down.sql")
