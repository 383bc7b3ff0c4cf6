"""Liveness: how each line is, the cures it got, and the link of each session."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0017"
down_revision = "0016"

_FOLDER = Path(__file__).resolve().parent.parent / "liveness"


def upgrade() -> None:
    """Make the tables."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop them."""
    script.run(_FOLDER / "down.sql")
