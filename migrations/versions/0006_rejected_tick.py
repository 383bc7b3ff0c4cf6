"""Ticks that were not believed, kept aside."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0006"
down_revision = "0005"

_FOLDER = Path(__file__).resolve().parent.parent / "rejected_tick"


def upgrade() -> None:
    """Make the table."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop it."""
    script.run(_FOLDER / "down.sql")
