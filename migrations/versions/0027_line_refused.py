"""The incident of a line that is wanted and not streamed."""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0027"
down_revision = "0026"

_FOLDER = Path(__file__).resolve().parent.parent / "line_refused"


def upgrade() -> None:
    """Make the trigger."""
    script.run(_FOLDER / "up.sql")


def downgrade() -> None:
    """Undo it."""
    script.run(_FOLDER / "down.sql")
