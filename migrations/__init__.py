"""Alembic migrations; run through `ibcore.db.migrate`, which needs no alembic.ini."""
