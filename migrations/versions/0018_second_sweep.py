"""A second sweep connection has a role of its own."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0018"
down_revision = "0017"

_FOLDER = Path(__file__).resolve().parent.parent / "second_sweep"


def upgrade() -> None:
    """Allow it."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Forbid it."""
    script.run(_FOLDER / "down.sql")
