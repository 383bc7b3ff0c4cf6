"""What IB still had of gaps: kept apart from what was recorded live."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Double, Integer, Text, UniqueConstraint, Uuid

from ibcore.models.column import Row, column, described, moment, number

_FILL = "gap_fill.id."
_PLACE = "Order within the fill: several share a second."


class GapFill(Row, table=True):
    """What became of one instrument of one gap."""

    __tablename__ = "gap_fill"
    __table_args__ = (
        UniqueConstraint("sidecar", "instrument_id", "from_ts", "to_ts", name="gap_fill_once"),
        {
            "comment": "What became of each instrument of a gap when IB was asked for its history;"
            " one row each, written once."
        },
    )

    id: UUID | None = column("Given by the database.", Uuid, key=True, default="gen_random_uuid()")
    sidecar: str = column("Sidecar whose gap it is.", Text)
    instrument_id: int = column("instrument.id.", Integer)
    cause: str = column("Cause of the gap, as v_gap says it.", Text)
    from_ts: datetime = moment("Begin of the gap, as v_gap says it.")
    to_ts: datetime = moment("End of the gap.")
    state: str = column("filled, partial, empty (nothing happened, says IB) or unfillable.", Text)
    source: str = column("What was asked for: ticks or bars.", Text)
    quotes: int = column("Rows of backfill_quote.", Integer, default="0")
    trades: int = column("Rows of backfill_trade.", Integer, default="0")
    bars: int = column("Rows of backfill_bar.", Integer, default="0")
    reason: str | None = column("Why it is not all of it, for a person.", Text, null=True)
    request_id: UUID = column("The request that asked for it.", Uuid)
    filled_at: datetime | None = moment("When it was stored.", default="clock_timestamp()")


class BackfillQuote(Row, table=True):
    """Bid and ask of a gap."""

    __tablename__ = "backfill_quote"
    __table_args__ = described("Bid and ask that IB's history had of a gap; never live.")

    instrument_id: int = column("instrument.id.", Integer, key=True)
    ts: datetime = moment("IB's time of the tick, a whole second.", key=True)
    fill_id: UUID = column(_FILL, Uuid, key=True, references="ibkeeper.gap_fill.id")
    place: int = column(_PLACE, Integer, key=True)
    bid: float | None = number("Best bid, in the instrument's currency; NULL: none.")
    bid_size: float | None = number("Size at the bid, in shares or contracts.")
    ask: float | None = number("Best ask, in the instrument's currency; NULL: none.")
    ask_size: float | None = number("Size at the ask, in shares or contracts.")


class BackfillTrade(Row, table=True):
    """Prints of a gap."""

    __tablename__ = "backfill_trade"
    __table_args__ = described("Prints that IB's history had of a gap; never live.")

    instrument_id: int = column("instrument.id.", Integer, key=True)
    ts: datetime = moment("IB's time of the print, a whole second.", key=True)
    fill_id: UUID = column(_FILL, Uuid, key=True, references="ibkeeper.gap_fill.id")
    place: int = column(_PLACE, Integer, key=True)
    price: float = column("Price of the print, in the instrument's currency.", Double)
    size: float | None = number("Size of the print, in shares or contracts.")
    exchange: str | None = column("Where it was traded.", Text, null=True)
    conditions: str | None = column("Special conditions, as IB writes them.", Text, null=True)


class BackfillBar(Row, table=True):
    """One-minute bars of a long gap."""

    __tablename__ = "backfill_bar"
    __table_args__ = described("One-minute bars that IB's history had of a long gap; never live.")

    instrument_id: int = column("instrument.id.", Integer, key=True)
    ts: datetime = moment("Start of the minute.", key=True)
    kind: str = column("What it is made of: trades or midpoint.", Text, key=True)
    fill_id: UUID = column(_FILL, Uuid, key=True, references="ibkeeper.gap_fill.id")
    open: float = column("First price.", Double)
    high: float = column("Highest price.", Double)
    low: float = column("Lowest price.", Double)
    close: float = column("Last price.", Double)
    volume: float | None = number("Shares or contracts; NULL: not of this kind.")
    vwap: float | None = number("Volume-weighted mean price; NULL: not of this kind.")
    trades: int | None = column("Prints; NULL: not of this kind.", Integer, null=True)
