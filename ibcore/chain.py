"""What a chain snapshot is asked for: one model, rendered in the Prefect UI, checked again at work.

Flows and sidecar meet in the `request` table; `ChainRequest` is the shape of its payload for
the kind `chain_snapshot`. Text that reaches IB's wire is held to plain letters and digits: a
NUL in a symbol would end the field and write the next one.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

KIND: Final = "chain_snapshot"

Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 .]{0,15}$")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,16}$")]


class ChainRequest(BaseModel):
    """Which contracts of an option chain to quote, and how long that may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    underlying: Symbol = Field(
        "SPY", title="Underlying", description="Symbol as IB spells it, such as SPY or BRK B."
    )
    sec_type: Literal["STK", "IND", "FUT"] = Field(
        "STK",
        title="Kind of underlying",
        description="STK: stock or ETF. IND: index, such as SPX. FUT: the nearest future, such as "
        "ES, with its futures options.",
    )
    exchange: Code = Field(
        "SMART", title="Exchange", description="Where the options are quoted; SMART: best of all."
    )
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] = Field(
        "USD", title="Currency", description="ISO code of the underlying's currency."
    )
    trading_class: Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{0,16}$")] = Field(
        "",
        title="Trading class",
        description="Such as SPXW for SPX weeklies. Empty: the class named as the underlying.",
    )
    expiries: int = Field(
        2, ge=1, le=30, title="Expiries", description="How many, the nearest first."
    )
    min_dte: int | None = Field(
        None,
        ge=0,
        le=3_650,
        title="Earliest expiry (days)",
        description="Calendar days from today.",
    )
    max_dte: int | None = Field(
        None,
        ge=0,
        le=3_650,
        title="Latest expiry (days)",
        description="Calendar days from today. With it every expiry up to there, not a count.",
    )
    rights: Literal["both", "C", "P"] = Field(
        "both", title="Calls or puts", description="both, C: calls only, P: puts only."
    )
    strikes: int = Field(
        16,
        ge=1,
        le=500,
        title="Strikes per expiry",
        description="How many, the nearest to the spot first; each is a call and a put.",
    )
    window_percent: float | None = Field(
        None,
        gt=0,
        le=100,
        title="Strike window (%)",
        description="Instead of the count: every strike within this many percent of the spot.",
    )
    min_delta: float | None = Field(
        None,
        gt=0,
        lt=0.5,
        title="Smallest delta",
        description="Instead of the count: every strike whose option out of the money has at least "
        "this delta, such as 0.05; by the volatility at the money.",
    )
    open_interest: bool = Field(
        False,
        title="Wait for open interest and volume",
        description="A contract is complete only with these too. They are stored in any case when "
        "they come in time.",
    )
    deadline_s: float = Field(
        120.0,
        ge=5,
        le=3600,
        title="Deadline (s)",
        description="The request ends after this long, whatever it has. "
        "A contract costs two messages, so about 22 contracts a second are possible.",
    )
    contract_deadline_s: float = Field(
        3.0,
        ge=0.2,
        le=15,
        title="Patience per contract (s)",
        description="A contract without bid, ask and model greeks is taken as it is after this.",
    )

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> ChainRequest:
        if self.window_percent is not None and self.min_delta is not None:
            raise ValueError("give a strike window or a smallest delta, not both")
        if (self.max_dte or math.inf) < (self.min_dte or 0):
            raise ValueError("the latest expiry comes before the earliest")
        return self

    @field_validator("underlying", "exchange", "currency", "trading_class")
    @classmethod
    def _as_ib_spells_it(cls, value: str) -> str:
        return value.strip().upper()
