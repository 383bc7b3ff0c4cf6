"""One order as a person writes it: a row of the form in Prefect's UI, or of a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from ibcore.batch.legs import EXAMPLE, LegLine, parse_legs, written
from ibcore.batch.values import Algo, AlgoParams, Code, Group, Price, Quantity, Symbol
from ibcore.domain import ContractSpec
from ibcore.form import in_order

LIMITED: Final = frozenset({"LMT", "STP LMT"})
STOPPED: Final = frozenset({"STP", "STP LMT"})


class OrderLine(BaseModel):
    """One order. Every field of a CSV file is a column of the same name."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=in_order)

    symbol: Symbol = Field(
        title="Symbol", description="As IB spells it, such as SPY; of the underlying for options."
    )
    side: Literal["BUY", "SELL"] = Field(title="Side", description="BUY or SELL.")
    quantity: Quantity = Field(
        title="Quantity",
        description="Shares, contracts of options and futures, or combinations; above 0.",
    )
    order_type: Literal["MKT", "LMT", "STP", "STP LMT", "TRAIL"] = Field(
        "LMT",
        title="Order type",
        description="MKT market, LMT limit, STP stop, STP LMT stop-limit, TRAIL trailing stop.",
    )
    limit_price: Price | None = Field(
        None,
        title="Limit price",
        description="Of LMT and STP LMT: buy at most, sell at least for this.",
        validate_default=True,
    )
    stop_price: Price | None = Field(
        None,
        title="Stop price",
        description="Of STP and STP LMT: the price that triggers.",
        validate_default=True,
    )
    trail_amount: Price | None = Field(
        None,
        title="Trailing amount",
        description="Of TRAIL: how far the stop follows, in the currency. Or give the percent.",
    )
    trail_percent: Price | None = Field(
        None,
        title="Trailing percent",
        description="Of TRAIL: how far the stop follows, in percent.",
        validate_default=True,
    )
    tif: Literal["DAY", "GTC", "IOC", "FOK"] = Field(
        "DAY",
        title="Time in force",
        description="DAY until the close, GTC until cancelled, IOC or FOK now or never.",
    )
    outside_rth: bool = Field(
        False, title="Outside regular hours", description="May fill before the open or after."
    )
    sec_type: Literal["STK", "OPT", "FUT", "CASH", "FOP", "BAG"] = Field(
        "STK",
        title="Kind",
        description="STK stock or ETF, OPT option, FUT future, CASH currency, BAG combination.",
    )
    expiry: Annotated[str, Field(pattern=r"^([0-9]{6}([0-9]{2})?)?$")] = Field(
        "",
        title="Expiry",
        description="YYYYMMDD, of options and futures.",
        validate_default=True,
    )
    strike: Price | None = Field(
        None, title="Strike", description="Of an option.", validate_default=True
    )
    right: Literal["", "C", "P"] = Field(
        "", title="Right", description="C call or P put.", validate_default=True
    )
    exchange: Code = Field("SMART", title="Exchange", description="SMART: IB routes it.")
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] = Field(
        "USD", title="Currency", description="ISO code."
    )
    primary_exchange: Code = Field(
        "", title="Primary exchange", description="Tells equal symbols apart; usually empty."
    )
    trading_class: Code = Field(
        "", title="Trading class", description="Such as SPXW; usually empty."
    )
    legs: str = Field(
        "",
        max_length=500,
        title="Legs",
        description="Of BAG: +1 GOOG 20261218 C 750; -1 GOOG 20261218 C 760. Signed contracts (or"
        " shares) of each leg in one combination; + is bought when the combination is.",
        validate_default=True,
    )
    parent: int | None = Field(
        None,
        ge=1,
        title="Parent",
        description="Number of the order of this batch whose fill brings this one to life, from 1.",
    )
    oca_group: Group = Field(
        "",
        title="One cancels all",
        description="A name: once one order of the batch with it is filled, the others are ended.",
    )
    algo: Algo = Field(
        "", title="Algorithm", description="Of IB, such as Adaptive, Twap, Vwap; empty: none."
    )
    algo_params: AlgoParams = Field(
        "",
        title="Algorithm's parameters",
        description="As IB names them: adaptivePriority=Normal; more after a semicolon.",
        validate_default=True,
    )
    not_before: AwareDatetime | None = Field(
        None,
        title="Not before",
        description="Waits until then, such as 2026-11-30T09:30-05:00. Not of a child.",
        validate_default=True,
    )

    @field_validator("side", "order_type", "tif", "sec_type", "right", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("symbol", "exchange", "currency", "primary_exchange", "trading_class")
    @classmethod
    def _as_ib_spells_it(cls, value: str) -> str:
        return value.strip().upper()

    @field_validator("limit_price", "stop_price")
    @classmethod
    def _price_of_its_type(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        kinds = LIMITED if info.field_name == "limit_price" else STOPPED
        kind = info.data.get("order_type")
        if kind in kinds and value is None:
            raise ValueError(f"is missing: an order of type {kind} needs it")
        if kind is not None and kind not in kinds and value is not None:
            raise ValueError(f"has no meaning: an order of type {kind} has none")
        return value

    @field_validator("trail_percent")
    @classmethod
    def _one_way_to_trail(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        amount, kind = info.data.get("trail_amount"), info.data.get("order_type")
        given = [each for each in (value, amount) if each is not None]
        if kind == "TRAIL" and (len(given) != 1 or given[0] <= 0):
            raise ValueError("TRAIL needs either an amount or a percent, above 0")
        if kind not in {"TRAIL", None} and given:
            raise ValueError(f"has no meaning: an order of type {kind} does not trail")
        return value

    @field_validator("expiry", "strike", "right")
    @classmethod
    def _whole_option(cls, value: Any, info: ValidationInfo) -> Any:
        kind = info.data.get("sec_type")
        needed = {"OPT", "FOP"} if info.field_name != "expiry" else {"OPT", "FOP", "FUT"}
        if kind in needed and value in (None, ""):
            raise ValueError(f"is missing: {kind} needs it")
        if kind is not None and kind not in needed and value not in (None, ""):
            raise ValueError(f"has no meaning: {kind} has none")
        return value

    @field_validator("legs")
    @classmethod
    def _whole_combination(cls, value: str, info: ValidationInfo) -> str:
        kind = info.data.get("sec_type")
        if kind == "BAG" and not value.strip():
            raise ValueError(f"is missing: BAG needs it, such as {EXAMPLE}")
        if kind not in {"BAG", None} and value.strip():
            raise ValueError(f"has no meaning: {kind} has none; a combination is of sec_type BAG")
        return written(parse_legs(value)) if value.strip() else ""

    @field_validator("algo_params")
    @classmethod
    def _of_an_algo(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("algo") == "":
            raise ValueError("has no meaning: no algorithm is named")
        return value

    @field_validator("not_before")
    @classmethod
    def _of_the_family(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("parent") is not None:
            raise ValueError("has no meaning: a child goes with its parent")
        return value

    @property
    def algo_tags(self) -> dict[str, str] | None:
        """Return the parameters of the algorithm by name; None: there are none."""
        pairs = (pair.strip().split("=", 1) for pair in self.algo_params.split(";") if pair)
        return {name: value.strip() for name, value in pairs} or None

    @property
    def combination(self) -> tuple[LegLine, ...]:
        """Return the legs of a combination; none: it is an instrument."""
        return parse_legs(self.legs) if self.legs else ()

    @property
    def contracts(self) -> tuple[ContractSpec, ...]:
        """Return what the line trades, as the watch list spells it: its legs, or the one."""
        return tuple(self._leg(leg) for leg in self.combination) or (self.contract,)

    def _leg(self, leg: LegLine) -> ContractSpec:
        listed = leg.sec_type == "STK"
        return ContractSpec(
            symbol=leg.symbol,
            sec_type=leg.sec_type,
            exchange=self.exchange,
            currency=self.currency,
            primary_exchange=self.primary_exchange if listed else "",
            expiry=leg.expiry,
            strike=float(leg.strike or 0),
            right=leg.right,
            trading_class="" if listed else self.trading_class,
        )

    @property
    def contract(self) -> ContractSpec:
        """Return the line's own instrument, as the watch list spells it."""
        return ContractSpec(
            symbol=self.symbol,
            sec_type=self.sec_type,
            exchange=self.exchange,
            currency=self.currency,
            primary_exchange=self.primary_exchange,
            expiry=self.expiry,
            strike=float(self.strike or 0),
            right=self.right,
            trading_class=self.trading_class,
        )

    def __str__(self) -> str:
        price = self.limit_price or self.stop_price or ""
        what = f"{self.contract} ({self.legs})" if self.legs else self.contract
        said = f"{self.side} {self.quantity:f} {what} {self.order_type} {price}".strip()
        after = f" after line {self.parent}" if self.parent else ""
        group = f" in {self.oca_group}" if self.oca_group else ""
        return f"{said}{after}{group}{self.algo and f' by {self.algo}'}"


def lost_children(lines: Sequence[OrderLine]) -> list[str]:
    """Return what is wrong with the parents that lines name, as line and column."""
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.parent is None:
            continue
        where = f"line {number}, column parent: {line.parent}"
        if line.parent >= number:
            wrong.append(f"{where} is no line before it")
        elif lines[line.parent - 1].parent is not None:
            wrong.append(f"{where} is a child itself")
    return wrong
