"""What flows and operators ask the sidecar to do, and the steps that states may take."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from ibcore.models.column import Row, column, described, moment


class Request(Row, table=True):
    """One request, from asking to its terminal state."""

    __tablename__ = "request"
    __table_args__ = (
        Index(
            "request_open_idx",
            "requested_at",
            postgresql_where=text("state IN ('requested', 'claimed')"),
        ),
        described("What flows and operators ask the sidecar to do. New ones are notified."),
    )

    id: UUID | None = column("Id of the request.", Uuid, key=True, default="gen_random_uuid()")
    kind: str = column("What is asked: chain_snapshot, …", Text)
    payload: dict[str, Any] = column("Parameters of the kind.", JSONB, default="'{}'::jsonb")
    state: str = column(
        "requested, claimed, completed, failed or expired.", Text, default="'requested'"
    )
    sidecar: str | None = column("Sidecar that shall do it; NULL: any.", Text, null=True)
    requested_by: str | None = column("Who asks: flow run or person.", Text, null=True)
    requested_at: datetime | None = moment("When it was asked.", default="now()")
    deadline_at: datetime = moment("When the answer is worth nothing any more.")
    claimed_by: str | None = column("Sidecar that does it.", Text, null=True)
    claimed_epoch: int | None = column("Start of that sidecar.", Integer, null=True)
    claimed_at: datetime | None = moment("When it was claimed.", null=True)
    finished_at: datetime | None = moment("When it reached its terminal state.", null=True)
    progress_done: int = column("Units done.", Integer, default="0")
    progress_total: int | None = column("Units in all; NULL: not known yet.", Integer, null=True)
    result: dict[str, Any] | None = column("Answer of the kind.", JSONB, null=True)
    error: str | None = column("What went wrong, one line for a person.", Text, null=True)
    error_kind: str | None = column("Name of the error class.", Text, null=True)


class StateTransition(Row, table=True):
    """A step that a state machine may take; the triggers read this."""

    __tablename__ = "state_transition"
    __table_args__ = described("Steps that the state machines may take; read by the triggers.")

    machine: str = column(
        "session, link, request, watch, order_intent, alert or line_cure.", Text, key=True
    )
    old_state: str = column("State before.", Text, key=True)
    new_state: str = column("State after.", Text, key=True)
