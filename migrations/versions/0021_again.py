"""What goes wrong again while its incident is open is told again."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0021"
down_revision = "0020"

_FOLDER = Path(__file__).resolve().parent.parent / "again"


def upgrade() -> None:
    """Count the news, and let an alert say `again`."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Forget it."""
    script.run(_FOLDER / "down.sql")
