"""What a backfill is asked for: one model, rendered in the Prefect UI, checked again at work.

Flows and sidecar meet in the `request` table; `BackfillRequest` is the shape of its payload for
the kind `gap_backfill`. What came back stands in `gap_fill`, `backfill_quote`, `backfill_trade`
and `backfill_bar`: tables of their own, so that nothing of it can pass as live.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ibcore.domain import StrEnum

KIND: Final = "gap_backfill"
FILLED_BY: Final = "gap-backfill"


class FillState(StrEnum):
    """What became of one instrument of one gap."""

    filled = "filled"
    partial = "partial"
    empty = "empty"
    unfillable = "unfillable"


class FillSource(StrEnum):
    """What IB was asked for."""

    ticks = "ticks"
    bars = "bars"


class BarKind(StrEnum):
    """What the bars are made of."""

    trades = "trades"
    midpoint = "midpoint"


class BackfillRequest(BaseModel):
    """Which gaps to fill, with what, and how long that may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lookback_days: int = Field(
        7, ge=1, le=3650, title="Look back (days)", description="Gaps that ended longer ago stay."
    )
    shortest_s: float = Field(
        5.0,
        ge=0,
        title="Shortest gap (s)",
        description="Shorter gaps are left: IB's history has whole seconds.",
    )
    how: Literal["auto", "ticks", "bars"] = Field(
        "auto",
        title="Ticks or bars",
        description="auto: ticks of short gaps, one-minute bars of long ones.",
    )
    ticks_up_to_s: float = Field(
        1800.0,
        gt=0,
        title="Ticks up to (s)",
        description="With auto: a longer gap is filled with bars, which cost two questions.",
    )
    questions: int = Field(
        60,
        ge=2,
        le=1000,
        title="Questions",
        description="At most so many are asked of IB; a question for bid and ask counts twice. "
        "IB takes 60 in ten minutes.",
    )
    deadline_s: float = Field(
        600.0,
        ge=15,
        le=21_600,
        title="Deadline (s)",
        description="What is not done by then is left for the next run.",
    )
