"""Option-chain snapshots: one row a snapshot, one row a contract."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CHAR, Date, Double, Index, Integer, Numeric, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from ibcore.models.column import Row, column, described, moment, number


class ChainSnapshot(Row, table=True):
    """One look at the options of an underlying."""

    __tablename__ = "chain_snapshot"
    __table_args__ = (
        Index("chain_snapshot_underlying_id_taken_at_idx", "underlying_id", text("taken_at DESC")),
        {"comment": "Option-chain snapshots and how complete each is."},
    )

    id: UUID | None = column("Id of the snapshot.", Uuid, key=True, default="gen_random_uuid()")
    request_id: UUID | None = column(
        "The request that asked for it.", Uuid, null=True, references="ibkeeper.request.id"
    )
    underlying_id: int = column("The underlying.", Integer, references="ibkeeper.instrument.id")
    taken_at: datetime = moment("When the snapshot was finished.")
    exchange: str | None = column("Exchange of the options.", Text, null=True)
    trading_class: str | None = column("Trading class of the options.", Text, null=True)
    spot: float | None = number("Price of the underlying, in its currency.")
    expected: int = column("Contracts asked for.", Integer)
    complete: int = column("Contracts with bid, ask and model greeks.", Integer)
    partial: int = column("Contracts with some of it.", Integer)
    missing: int = column("Contracts with none of it.", Integer)
    seconds: float = column("How long it took, s.", Double)
    quality: str | None = column("Quality of the market data.", Text, null=True)
    params: dict[str, Any] = column("What was asked.", JSONB, default="'{}'::jsonb")


class ChainQuote(Row, table=True):
    """One contract of a snapshot."""

    __tablename__ = "chain_quote"
    __table_args__ = described("Contracts of the option-chain snapshots.")

    snapshot_id: UUID = column(
        "The snapshot.",
        Uuid,
        key=True,
        references="ibkeeper.chain_snapshot.id",
        ondelete="CASCADE",
    )
    instrument_id: int = column(
        "The contract.", Integer, key=True, references="ibkeeper.instrument.id"
    )
    expiry: date | None = column("Last trade date.", Date, null=True)
    strike: Decimal | None = column("Strike, in the currency.", Numeric(18, 6), null=True)
    right: str | None = column("C call, P put.", CHAR(1), null=True)
    state: str = column("complete, partial or missing.", Text)
    missing_fields: str | None = column("What did not come, comma-separated.", Text, null=True)
    bid: float | None = number("Best bid.")
    bid_size: float | None = number("Size at the bid, contracts.")
    ask: float | None = number("Best ask.")
    ask_size: float | None = number("Size at the ask, contracts.")
    last: float | None = number("Last price.")
    last_size: float | None = number("Size of the last print, contracts.")
    volume: float | None = number("Volume of the day, contracts.")
    open_interest: float | None = number("Open interest, contracts.")
    iv: float | None = number("Model implied volatility, annual, fraction.")
    delta: float | None = number("Model delta, per 1.00 of the underlying.")
    gamma: float | None = number("Model gamma, per 1.00 of the underlying.")
    vega: float | None = number("Model vega, per volatility point.")
    theta: float | None = number("Model theta, per calendar day.")
    option_price: float | None = number("Model price of the option.")
    underlying_price: float | None = number("Price of the underlying in the model.")
    quality: str | None = column("Quality of the market data.", Text, null=True)
    recv_ts: datetime | None = moment("Arrival of the newest message.", null=True)
