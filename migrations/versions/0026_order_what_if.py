"""What an order would tie up, kept with it."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0026"
down_revision = "0025"

_FOLDER = Path(__file__).resolve().parent.parent / "order_what_if"


def upgrade() -> None:
    """Let the kind be known."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Undo it."""
    script.run(_FOLDER / "down.sql")
