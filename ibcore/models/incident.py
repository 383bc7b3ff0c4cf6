"""What people are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from ibcore.models.column import Row, column, moment


class Incident(Row, table=True):
    """Something a person is to be told, from when it is noticed until it is over."""

    __tablename__ = "incident"
    __table_args__ = (
        Index(
            "incident_one_open_a_key",
            "key",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("incident_opened_at_idx", "opened_at"),
        {
            "comment": "What a person is told, once:"
            " one row from when it is noticed until it is over."
        },
    )

    id: UUID = column("Given by the database.", Uuid, key=True, default="gen_random_uuid()")
    key: str = column("What it is about: kind, and of whom; one open incident a key.", Text)
    kind: str = column(
        "The words of ibcore.incidents.IncidentKind; docs/runbook.md has a section for each.", Text
    )
    severity: str = column(
        "info, warning or critical; it only rises while the incident is open.", Text
    )
    summary: str = column("One line for a person: what happened and what is safe.", Text)
    detail: dict[str, Any] = column("Figures, by name.", JSONB, default="'{}'")
    opened_by: str = column("Sidecar, flow or person that noticed it first.", Text)
    opened_at: datetime | None = moment("When it was noticed.", default="clock_timestamp()")
    last_seen_at: datetime | None = moment("When it was noticed last.", default="clock_timestamp()")
    closed_at: datetime | None = moment("When it was over; NULL: it is still open.", null=True)
    closed_because: str | None = column("What ended it, for a person.", Text, null=True)
    times_seen: int = column("How often it was noticed.", Integer, default="1")
    news: int = column(
        "How often people had to be told: 1 when it was opened, more when it happened again.",
        Integer,
        default="1",
    )
    news_at: datetime | None = moment("When it was news last.", default="clock_timestamp()")
