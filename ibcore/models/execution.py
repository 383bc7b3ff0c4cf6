"""What was executed, what it cost, and what is held."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Double, Index, Integer, Numeric, Text, Uuid

from ibcore.models.column import Row, column, described, moment


class Execution(Row, table=True):
    """One execution, or a correction of one; never changed."""

    __tablename__ = "execution"
    __table_args__ = (
        Index("execution_intent_id_idx", "intent_id"),
        Index("execution_base_revision_idx", "base", "revision"),
        Index("execution_account_con_id_heard_at_idx", "account", "con_id", "heard_at"),
        described("What was executed; a correction is a row of its own with a higher revision."),
    )

    exec_id: str = column("IB's id of the execution.", Text, key=True)
    base: str = column("The id without its last part: corrections share it.", Text)
    revision: int = column("Its last part: the highest counts.", Integer)
    intent_id: UUID | None = column(
        "The intent; NULL: not ours.", Uuid, null=True, references="ibkeeper.order_intent.id"
    )
    at: datetime | None = moment("When it was executed.", null=True)
    account: str = column("Account.", Text)
    con_id: int = column("IB's contract id; of a combination IB's own.", BigInteger)
    symbol: str | None = column("Symbol.", Text, null=True)
    sec_type: str | None = column("Kind of contract.", Text, null=True)
    side: str = column("BUY or SELL.", Text)
    quantity: Decimal = column("Shares or contracts.", Numeric(24, 9))
    price: Decimal = column("Price.", Numeric(24, 9))
    exchange: str | None = column("Where.", Text, null=True)
    client_id: int | None = column("API client id of the order.", Integer, null=True)
    order_id: int | None = column("Order id at IB.", BigInteger, null=True)
    perm_id: int | None = column("IB's permanent id.", BigInteger, null=True)
    order_ref: str | None = column("Reference of the order.", Text, null=True)
    heard_at: datetime | None = moment("When it was first heard of.", default="clock_timestamp()")


class Commission(Row, table=True):
    """What an execution cost."""

    __tablename__ = "commission"
    __table_args__ = described("What an execution cost; it may be heard of before the execution.")

    exec_id: str = column("The execution.", Text, key=True)
    commission: Decimal | None = column("Commission.", Numeric(24, 9), null=True)
    currency: str | None = column("Its currency.", Text, null=True)
    realized_pnl: Decimal | None = column(
        "Realized profit and loss; NULL: none.", Numeric(24, 9), null=True
    )
    at: datetime | None = moment("When it was heard of.", default="clock_timestamp()")


class Position(Row, table=True):
    """What is held of one contract."""

    __tablename__ = "position"
    __table_args__ = described("What IB says is held, as of the last reconciliation.")

    account: str = column("Account.", Text, key=True)
    con_id: int = column("IB's contract id.", BigInteger, key=True)
    symbol: str = column("Symbol.", Text)
    sec_type: str = column("Kind of contract.", Text)
    quantity: Decimal = column("Shares or contracts; below zero: short.", Numeric(24, 9))
    average_cost: float | None = column("Average cost.", Double, null=True)
    sidecar: str = column("Sidecar that asked.", Text)
    at: datetime = moment("When IB said so.")


class PositionBaseline(Row, table=True):
    """What was held at the end of a report."""

    __tablename__ = "position_baseline"
    __table_args__ = described("What IB said was held at the last report of orders.")

    account: str = column("Account.", Text, key=True)
    con_id: int = column("IB's contract id.", BigInteger, key=True)
    symbol: str = column("Symbol.", Text)
    quantity: Decimal = column("Shares or contracts; below zero: short.", Numeric(24, 9))
    at: datetime = moment("When IB said so.")
