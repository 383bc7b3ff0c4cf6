"""Option-chain snapshots: one row a snapshot, one row a contract."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CHAR,
    BigInteger,
    Date,
    Double,
    Index,
    Integer,
    Numeric,
    Text,
    Uuid,
    text,
)
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
    missing: int = column("All others: chain_quote says of each why.", Integer)
    seconds: float = column("How long it took, s.", Double)
    quality: str | None = column("Quality of the market data.", Text, null=True)
    params: dict[str, Any] = column("What was asked.", JSONB, default="'{}'::jsonb")
    forward: float | None = number(
        "Forward of the nearest expiry, from put-call parity; NULL: too few pairs."
    )
    rate: float | None = number(
        "Rate to the nearest expiry that has one, continuous, annual, fraction."
    )
    messages: int | None = column("Messages that the contracts cost.", Integer, null=True)
    floor_s: float | None = number(
        "Least time that those messages can take at the configured rate, s."
    )
    efficiency: float | None = number("floor_s / seconds.")


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
    state: str = column(
        "complete, partial, no_quote, missing, no_permission or error; docs/chains.md says what "
        "each means.",
        Text,
    )
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
    mid: float | None = number("Middle of bid and ask; NULL: one of them is not there.")
    own_iv: float | None = number(
        "Implied volatility of mid by our model (European, on the forward), annual, fraction."
    )
    own_delta: float | None = number("Delta by our model at own_iv.")
    own_gamma: float | None = number("Gamma by our model at own_iv.")
    own_vega: float | None = number("Vega by our model at own_iv, per volatility point.")
    own_theta: float | None = number("Theta by our model at own_iv, per calendar day.")
    iv_difference: float | None = number(
        "own_iv - iv: a check of IB's model against the market's middle."
    )
    error_code: int | None = column(
        "IB's code, where the state is error or no_permission.", Integer, null=True
    )


class ChainExpiry(Row, table=True):
    """One expiry of a snapshot."""

    __tablename__ = "chain_expiry"
    __table_args__ = described("What put-call parity says of each expiry of a snapshot.")

    snapshot_id: UUID = column(
        "The snapshot.",
        Uuid,
        key=True,
        references="ibkeeper.chain_snapshot.id",
        ondelete="CASCADE",
    )
    expiry: date = column("Last trade date.", Date, key=True)
    years: float = column("Time to it, years of 365 days.", Double)
    forward: float = column("Forward of the underlying; the spot where there are no pairs.", Double)
    rate: float | None = number("Continuous annual rate, fraction; NULL: the pairs do not say.")
    pairs: int = column("Strikes with a call and a put that it was read from.", Integer)


class ChainListing(Row, table=True):
    """The strikes of one expiry and right on one day."""

    __tablename__ = "chain_listing"
    __table_args__ = described(
        "Which strikes IB listed on which day; the contracts are in instrument."
    )

    underlying_con_id: int = column("IB contract id of the underlying.", BigInteger, key=True)
    trading_class: str = column("Trading class of the options.", Text, key=True)
    exchange: str = column("Exchange that was asked.", Text, key=True)
    expiry: date = column("Last trade date.", Date, key=True)
    right: str = column("C calls, P puts.", CHAR(1), key=True)
    listed_on: date = column("Trading day, New York.", Date, key=True)
    strikes: list[Decimal] = column("Strikes listed, ascending.", ARRAY(Numeric))
    added: list[Decimal] | None = column(
        "Strikes that were not there on the day before that was asked; NULL: none was.",
        ARRAY(Numeric),
        null=True,
    )
    delisted: list[Decimal] | None = column(
        "Strikes that were there then and are not now; NULL: none was asked.",
        ARRAY(Numeric),
        null=True,
    )
    params_hash: str = column(
        "Of IB's list of expiries and strikes: when that changes, it is asked anew.", Text
    )
    asked_at: datetime | None = moment(
        "When IB was asked last on that day.", default="clock_timestamp()"
    )
