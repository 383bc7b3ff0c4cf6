"""Who may trade how much: limits, the kill switch, arming."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0008"
down_revision = "0007"

_FOLDER = Path(__file__).resolve().parent.parent / "authority"


def upgrade() -> None:
    """Make the tables."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop them."""
    script.run(_FOLDER / "down.sql")
