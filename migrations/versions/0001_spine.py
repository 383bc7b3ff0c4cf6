"""The spine: instruments, market data, ingest, sessions, requests, chains.

The statements are in `migrations/spine/*.sql`, one file a noun, run in the order of their names.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_FOLDER = Path(__file__).resolve().parent.parent / "spine"
_DROP = _FOLDER / "99_drop.sql"


def upgrade() -> None:
    """Build everything."""
    for file in sorted(_FOLDER.glob("*.sql")):
        if file != _DROP:
            _run(file)


def downgrade() -> None:
    """Drop everything that `upgrade` built."""
    _run(_DROP)


def _run(file: Path) -> None:
    # The driver's own cursor: SQLAlchemy would read `%` and `:name` in the text as parameters.
    driver = op.get_bind().connection.driver_connection
    driver.execute(file.read_bytes())
