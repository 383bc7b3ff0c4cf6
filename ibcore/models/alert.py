"""What is sent about incidents, and what the flow connection-sla found."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from ibcore.models.column import Row, column, described, moment


class Alert(Row, table=True):
    """What one target is to be told of one incident: the outbox."""

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "alert_once",
            *("incident_id", "target", "event", "severity"),
            unique=True,
            postgresql_where=text("event <> 'again'"),
        ),
        Index(
            "alert_again_once",
            *("incident_id", "target", "news"),
            unique=True,
            postgresql_where=text("event = 'again'"),
        ),
        Index(
            "alert_waiting_idx",
            "target",
            "created_at",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "alert_delivered_idx",
            "target",
            "delivered_at",
            postgresql_where=text("state = 'delivered'"),
        ),
        described(
            "The outbox of alerts: one row for what one target is to be told of one incident."
        ),
    )

    id: int = column("Given by the database.", BigInteger, identity=True)
    incident_id: UUID = column("The incident it is about.", Uuid, references="ibkeeper.incident.id")
    target: str = column(
        "Name of the target; its URL, which holds secrets, stands in the settings only.", Text
    )
    event: str = column(
        "opened, worse (its severity rose), again (it happened again) or closed.", Text
    )
    severity: str = column("Of the incident when this was written.", Text)
    state: str = column("waiting, delivered or expired.", Text, default="'waiting'")
    escalates: str | None = column(
        "Target that did not take it in time; NULL: this is no escalation.", Text, null=True
    )
    created_at: datetime | None = moment("When it was to be told.", default="clock_timestamp()")
    expires_at: datetime | None = moment("After this it is not tried any more.")
    attempts: int = column("How often it was sent.", Integer, default="0")
    next_at: datetime | None = moment(
        "Not before this; while it is being sent, until when nobody else may.",
        default="clock_timestamp()",
    )
    message: UUID | None = column(
        "Rows of one message share it: many incidents at once are one message.", Uuid, null=True
    )
    delivered_at: datetime | None = moment("When the target took it.", null=True)
    error: str | None = column("Why the last attempt failed, without secrets.", Text, null=True)
    news: int = column("Of the incident when this was written.", Integer, default="1")


class SlaReport(Row, table=True):
    """What the flow connection-sla found."""

    __tablename__ = "sla_report"
    __table_args__ = (
        Index("sla_report_kind_idx", "kind", "reported_at"),
        described("What the flow connection-sla found: every quick check, every report."),
    )

    id: int = column("Given by the database.", BigInteger, identity=True)
    kind: str = column("check, daily or weekly.", Text)
    from_ts: datetime | None = moment("Begin of the time it speaks of.")
    to_ts: datetime | None = moment("End of it.")
    breaches: int = column("How many promises were not kept.", Integer)
    figures: dict[str, Any] = column("Every figure with its bound, by name.", JSONB)
    reported_at: datetime | None = moment(
        "When it was written; the newest check proves that Prefect lives.",
        default="clock_timestamp()",
    )
