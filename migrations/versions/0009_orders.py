"""Orders: intents, evidence, executions."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0009"
down_revision = "0008"

_FOLDER = Path(__file__).resolve().parent.parent / "orders"


def upgrade() -> None:
    """Make the tables."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Drop them."""
    script.run(_FOLDER / "down.sql")
