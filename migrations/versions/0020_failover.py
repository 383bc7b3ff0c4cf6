"""Failover: who rows are taken from, and the standby gateway."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0020"
down_revision = "0019"

_FOLDER = Path(__file__).resolve().parent.parent / "failover"


def upgrade() -> None:
    """Make the table, its view, and room for one more session."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Undo it."""
    script.run(_FOLDER / "down.sql")
