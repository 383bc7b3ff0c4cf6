"""API connections: one row an attempt, and every step of the state machine."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, Text, text

from ibcore.models.column import Row, column, moment, number


class Session(Row, table=True):
    """One attempt to connect, and the connection it became."""

    __tablename__ = "session"
    __table_args__ = (
        Index("session_sidecar_role_opened_at_idx", "sidecar", "role", text("opened_at DESC")),
        {"comment": "API connections; one row an attempt that got a socket or failed."},
    )

    id: int | None = column("Number of the session.", BigInteger, identity=True)
    sidecar: str = column("Sidecar that owns it.", Text)
    epoch: int = column("Start of the sidecar.", Integer)
    role: str = column("stream, sweep, sweep2, orders or standby.", Text)
    provider: str = column("ib, standby or alpaca.", Text)
    host: str = column("Host of the gateway.", Text)
    port: int = column("API port of the gateway.", Integer)
    client_id: int = column("API client id.", Integer)
    state: str = column("waiting (closed, will retry), connecting, ready, stopped.", Text)
    attempt: int = column("Attempt since the last ready session, from 1.", Integer)
    opened_at: datetime | None = moment("When connecting began.", default="now()")
    ready_at: datetime | None = moment("When it was ready; NULL: never.", null=True)
    closed_at: datetime | None = moment("When it ended; NULL: open.", null=True)
    connect_ms: float | None = number("From connecting to ready, ms.")
    server_version: int | None = column("API version of the gateway.", Integer, null=True)
    close_reason: str | None = column("Why it ended, for a person.", Text, null=True)
    link: str = column(
        "What the gateway says of its link to IB: up, suspect (back, or a farm is: lines are"
        " verified), lost.",
        Text,
        default="'up'",
    )


class SessionEvent(Row, table=True):
    """One step of a session's state machine."""

    __tablename__ = "session_event"
    __table_args__ = (
        Index("session_event_sidecar_role_at_idx", "sidecar", "role", text("at DESC")),
        {"comment": "Every step of every session, append-only."},
    )

    id: int | None = column("Number of the event.", BigInteger, identity=True)
    at: datetime | None = moment("When it happened.", default="clock_timestamp()")
    sidecar: str = column("Sidecar that owns the session.", Text)
    epoch: int = column("Start of the sidecar.", Integer)
    role: str = column("stream, sweep, sweep2, orders or standby.", Text)
    session_id: int | None = column(
        "The session, once there is one.", BigInteger, null=True, references="ibkeeper.session.id"
    )
    old_state: str | None = column("State before; NULL: the first event.", Text, null=True)
    new_state: str = column("State after; the same as before for a notice.", Text)
    attempt: int = column("Attempt since the last ready session, from 1; 0: none yet.", Integer)
    backoff_s: float | None = number("Wait before the next attempt, s.")
    code: int | None = column("IB message code, if one caused it.", Integer, null=True)
    reason: str | None = column("Why, for a person.", Text, null=True)
