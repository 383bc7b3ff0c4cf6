"""Drills of failing over."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0022"
down_revision = "0021"

_FOLDER = Path(__file__).resolve().parent.parent / "drill_backup"


def upgrade() -> None:
    """Make room for the scenarios and their figures."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Undo it."""
    script.run(_FOLDER / "down.sql")
