"""Audit rows that show when somebody changed one."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0025"
down_revision = "0024"

_FOLDER = Path(__file__).resolve().parent.parent / "audit_chain"


def upgrade() -> None:
    """Chain what is there, and what will be."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Undo it."""
    script.run(_FOLDER / "down.sql")
