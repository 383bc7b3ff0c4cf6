"""The cache: one row an instrument with every current value."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Integer, Text

from ibcore.models.column import Row, column, described, moment, number


class QuoteLatest(Row, table=True):
    """Every current value of an instrument. UNLOGGED: empty after a crash of the server.

    The migration sets fillfactor 50, so that updates stay on their page (SQLAlchemy 2.0, the
    line of Python 3.10, cannot say that of a table).
    """

    __tablename__ = "quote_latest"
    __table_args__ = described(
        "Every current value, one row an instrument. UNLOGGED: a cache, not a record.",
        prefixes=["UNLOGGED"],
    )

    instrument_id: int = column("instrument.id; no foreign key (upsert speed).", Integer, key=True)
    ts: datetime = moment("Event time of the newest row.")
    recv_ts: datetime = moment("Arrival of the newest message (the Ticker's timestamp).")
    seq: int = column("seq of the newest row: an older one never overwrites it.", BigInteger)
    epoch: int = column("epoch of the newest row.", Integer)
    provider: str = column("Who the newest row came from.", Text)
    quality: str = column("Quality of the newest row.", Text)
    bid: float | None = number("Best bid.")
    bid_size: float | None = number("Size at the bid, shares or contracts.")
    ask: float | None = number("Best ask.")
    ask_size: float | None = number("Size at the ask, shares or contracts.")
    last: float | None = number("Last price.")
    last_size: float | None = number("Size of the last print, shares or contracts.")
    last_ts: datetime | None = moment(
        "Exchange time of the last print (tick 45, RTVolume).", null=True
    )
    volume: float | None = number("Volume of the day, shares or contracts.")
    vwap: float | None = number("Volume-weighted average price of the day.")
    open: float | None = number("Open of the day.")
    high: float | None = number("High of the day.")
    low: float | None = number("Low of the day.")
    close: float | None = number("Close of the day before.")
    mark: float | None = number("Mark price.")
    halted: float | None = number("0 not halted, 1 regulatory, 2 volatility; NULL unknown.")
    shortable: float | None = number("> 2.5 shares available, > 1.5 on locate, else none.")
    shortable_shares: float | None = number("Shares that can be borrowed.")
    volume_rate_3min: float | None = number("Volume of the last 3 minutes, shares.")
    volume_rate_5min: float | None = number("Volume of the last 5 minutes, shares.")
    volume_rate_10min: float | None = number("Volume of the last 10 minutes, shares.")
    avg_volume: float | None = number("Average daily volume, 90 days.")
    call_open_interest: float | None = number("Open interest of all calls, contracts.")
    put_open_interest: float | None = number("Open interest of all puts, contracts.")
    open_interest: float | None = number("Open interest of this option or future, contracts.")
    call_volume: float | None = number("Volume of all calls of the day, contracts.")
    put_volume: float | None = number("Volume of all puts of the day, contracts.")
    historical_volatility: float | None = number("30-day volatility, annual, fraction.")
    implied_volatility: float | None = number("30-day implied volatility, annual, fraction.")
    model_iv: float | None = number(
        "Model implied volatility, annual, fraction; of a backup vendor: its own, or computed."
    )
    model_delta: float | None = number("Model delta, per 1.00 of the underlying.")
    model_gamma: float | None = number("Model gamma, per 1.00 of the underlying.")
    model_vega: float | None = number("Model vega, per volatility point.")
    model_theta: float | None = number("Model theta, per calendar day.")
    model_price: float | None = number("Model price of the option.")
    pv_dividend: float | None = number("Present value of expected dividends.")
    underlying_price: float | None = number("Price of the underlying in the model.")
    bid_iv: float | None = number("Implied volatility at the bid, annual, fraction.")
    ask_iv: float | None = number("Implied volatility at the ask, annual, fraction.")
    last_iv: float | None = number("Implied volatility at the last price, annual, fraction.")
    bid_exchange: str | None = column("Exchanges at the bid, IB's letters.", Text, null=True)
    ask_exchange: str | None = column("Exchanges at the ask, IB's letters.", Text, null=True)
    last_exchange: str | None = column("Exchange of the last print.", Text, null=True)
