"""How each line is, and what was done about those that were out."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer, Text, Uuid

from ibcore.models.column import Row, column, described, moment, number


class LineState(Row, table=True):
    """One line now."""

    __tablename__ = "line_state"
    __table_args__ = described(
        "How each streamed line is now; written when it changes and every few seconds."
    )

    instrument_id: int = column(
        "Whose line.", Integer, key=True, references="ibkeeper.instrument.id"
    )
    provider: str = column("ib, standby or alpaca.", Text, key=True)
    sidecar: str = column("Sidecar that holds the line.", Text, key=True)
    cause: str = column(
        "ticking, or why it is silent: quiet, halted, closed; or out: dead_line, farm, link,"
        " competing_session.",
        Text,
    )
    since: datetime | None = moment("Since when that is so.")
    last_event_at: datetime | None = moment(
        "When it spoke last, to the second; NULL: never since the sidecar started.", null=True
    )
    rate_per_min: float | None = number(
        "Seconds of a minute in which it usually speaks; NULL: not known yet."
    )
    expected_s: float | None = number("A longer silence means something, s; NULL: none does.")
    noted_at: datetime | None = moment("When this was written.", default="clock_timestamp()")


class LineCure(Row, table=True):
    """One cure and what came of it."""

    __tablename__ = "line_cure"
    __table_args__ = (
        Index("line_cure_begun_at_idx", "begun_at"),
        Index("line_cure_instrument_id_begun_at_idx", "instrument_id", "begun_at"),
        {"comment": "What was done about lines that were out, and what came of it."},
    )

    id: UUID = column("Given by the sidecar.", Uuid, key=True)
    sidecar: str = column("Sidecar that did it.", Text)
    epoch: int = column("Start of the sidecar.", Integer)
    instrument_id: int | None = column(
        "Whose line; NULL: a reconnect, which is of all.",
        Integer,
        null=True,
        references="ibkeeper.instrument.id",
    )
    provider: str = column("Whose line was out: ib, standby or alpaca.", Text)
    cause: str = column("What was found: dead_line, farm, link or competing_session.", Text)
    cure: str = column("re_request, reconnect or fail_over.", Text)
    state: str = column(
        "running, cured (the line spoke), failed, or overtaken by the loss of the session.", Text
    )
    begun_at: datetime | None = moment("When it was begun.")
    ended_at: datetime | None = moment(
        "When it was known what came of it; NULL: it is running.", null=True
    )
    reason: str | None = column("Why, for a person.", Text, null=True)
