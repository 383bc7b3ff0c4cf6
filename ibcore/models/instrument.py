"""What is traded, and what is streamed."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    CHAR,
    BigInteger,
    Date,
    Index,
    Integer,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)

from ibcore.models.column import Row, column, described, moment

_PRICE = Numeric(18, 6)


class Instrument(Row, table=True):
    """A qualified contract."""

    __tablename__ = "instrument"
    __table_args__ = (
        Index(
            "instrument_chain_idx",
            "underlying_con_id",
            "trading_class",
            "expiry",
            "right",
            postgresql_where=text("underlying_con_id IS NOT NULL"),
        ),
        described("Qualified contracts, as IB describes them."),
    )

    id: int | None = column("Our number of the instrument.", Integer, identity=True)
    con_id: int = column("IB's contract id.", BigInteger, unique=True)
    symbol: str = column("IB symbol of the instrument, of the underlying for options.", Text)
    sec_type: str = column("IB security type: STK, OPT, FUT, IND, CASH, …", Text)
    exchange: str = column("Exchange that requests are routed to.", Text)
    primary_exchange: str | None = column("Listing exchange.", Text, null=True)
    currency: str = column("ISO currency of prices.", Text)
    local_symbol: str | None = column("Symbol at the exchange; OSI for options.", Text, null=True)
    trading_class: str | None = column("IB trading class.", Text, null=True)
    multiplier: str | None = column("Contract multiplier, text as IB sends it.", Text, null=True)
    expiry: date | None = column("Last trade date, in the exchange's zone.", Date, null=True)
    strike: Decimal | None = column("Strike, in the currency.", _PRICE, null=True)
    right: str | None = column("C call, P put; NULL: no option.", CHAR(1), null=True)
    min_tick: Decimal | None = column("Smallest price step.", Numeric(), null=True)
    market_name: str | None = column("IB market name.", Text, null=True)
    long_name: str | None = column("Name in words.", Text, null=True)
    underlying_con_id: int | None = column(
        "IB contract id of the underlying.", BigInteger, null=True
    )
    time_zone: str | None = column("Zone of the trading hours, as IB names it.", Text, null=True)
    trading_hours: str | None = column("Trading hours, IB's format.", Text, null=True)
    liquid_hours: str | None = column("Liquid hours, IB's format.", Text, null=True)
    valid_exchanges: str | None = column("Exchanges, comma-separated.", Text, null=True)
    market_rule_ids: str | None = column(
        "Price-step rules, one per valid exchange, comma-separated.", Text, null=True
    )
    industry: str | None = column("IB industry.", Text, null=True)
    category: str | None = column("IB category.", Text, null=True)
    stock_type: str | None = column("COMMON, ETF, ADR, …", Text, null=True)
    created_at: datetime | None = moment("When the row was made.", default="now()")
    details_at: datetime | None = moment("When IB last sent the details.", null=True)


class Watch(Row, table=True):
    """A line of the watch list."""

    __tablename__ = "watch"
    __table_args__ = (
        UniqueConstraint(
            "sidecar",
            "symbol",
            "sec_type",
            "exchange",
            "currency",
            "primary_exchange",
            "expiry",
            "strike",
            "right",
            "multiplier",
            "trading_class",
            "con_id",
            name="watch_spec_key",
        ),
        {"comment": "What each sidecar shall stream. Changes are notified on ibkeeper_watch."},
    )

    id: int | None = column("Number of the line.", Integer, identity=True)
    sidecar: str = column("Sidecar that streams it.", Text, default="'main'")
    symbol: str = column("IB symbol.", Text)
    sec_type: str = column("IB security type.", Text, default="'STK'")
    exchange: str = column("Exchange to route to.", Text, default="'SMART'")
    currency: str = column("ISO currency.", Text, default="'USD'")
    primary_exchange: str = column("Listing exchange; empty: any.", Text, default="''")
    expiry: str = column("YYYYMMDD or YYYYMM; empty: none.", Text, default="''")
    strike: Decimal = column("Strike; 0: none.", _PRICE, default="0")
    right: str = column("C, P, or empty: none.", Text, default="''")
    multiplier: str = column("Multiplier; empty: any.", Text, default="''")
    trading_class: str = column("Trading class; empty: any.", Text, default="''")
    con_id: int = column("IB contract id; 0: not given.", BigInteger, default="0")
    generic_ticks: str | None = column(
        "Generic tick list; NULL: the default of the security type.", Text, null=True
    )
    priority: int = column("Lower comes first when lines are short.", Integer, default="100")
    instrument_id: int | None = column(
        "The qualified instrument; NULL until then.",
        Integer,
        null=True,
        references="ibkeeper.instrument.id",
    )
    state: str = column("pending, active, failed or over_budget.", Text, default="'pending'")
    reason: str | None = column("Why it is in that state, for a person.", Text, null=True)
    created_at: datetime | None = moment("When it was added.", default="now()")
    changed_at: datetime | None = moment("When it last changed.", default="now()")
