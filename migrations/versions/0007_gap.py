"""When nothing was recorded, and why: `v_gap`."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0007"
down_revision = "0006"

_FOLDER = Path(__file__).resolve().parent.parent / "gap"


def upgrade() -> None:
    """Make the view."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop it."""
    script.run(_FOLDER / "down.sql")
