"""Runs the migrations in one transaction, one process at a time, beside a sidecar that records.

`ibcore.db` hands over an open connection in `config.attributes["connection"]`. The version
table lives in our own schema, so that another Alembic user of the database is not disturbed.
A table that somebody holds is waited for a few seconds only: whoever comes to it meanwhile
waits behind us, and that may be the recorder.
"""

from __future__ import annotations

from pathlib import Path

from alembic import context
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import text

from ibcore.db import head_revision
from ibcore.errors import DatabaseUnavailable, SchemaMismatch
from ibcore.models import METADATA, SCHEMA

ROLES = Path(__file__).with_name("roles.sql")
VERSION = "SELECT version_num FROM ibkeeper.alembic_version"
connection = context.config.attributes["connection"]


def refuse_newer() -> None:
    """Raise SchemaMismatch when a newer program than this one made the schema."""
    if connection.execute(text("SELECT to_regclass('ibkeeper.alembic_version')")).scalar():
        found = connection.execute(text(VERSION)).scalar()
        if found is not None and found > head_revision():
            raise SchemaMismatch(
                f"The database schema is at {found}, newer than this program ({head_revision()}).",
                remedy="Nothing was changed. Run the newer ibkeeper.",
            )


def migrate() -> None:
    """Run what is due, then grant anew; after a downgrade to nothing there is nobody to grant."""
    context.configure(connection=connection, target_metadata=METADATA, version_table_schema=SCHEMA)
    try:
        context.run_migrations()
        upkeep = text("SELECT to_regprocedure('ibkeeper.apply_policies(int, int)')")
        if connection.execute(upkeep).scalar():
            connection.connection.driver_connection.execute(ROLES.read_bytes())
    except (LockNotAvailable, DeadlockDetected):
        raise DatabaseUnavailable(
            "A table could not be locked: somebody is in a long transaction with it.",
            remedy="Nothing was changed, and the sidecar went on. Find that transaction in "
            "pg_stat_activity, end it, and run again.",
        ) from None


with connection.begin():
    # Two starting at once is normal: the second waits here and finds nothing left to do.
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('ibkeeper.migrate', 0))")
    )
    refuse_newer()
    connection.execute(
        text("SELECT set_config('lock_timeout', :ms, true)"),
        {"ms": f"{context.config.attributes['lock_timeout_s'] * 1000:.0f}"},
    )
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS ibkeeper"))
    connection.execute(
        text("COMMENT ON SCHEMA ibkeeper IS 'Ticks, sessions, requests and chains of ibkeeper.'")
    )
    migrate()
