"""Chains in full: listings, states, forwards, greeks of our own, and views of what they say."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0014"
down_revision = "0013"

_FOLDER = Path(__file__).resolve().parent.parent / "chain"


def upgrade() -> None:
    """Make the tables, columns and views."""
    script.run(_FOLDER / "up.sql")
    script.run(_FOLDER / "views.sql")


def downgrade() -> None:
    """Drop them."""
    script.run(_FOLDER / "down.sql")
