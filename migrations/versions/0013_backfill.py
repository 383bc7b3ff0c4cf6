"""Backfill: what IB still had of gaps, and the gaps of lines that are not streamed."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0013"
down_revision = "0012"

_FOLDER = Path(__file__).resolve().parent.parent / "backfill"


def upgrade() -> None:
    """Make the tables and the trigger, and let v_gap say what was filled."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Undo that."""
    script.run(_FOLDER / "down.sql")
    script.run(_FOLDER.parent / "gap" / "up.sql")
