"""The order in which batches became visible: what a reader that may miss nothing goes by."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0005"
down_revision = "0004"

_FOLDER = Path(__file__).resolve().parent.parent / "stream"


def upgrade() -> None:
    """Make the table, and the trigger that fills it."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop them."""
    script.run(_FOLDER / "down.sql")
