"""Failover: each time an instrument's rows began to be taken from another provider."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, Text

from ibcore.models.column import Row, column, described, moment
from ibcore.models.column import number as double


class ProviderSwitch(Row, table=True):
    """One instrument, from one provider to another."""

    __tablename__ = "provider_switch"
    __table_args__ = (
        Index("provider_switch_at_idx", "at"),
        Index("provider_switch_instrument_id_at_idx", "instrument_id", "at"),
        described("Each time an instrument went from one provider to another; append-only."),
    )

    sidecar: str = column("Name of the sidecar.", Text, key=True)
    epoch: int = column("Start of the sidecar; each begins at the primary.", Integer, key=True)
    number: int = column(
        "Counted from 1 within an epoch; what went together has one.", Integer, key=True
    )
    instrument_id: int = column(
        "What was switched.", Integer, key=True, references="ibkeeper.instrument.id"
    )
    at: datetime = moment("When; rows received later are of to_provider only.")
    from_provider: str = column("ib, standby or alpaca.", Text)
    to_provider: str = column("ib, standby or alpaca.", Text)
    cause: str = column("stale, retries, competing_session, uncured or recovered.", Text)
    stale_s: float | None = double(
        "How long from_provider had been silent, s; NULL: it never spoke."
    )
