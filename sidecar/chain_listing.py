"""Which contracts exist: the underlying, the option class, and what is listed per expiry.

A listing costs one message per expiry and right (strike left blank), not one per strike. It is
kept for the trading day, in memory and in `chain_listing` and `instrument`, so a new start asks
nothing again; it is asked anew when IB's list of expiries and strikes has changed since.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Final, NamedTuple

import anyio
from ib_async import IB, Contract, ContractDetails, FuturesOption, Option

from ibcore.chain import ChainRequest
from ibcore.domain import ContractSpec
from ibcore.errors import RequestRejected
from ibcore.notices import NO_SUCH_CONTRACT
from ibcore.policy import Pacer
from sidecar import chain_plan
from sidecar.chain_archive import Archive, Listed, Place
from sidecar.chain_plan import ChainClass
from sidecar.inquiry import contract_details, option_classes
from sidecar.qualify import Ambiguous, Failed, Outcome, Qualified, TimedOut, Unknown, qualify
from sidecar.refusal import Refused

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

ANSWER_S: Final = 10.0
NOTHING_STORED: Final = "Nothing was stored."

# What to ask for: a future by its continuous contract, which is the nearest one's.
_ASKED_AS: Final = {"STK": ("STK", "SMART"), "IND": ("IND", ""), "FUT": ("CONTFUT", "")}


class Wanted(NamedTuple):
    """Which expiries (YYYYMMDD) and rights (C, P)."""

    expiries: Sequence[str]
    rights: Sequence[str]


class Listing:
    """Asks IB what there is, and remembers it for the trading day."""

    def __init__(self, pacer: Pacer, archive: Archive) -> None:
        self._pacer = pacer
        self._archive = archive

    async def underlying(self, ib: IB, wanted: ChainRequest) -> ContractDetails:
        """Return the one contract that the request names, or raise what it is instead."""
        sec_type, exchange = _ASKED_AS[wanted.sec_type]
        spec = ContractSpec(wanted.underlying, sec_type, exchange, wanted.currency)
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
            ChainClass(
                row.exchange,
                row.tradingClass,
                row.multiplier,
                tuple(row.expirations),
                tuple(row.strikes),
            )
            for row in rows
        ]
        # Options on futures are quoted where the future is.
        exchange = wanted.exchange
        if wanted.sec_type == "FUT" and exchange == "SMART":
            exchange = underlying.exchange
        chosen = chain_plan.choose_class(
            classes, underlying.symbol, exchange=exchange, trading_class=wanted.trading_class
        )
        if chosen is None:
            raise _no_class(wanted, classes)
        return chosen

    async def contracts(
        self, ib: IB, underlying: ContractDetails, chain: ChainClass, *, today: date, wanted: Wanted
    ) -> list[Listed]:
        """Return the listed options of these expiries and rights; each is a row of `instrument`."""
        about = _contract(underlying)
        place = Place(about.conId, chain.trading_class, chain.exchange, today, chain.hash)
        known = await self._archive.known(place, wanted.expiries)
        cells = [(expiry, right) for expiry in wanted.expiries for right in wanted.rights]
        answers: dict[tuple[str, str], list[ContractDetails]] = {}

        async def one(expiry: str, right: str) -> None:
            question = _wildcard(about, chain, expiry, right=right)
            answers[expiry, right] = await self._ask(ib, question)

        async with collapsed(), anyio.create_task_group() as questions:
            for expiry, right in cells:
                if (expiry, right) not in known:
                    questions.start_soon(one, expiry, right, name=f"listing {expiry} {right}")
        if answers:
            known = {**known, **await self._archive.keep(place, answers)}
        return [listed for cell in cells for listed in known[cell]]

    async def _ask(self, ib: IB, question: Contract) -> list[ContractDetails]:
        try:
            return await contract_details(ib, question, pacer=self._pacer, timeout_s=ANSWER_S)
        except RequestRejected as no:
            if (
                no.code == NO_SUCH_CONTRACT
            ):  # IB names expiries that have no contract (yet, or more)
                return []
            raise Refused("no_chain", f"{question.symbol}: {no}", remedy=NOTHING_STORED) from no


@asynccontextmanager
async def collapsed() -> AsyncIterator[None]:
    """Raise the first failure of a task group as itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        first = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group


def _contract(details: ContractDetails) -> Contract:
    if details.contract is None:
        raise TypeError("contract details without a contract")
    return details.contract


def _wildcard(underlying: Contract, chain: ChainClass, expiry: str, *, right: str) -> Contract:
    kind = FuturesOption if underlying.secType in ("FUT", "CONTFUT") else Option
    return kind(
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
