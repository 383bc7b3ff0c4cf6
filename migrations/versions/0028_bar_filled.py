"""Bars with what was filled in afterwards."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0028"
down_revision = "0027"

_FOLDER = Path(__file__).resolve().parent.parent / "bar_filled"


def upgrade() -> None:
    """Make the view."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Undo it."""
    script.run(_FOLDER / "down.sql")
