"""Drills: failures made on purpose, and what they showed."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0019"
down_revision = "0018"

_FOLDER = Path(__file__).resolve().parent.parent / "drill"


def upgrade() -> None:
    """Make the tables."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop them."""
    script.run(_FOLDER / "down.sql")
