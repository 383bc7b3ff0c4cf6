"""Sinks: where rows are published beside the database."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0011"
down_revision = "0010"

_FOLDER = Path(__file__).resolve().parent.parent / "sink"


def upgrade() -> None:
    """Make the table."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop it."""
    script.run(_FOLDER / "down.sql")
