"""Greeks of a backup vendor have kinds of their own."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0023"
down_revision = "0022"

_FOLDER = Path(__file__).resolve().parent.parent / "greeks_kind"


def upgrade() -> None:
    """Allow `vendor` and `computed`."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Forbid them, and delete what has them."""
    script.run(_FOLDER / "down.sql")
