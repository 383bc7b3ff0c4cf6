"""Bars: `bar_1m`, `bar_5m`, `bar_1d`, by TimescaleDB or by plain PostgreSQL, and an index on time.

The statements are in `migrations/bars/*.sql`. What lies under the three views depends on the
server (continuous aggregates, or views over ticks and kept days); names and columns do not.
"""

from __future__ import annotations

from pathlib import Path

from migrations import script

revision = "0002"
down_revision = "0001"

_FOLDER = Path(__file__).resolve().parent.parent / "bars"


def upgrade() -> None:
    """Build the bars on what this server can do."""
    script.run(_FOLDER / "10_edition.sql")
    timescale = script.has_continuous_aggregates()
    script.run(_FOLDER / ("20_timescale.sql" if timescale else "20_plain.sql"))
    script.run(_FOLDER / "30_views.sql")
    script.run(_FOLDER / "40_index.sql")


def downgrade() -> None:
    """Drop everything that `upgrade` built."""
    timescale = script.has_continuous_aggregates()
    script.run(_FOLDER / "80_drop_views.sql")
    script.run(_FOLDER / ("90_drop_timescale.sql" if timescale else "90_drop_plain.sql"))
    script.run(_FOLDER / "99_drop_edition.sql")
