"""The four market tables: append-only, written by COPY in the order of `ibcore.domain`.

They have no primary key in the database (a unique index would cost a third of the ingest rate;
the replay ledger `ingest_batch` keeps rows from being doubled). (epoch, seq) identifies a row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Double, Index, Integer, SmallInteger, Text, text

from ibcore.models.column import Row, column, moment, number

_IDENTITY: dict[str, Any] = {"primary_key": ["epoch", "seq"]}


def _table(name: str, comment: str) -> tuple[Any, ...]:
    newest_first = Index(f"{name}_instrument_id_ts_idx", "instrument_id", text("ts DESC"))
    in_order_of_time = Index(
        f"{name}_ts_brin_idx",
        "ts",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
    )
    described = {"comment": comment, "postgresql_partition_by": "RANGE (ts)"}
    return newest_first, in_order_of_time, described


class MarketRow(Row):
    """The columns that every market row begins with."""

    ts: datetime = moment("Event time: the exchange's where the source gives one, else recv_ts.")
    recv_ts: datetime = moment("When the sidecar read the message from the socket.")
    instrument_id: int = column(
        "instrument.id; no foreign key: it would be checked row by row during COPY.", Integer
    )
    seq: int = column("Unbroken within a spool over all four market tables.", BigInteger)
    epoch: int = column("Number of the sidecar start that wrote the row.", Integer)
    provider: str = column("Who the row came from: ib, standby, alpaca.", Text)
    quality: str = column("live, frozen, delayed, delayed_frozen or indicative.", Text)


class Quote(MarketRow, table=True):
    """The best bid and ask after one tick that changed them."""

    __tablename__ = "quote"
    __table_args__ = _table(
        "quote", "Best bid and ask after every tick that changed them; one row per change."
    )
    __mapper_args__ = _IDENTITY

    tick_type: int = column("IB tick type that caused the row (1 bid, 2 ask, …).", SmallInteger)
    bid: float | None = number("Best bid, in the instrument's currency; NULL: none.")
    bid_size: float | None = number("Size at the bid, in shares or contracts.")
    ask: float | None = number("Best ask, in the instrument's currency; NULL: none.")
    ask_size: float | None = number("Size at the ask, in shares or contracts.")


class Trade(MarketRow, table=True):
    """A market print."""

    __tablename__ = "trade"
    __table_args__ = _table("trade", "Market prints; `source` says which message each came from.")
    __mapper_args__ = _IDENTITY

    tick_type: int = column("IB tick type that caused the row (4 last, 48, 77, …).", SmallInteger)
    source: str = column("last, rt_volume, rt_trade_volume or tick_by_tick.", Text)
    price: float = column("Price of the print, in the instrument's currency.", Double)
    size: float | None = number("Size of the print, in shares or contracts.")
    volume: float | None = number("Volume of the day so far, as the message says.")
    vwap: float | None = number("Volume-weighted average price of the day, as the message says.")


class Greeks(MarketRow, table=True):
    """One option computation."""

    __tablename__ = "greeks"
    __table_args__ = _table("greeks", "Option computations: implied volatility and greeks.")
    __mapper_args__ = _IDENTITY

    kind: str = column(
        "bid, ask, last, model: IB's; vendor: the backup vendor's; computed: ours, of mid.", Text
    )
    iv: float | None = number("Implied volatility, annual, as a fraction (0.25, not 25).")
    delta: float | None = number("Change of the option price per 1.00 of the underlying.")
    gamma: float | None = number("Change of delta per 1.00 of the underlying.")
    vega: float | None = number("Change of the option price per volatility point (0.01).")
    theta: float | None = number("Change of the option price per calendar day.")
    option_price: float | None = number("Price of the option in the computation.")
    pv_dividend: float | None = number("Present value of the dividends expected until expiry.")
    underlying_price: float | None = number("Price of the underlying in the computation.")
    price_based: bool | None = column(
        "True: price-based computation; false: return-based; NULL: not said.", Boolean, null=True
    )


class InstrumentStat(MarketRow, table=True):
    """One changed statistic: narrow on purpose, one row a change."""

    __tablename__ = "instrument_stat"
    __table_args__ = _table(
        "instrument_stat", "Changed statistics (volume, halted, shortable, …); one row a change."
    )
    __mapper_args__ = _IDENTITY

    tick_type: int = column("IB tick type that caused the row.", SmallInteger)
    field: str = column("Name of the statistic, as the column of quote_latest is named.", Text)
    value: float | None = number("The value, when it is a number.")
    text_value: str | None = column("The value, when it is text.", Text, null=True)
