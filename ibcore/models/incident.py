"""Incidents: what people must know."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, Text, text

from ibcore.models.column import Row, column, described, moment


class Incident(Row, table=True):
    """One incident."""

    __tablename__ = "incident"
    __table_args__ = (
        Index("incident_open_idx", "key", unique=True, postgresql_where=text("closed_at IS NULL")),
        described("What people must know: told once, and closed when it is over."),
    )

    id: int | None = column("Id of the incident.", BigInteger, identity=True)
    key: str = column("What it is about: one open incident a key.", Text)
    kind: str = column("Kind; docs/runbook.md has a section each.", Text)
    severity: str = column("info, warning or critical.", Text)
    summary: str = column("What happened, one line for a person.", Text)
    opened_at: datetime | None = moment("When it was first noticed.", default="clock_timestamp()")
    last_at: datetime | None = moment("When it was last noticed.", default="clock_timestamp()")
    times: int | None = column("How often it was noticed.", Integer, default="1")
    closed_at: datetime | None = moment("When it was over; NULL: it is not.", null=True)
    closed_why: str | None = column("Why it is over.", Text, null=True)
