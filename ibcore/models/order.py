"""Batches of orders, their intents, and the evidence about them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    Index,
    Integer,
    Numeric,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ibcore.models.column import Row, column, described, moment


class OrderBatch(Row, table=True):
    """One batch."""

    __tablename__ = "order_batch"
    __table_args__ = (
        UniqueConstraint("key"),
        described("Batches of orders; one key is one batch, however often it is submitted."),
    )

    id: UUID | None = column("Id of the batch.", Uuid, default="gen_random_uuid()", key=True)
    key: str = column("Name given by whoever submits: the same key again is the same batch.", Text)
    body_hash: str = column(
        "Hash of the lines: the same key with another body is a conflict.", Text
    )
    submitted_by: str = column("Person, flow run or command.", Text)
    created_at: datetime | None = moment("When it was submitted.", default="clock_timestamp()")
    approved_by: str | None = column(
        "Who approved a live batch, as they typed it.", Text, null=True
    )


class OrderIntent(Row, table=True):
    """One order, change or cancel."""

    __tablename__ = "order_intent"
    __table_args__ = (
        UniqueConstraint("batch_id", "line"),
        Index(
            "order_intent_waiting_idx",
            "created_at",
            "line",
            postgresql_where=text("state = 'intent'"),
        ),
        Index(
            "order_intent_working_idx",
            "account",
            postgresql_where=text("state IN ('submitting', 'sent', 'acked', 'partial', 'unknown')"),
        ),
        Index(
            "order_intent_client_id_order_id_idx",
            "client_id",
            "order_id",
            unique=True,
            postgresql_where=text("kind = 'new' AND order_id IS NOT NULL"),
        ),
        Index(
            "order_intent_order_ref_idx",
            "order_ref",
            unique=True,
            postgresql_where=text("order_ref IS NOT NULL"),
        ),
        Index("order_intent_submitting_at_idx", "account", "submitting_at"),
        Index(
            "order_intent_parent_id_idx",
            "parent_id",
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        Index(
            "order_intent_target_id_idx",
            "target_id",
            postgresql_where=text("target_id IS NOT NULL"),
        ),
        described("Orders, changes and cancels, committed before IB hears of them."),
    )

    id: UUID | None = column(
        "Id of the intent; order_ref carries it to IB.", Uuid, default="gen_random_uuid()", key=True
    )
    batch_id: UUID = column("The batch.", Uuid, references="ibkeeper.order_batch.id")
    line: int = column(
        "Line of the batch, from 1; with the batch it is the idempotency key.", Integer
    )
    kind: str | None = column("new order, or modify or cancel of one.", Text, default="'new'")
    target_id: UUID | None = column(
        "The intent that is changed or cancelled.",
        Uuid,
        null=True,
        references="ibkeeper.order_intent.id",
    )
    parent_id: UUID | None = column(
        "The intent whose fill brings this one to life (bracket).",
        Uuid,
        null=True,
        references="ibkeeper.order_intent.id",
    )
    account: str = column("Account that trades.", Text)
    instrument_id: int | None = column(
        "What is traded; NULL: a combination.",
        Integer,
        null=True,
        references="ibkeeper.instrument.id",
    )
    legs: Any | None = column(
        "Legs of a combination: con_id, ratio, action, exchange.", JSONB, null=True
    )
    symbol: str = column("Symbol, for people and for combinations.", Text)
    sec_type: str = column("Kind of contract, in the words of IB.", Text)
    exchange: str | None = column("Where it is sent.", Text, default="'SMART'")
    currency: str | None = column("Currency of its prices.", Text, default="'USD'")
    side: str = column("BUY or SELL.", Text)
    quantity: Decimal = column("Shares or contracts.", Numeric(24, 9))
    order_type: str = column("Type, in the words of IB.", Text)
    limit_price: Decimal | None = column("Limit price.", Numeric(24, 9), null=True)
    stop_price: Decimal | None = column(
        "Price that triggers; of TRAIL the first one, if given.", Numeric(24, 9), null=True
    )
    trail_amount: Decimal | None = column(
        "How far a trailing stop follows, in the currency.", Numeric(24, 9), null=True
    )
    trail_percent: Decimal | None = column(
        "How far a trailing stop follows, in percent.", Numeric(24, 9), null=True
    )
    tif: str = column("Time in force: always said.", Text)
    outside_rth: bool | None = column("May fill outside regular hours.", Boolean, default="false")
    oca_group: str | None = column(
        "One of the orders of this name cancels the others when it fills.", Text, null=True
    )
    algo: str | None = column("Algorithm of IB, such as Adaptive.", Text, null=True)
    algo_params: Any | None = column("Its parameters.", JSONB, null=True)
    not_before: datetime | None = moment("Not sent before this.", null=True)
    not_after: datetime = moment("Not sent after this: it expires.")
    mid_at_intent: float | None = column(
        "Mid price when it was submitted; slippage is against this.", Double, null=True
    )
    created_at: datetime | None = moment("When it was submitted.", default="clock_timestamp()")
    state: str | None = column("What is known of it; docs/states.md.", Text, default="'intent'")
    reason: str | None = column("Why, one line for a person.", Text, null=True)
    state_at: datetime | None = moment("Since when.", default="clock_timestamp()")
    sidecar: str | None = column("Sidecar that sent it.", Text, null=True)
    epoch: int | None = column("Start of that sidecar: the fence.", Integer, null=True)
    client_id: int | None = column("API client id.", Integer, null=True)
    order_id: int | None = column(
        "Order id at IB, committed before the first byte.", BigInteger, null=True
    )
    order_ref: str | None = column("What IB echoes everywhere.", Text, null=True)
    perm_id: int | None = column("IB's permanent id.", BigInteger, null=True)
    submitting_at: datetime | None = moment("When id and reference were committed.", null=True)
    sent_at: datetime | None = moment("When the frame was handed to the transport.", null=True)
    filled: Decimal | None = column(
        "Executed, each execution once and as corrected.", Numeric(24, 9), default="0"
    )
    average_price: Decimal | None = column("Average price of that.", Numeric(24, 9), null=True)


class OrderEvent(Row, table=True):
    """One piece of evidence; never changed."""

    __tablename__ = "order_event"
    __table_args__ = (
        Index("order_event_intent_id_id_idx", "intent_id", "id"),
        described("What was heard or done about orders; the state of an intent is its fold."),
    )

    id: int | None = column("Order of writing.", BigInteger, identity=True)
    at: datetime = moment("When it was received, or done.")
    intent_id: UUID | None = column(
        "The intent; NULL: an order that is not ours.",
        Uuid,
        null=True,
        references="ibkeeper.order_intent.id",
    )
    sidecar: str | None = column("Sidecar that heard it.", Text, null=True)
    epoch: int | None = column("Start of that sidecar.", Integer, null=True)
    kind: str = column("Where the evidence comes from.", Text)
    order_id: int | None = column("Order id at IB.", BigInteger, null=True)
    perm_id: int | None = column("IB's permanent id.", BigInteger, null=True)
    status: str | None = column("Status, in the words of IB.", Text, null=True)
    code: int | None = column("Code of an error message.", Integer, null=True)
    state: str | None = column("State of the intent after it.", Text, null=True)
    detail: str | None = column("What it said, one line.", Text, null=True)
    raw: Any | None = column("The fields as they came.", JSONB, null=True)


class OrderIdHigh(Row, table=True):
    """The order ids given out."""

    __tablename__ = "order_id_high"
    __table_args__ = described("The highest order id given out, by client id; it never goes back.")

    client_id: int = column("API client id.", Integer, key=True)
    order_id: int = column("Highest order id ever given out: it never goes back.", BigInteger)
