"""Bars of closed days, kept on plain PostgreSQL; TimescaleDB has continuous aggregates instead."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, Double, Index, Integer, Text

from ibcore.models.column import TIMESTAMP, Row, column, described, moment, number

_STEP = "Length of the bar: 1m, 5m or 1d (UTC day)."


class BarQuoteKept(Row, table=True):
    """The quotes of one bar of one instrument."""

    __tablename__ = "bar_quote_kept"
    __table_args__ = (
        Index("bar_quote_kept_step_ts_idx", "step", "ts"),
        described("Bars of the quotes of closed days; read bar_1m, bar_5m, bar_1d."),
    )

    step: str = column(_STEP, Text, key=True)
    ts: datetime = column("Start of the bar.", TIMESTAMP, key=True)
    instrument_id: int = column("instrument.id.", Integer, key=True)
    mid_open: float | None = number("First mid price.")
    mid_high: float | None = number("Highest mid price.")
    mid_low: float | None = number("Lowest mid price.")
    mid_close: float | None = number("Last mid price.")
    spread_sum: float | None = number("Sum of ask minus bid over the two-sided quotes.")
    spread_min: float | None = number("Smallest ask minus bid.")
    spread_max: float | None = number("Largest ask minus bid.")
    two_sided: int = column("Quotes with a bid and an ask.", BigInteger)
    quotes: int = column("Quotes.", BigInteger)


class BarTradeKept(Row, table=True):
    """The prints of one bar of one instrument, by where they were read from."""

    __tablename__ = "bar_trade_kept"
    __table_args__ = (
        Index("bar_trade_kept_step_ts_idx", "step", "ts"),
        described("Bars of the trades of closed days; read bar_1m, bar_5m, bar_1d."),
    )

    step: str = column(_STEP, Text, key=True)
    ts: datetime = column("Start of the bar.", TIMESTAMP, key=True)
    instrument_id: int = column("instrument.id.", Integer, key=True)
    source: str = column("trade.source of the prints.", Text, key=True)
    open: float = column("First price.", Double)
    high: float = column("Highest price.", Double)
    low: float = column("Lowest price.", Double)
    close: float = column("Last price.", Double)
    volume: float | None = number("Sum of the sizes.")
    turnover: float | None = number("Sum of price times size.")
    trades: int = column("Prints.", BigInteger)


class BarDay(Row, table=True):
    """A day that is closed: its bars are kept."""

    __tablename__ = "bar_day"
    __table_args__ = described(
        "Days whose bars are kept; bars of later ticks are computed on reading."
    )

    day: date = column("Day, UTC.", Date, key=True)
    quotes: int = column("Quotes that its bars were made of.", BigInteger)
    trades: int = column("Trades that its bars were made of.", BigInteger)
    closed_at: datetime | None = moment(
        "When its bars were last made.", default="clock_timestamp()"
    )
