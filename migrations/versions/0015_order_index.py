"""Indexes for what every claim of an order asks."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0015"
down_revision = "0014"

_FOLDER = Path(__file__).resolve().parent.parent / "order_index"


def upgrade() -> None:
    """Make the indexes."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop them."""
    script.run(_FOLDER / "down.sql")
