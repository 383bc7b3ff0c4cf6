"""Losses as rows: `feed_gap`; a batch of the ledger may have fewer rows than numbers."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0003"
down_revision = "0002"

_FOLDER = Path(__file__).resolve().parent.parent / "feed_gap"


def upgrade() -> None:
    """Make the table."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop it."""
    script.run(_FOLDER / "down.sql")
