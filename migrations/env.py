"""Runs the migrations in one transaction, one process at a time.

`ibcore.db` hands over an open connection in `config.attributes["connection"]`. The version
table lives in our own schema, so that another Alembic user of the database is not disturbed.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from ibcore.models import METADATA, SCHEMA

connection = context.config.attributes["connection"]

with connection.begin():
    # Two starting at once is normal: the second waits here and finds nothing left to do.
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('ibkeeper.migrate', 0))")
    )
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS ibkeeper"))
    connection.execute(
        text("COMMENT ON SCHEMA ibkeeper IS 'Ticks, sessions, requests and chains of ibkeeper.'")
    )
    context.configure(connection=connection, target_metadata=METADATA, version_table_schema=SCHEMA)
    context.run_migrations()
