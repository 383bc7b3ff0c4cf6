"""Drills: what was tried on purpose, what was measured, and the verdict."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Double, Index, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from ibcore.models.column import Row, column, described, moment, number


class Drill(Row, table=True):
    """A failure made on purpose, and how long it took to get over it."""

    __tablename__ = "drill"
    __table_args__ = (
        Index("drill_begun_at_idx", "begun_at"),
        described("Failures made on purpose, and how long it took to get over them; append-only."),
    )

    id: UUID = column("Id of the request that asked for it.", Uuid, key=True)
    sidecar: str = column("Name of the sidecar.", Text)
    scenario: str = column("drop, refuse, mute, stale, standby or alert.", Text)
    begun_at: datetime = moment("When the fault began.")
    ended_at: datetime = moment("When the drill was over.")
    verdict: str = column("passed or failed.", Text)
    why: str = column("What was not kept, for a person; empty: everything was.", Text)
    detect_s: float | None = number("From the fault to its notice, s; NULL: not noticed.")
    recover_s: float | None = number(
        "From the end of the fault to the first tick, s; alert: to its arrival. NULL: never."
    )
    objectives: dict[str, Any] = column("What was asked for, with its bounds.", JSONB)
    failover_s: float | None = number(
        "From the fault until a backup was taken, s; NULL: it was not."
    )
    backup_tick_s: float | None = number(
        "From then to the first row of the backup, s; NULL: none came."
    )
    failback_s: float | None = number(
        "From the end of the fault until the primary was taken back, s; NULL: not seen."
    )
    ticks_lost: int | None = column(
        "Messages of the primary unheard before the backup was taken; NULL: not known.",
        Integer,
        null=True,
    )


class DrillStep(Row, table=True):
    """One moment of a drill."""

    __tablename__ = "drill_step"
    __table_args__ = (described("The moments of drills, in order; append-only."),)

    drill_id: UUID = column("The drill.", Uuid, key=True, references="ibkeeper.drill.id")
    number: int = column("Place in the order, from 1.", Integer, key=True)
    name: str = column(
        "begun, noticed, failed over, backup tick, released, ready, first tick, failed back,"
        " delivered.",
        Text,
    )
    at: datetime = moment("When it happened.")
    seconds: float = column("Since the fault began, by the monotonic clock.", Double)
