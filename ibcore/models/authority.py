"""Who may trade how much: limits, kill switch, arming, and what IB says of the accounts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Boolean, Index, Numeric, Text, text

from ibcore.models.column import Row, column, described, moment


class RiskLimit(Row, table=True):
    """One setting of one limit; never changed."""

    __tablename__ = "risk_limit"
    __table_args__ = (
        Index("risk_limit_account_name_id_idx", "account", "name", text("id DESC")),
        Index("risk_limit_previous_hash_idx", "previous_hash", unique=True),
        described(
            "Limits before the wire, and who changed them; the newest row of an account and name "
            "counts."
        ),
    )

    id: int | None = column(
        "Given by the database, in the order of the commits.", BigInteger, key=True
    )
    at: datetime | None = moment("When it was set.", default="clock_timestamp()")
    account: str = column(
        "Account; *: every account that has no row of its own.", Text, default="'*'"
    )
    name: str = column("Name of the limit; docs/orders.md says what each means.", Text)
    value: str | None = column("Value from now on; NULL: not set.", Text, null=True)
    before: str | None = column("Value until now; filled by the database.", Text, null=True)
    set_by: str = column("Who set it.", Text)
    reason: str = column("Why.", Text, default="''")
    previous_hash: str | None = column("Hash of the row before; empty: the first.", Text)
    row_hash: str | None = column("SHA-256 of this row and of the hash before it.", Text)


class KillSwitch(Row, table=True):
    """One stop, or its lifting; never changed."""

    __tablename__ = "kill_switch"
    __table_args__ = (
        Index("kill_switch_previous_hash_idx", "previous_hash", unique=True),
        described("Stops and their lifting; the newest row counts. No row: off."),
    )

    id: int | None = column(
        "Given by the database, in the order of the commits.", BigInteger, key=True
    )
    at: datetime | None = moment("When it was said.", default="clock_timestamp()")
    engaged: bool = column("True: nothing is sent and everything is cancelled.", Boolean)
    source: str = column("row, file or signal: what tripped it.", Text, default="'row'")
    sidecar: str | None = column("Sidecar whose file or signal it was.", Text, null=True)
    set_by: str = column("Person, or what tripped it.", Text)
    reason: str = column("Why.", Text)
    previous_hash: str | None = column("Hash of the row before; empty: the first.", Text)
    row_hash: str | None = column("SHA-256 of this row and of the hash before it.", Text)


class Arming(Row, table=True):
    """Permission to trade a live account for a while; never changed."""

    __tablename__ = "arming"
    __table_args__ = (
        Index("arming_account_id_idx", "account", text("id DESC")),
        Index("arming_previous_hash_idx", "previous_hash", unique=True),
        described("Until when a live account may trade; the newest row of an account counts."),
    )

    id: int | None = column(
        "Given by the database, in the order of the commits.", BigInteger, key=True
    )
    at: datetime | None = moment("When it was said.", default="clock_timestamp()")
    account: str = column("The live account.", Text)
    armed_until: datetime = moment(
        "When it ends by itself, at most a day later; now or before: disarmed."
    )
    set_by: str = column("Who armed it.", Text)
    reason: str = column("Why.", Text, default="''")
    previous_hash: str | None = column("Hash of the row before; empty: the first.", Text)
    row_hash: str | None = column("SHA-256 of this row and of the hash before it.", Text)


class AccountState(Row, table=True):
    """The newest word on one account."""

    __tablename__ = "account_state"
    __table_args__ = described(
        "What IB last said of each account of the gateway; risk and people read it."
    )

    account: str = column("Account.", Text, key=True)
    sidecar: str = column("Sidecar whose gateway has it.", Text)
    at: datetime = moment("When it was last heard of.")
    daily_pnl: Decimal | None = column(
        "Profit and loss of the day, in the currency of the account; NULL: IB has not said.",
        Numeric(18, 4),
        null=True,
    )
    unrealized_pnl: Decimal | None = column("Of open positions.", Numeric(18, 4), null=True)
    realized_pnl: Decimal | None = column("Of what was closed today.", Numeric(18, 4), null=True)
