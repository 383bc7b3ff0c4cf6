"""What was held at the last report of orders."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0012"
down_revision = "0011"

_FOLDER = Path(__file__).resolve().parent.parent / "position_baseline"


def upgrade() -> None:
    """Make the table."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop it."""
    script.run(_FOLDER / "down.sql")
