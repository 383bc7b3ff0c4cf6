"""Alerts: what is sent about incidents, to whom, and what became of it."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0016"
down_revision = "0015"

_FOLDER = Path(__file__).resolve().parent.parent / "alert"


def upgrade() -> None:
    """Make the tables, and let incidents be heard of at once."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Undo that."""
    script.run(_FOLDER / "down.sql")
