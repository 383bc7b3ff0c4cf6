"""Runs a file of SQL statements as it stands."""

from __future__ import annotations

from pathlib import Path

from alembic import op


def run(file: Path) -> None:
    """Run every statement of `file` in the migration's transaction."""
    # The driver's own cursor: SQLAlchemy would read `%` and `:name` in the text as parameters.
    driver = op.get_bind().connection.driver_connection
    driver.execute(file.read_bytes())


def has_continuous_aggregates() -> bool:
    """Return whether TimescaleDB is installed here in its full (not its Apache) edition."""
    driver = op.get_bind().connection.driver_connection
    (answer,) = driver.execute("SELECT ibkeeper.has_continuous_aggregates()").fetchone()
    return bool(answer)
