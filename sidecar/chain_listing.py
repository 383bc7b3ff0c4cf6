"""Which contracts exist: the underlying, the option class, and what is listed per expiry.

A listing costs one message per expiry and right (strike left blank), not one per strike, and is
kept for the trading day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from ib_async import IB, Contract, ContractDetails, Option

from ibcore.chain import ChainRequest
from ibcore.domain import ContractSpec
from ibcore.errors import RequestRejected
from ibcore.policy import Pacer
from sidecar import chain_plan
from sidecar.chain_plan import ChainClass
from sidecar.inquiry import contract_details, option_classes
from sidecar.qualify import Ambiguous, Failed, Outcome, Qualified, TimedOut, Unknown, qualify
from sidecar.refusal import Refused

ANSWER_S: Final = 10.0
NOTHING_STORED: Final = "Nothing was stored."

_Key = tuple[int, str, str, str, str]
_UNDERLYING_EXCHANGE: Final = {"STK": "SMART", "IND": ""}


@dataclass(slots=True)
class _Day:
    """What was asked for today; a new day begins with nothing."""

    day: date | None = None
    found: dict[_Key, list[ContractDetails]] = field(default_factory=dict)

    def of(self, day: date) -> dict[_Key, list[ContractDetails]]:
        if day != self.day:
            self.day, self.found = day, {}
        return self.found


class Listing:
    """Asks IB what there is, and remembers it for the trading day."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._known = _Day()

    async def underlying(self, ib: IB, wanted: ChainRequest) -> ContractDetails:
        """Return the one contract that the request names, or raise what it is instead."""
        exchange = _UNDERLYING_EXCHANGE[wanted.sec_type]
        spec = ContractSpec(wanted.underlying, wanted.sec_type, exchange, wanted.currency)
        (outcome,) = await qualify(ib, [spec], pacer=self._pacer, timeout_s=ANSWER_S)
        if isinstance(outcome, Qualified):
            return outcome.details
        raise _no_underlying(spec, outcome)

    async def option_class(self, ib: IB, underlying: Contract, wanted: ChainRequest) -> ChainClass:
        """Return the wanted trading class of the options on `underlying`."""
        try:
            rows = await option_classes(ib, underlying, pacer=self._pacer, timeout_s=ANSWER_S)
        except RequestRejected as no:
            raise Refused("no_chain", str(no), remedy=NOTHING_STORED) from no
        classes = [
            ChainClass(row.exchange, row.tradingClass, row.multiplier, tuple(row.expirations))
            for row in rows
        ]
        chosen = chain_plan.choose_class(
            classes, underlying.symbol, exchange=wanted.exchange, trading_class=wanted.trading_class
        )
        if chosen is None:
            raise _no_class(wanted, classes)
        return chosen

    async def contracts(
        self, ib: IB, underlying: Contract, chain: ChainClass, *, today: date, expiries: int
    ) -> dict[int, ContractDetails]:
        """Return the listed options of the nearest expiries, by contract id."""
        known = self._known.of(today)
        listed: dict[int, ContractDetails] = {}
        for expiry in chain_plan.choose_expiries(chain.expirations, today, expiries):
            for right in ("C", "P"):
                key = (underlying.conId, chain.trading_class, chain.exchange, expiry, right)
                if key not in known:
                    question = _wildcard(underlying, chain, expiry, right=right)
                    known[key] = await self._ask(ib, question)
                listed |= {one.contract.conId: one for one in known[key] if one.contract}
        return listed

    async def _ask(self, ib: IB, question: Contract) -> list[ContractDetails]:
        try:
            return await contract_details(ib, question, pacer=self._pacer, timeout_s=ANSWER_S)
        except RequestRejected as no:
            raise Refused("no_chain", f"{question.symbol}: {no}", remedy=NOTHING_STORED) from no


def _wildcard(underlying: Contract, chain: ChainClass, expiry: str, *, right: str) -> Contract:
    return Option(
        symbol=underlying.symbol,
        lastTradeDateOrContractMonth=expiry,
        right=right,
        exchange=chain.exchange,
        currency=underlying.currency,
        multiplier=chain.multiplier,
        tradingClass=chain.trading_class,
    )


def _no_underlying(spec: ContractSpec, outcome: Outcome) -> Refused:
    match outcome:
        case Unknown():
            kind, what = "unknown_underlying", f"IB knows no contract {spec}."
        case Ambiguous(candidates):
            found = sorted({one.contract.primaryExchange for one in candidates if one.contract})
            kind = "ambiguous_underlying"
            what = f"{spec} is ambiguous at IB ({len(candidates)} contracts: {', '.join(found)})."
        case Failed(code, text):
            kind, what = "underlying_refused", f"IB refused {spec} ({code}): {text}."
        case TimedOut(timeout_s):
            kind, what = "no_answer", f"IB did not answer about {spec} within {timeout_s:g} s."
        case _:
            raise TypeError(f"no failure: {outcome}")
    return Refused(kind, what, remedy=f"{NOTHING_STORED} Check symbol, kind and currency.")


def _no_class(wanted: ChainRequest, classes: Sequence[ChainClass]) -> Refused:
    there = sorted({f"{row.trading_class} on {row.exchange}" for row in classes})
    named = f"{wanted.trading_class or wanted.underlying} on {wanted.exchange}"
    if not there:
        return Refused("no_chain", f"{wanted.underlying} has no options.", remedy=NOTHING_STORED)
    return Refused(
        "no_chain",
        f"There are no options {named}; IB lists {', '.join(there[:10])}.",
        remedy=f"{NOTHING_STORED} Choose one of these.",
    )
