"""From what a person asks for to the contracts IB knows: N answers for N questions.

    Qualified(details)   exactly one contract matches
    Ambiguous(...)       several match; the candidates are there to choose from
    Unknown              IB knows none
    Failed(code, text)   IB refused the question
    TimedOut             no answer in time: says nothing about the contract

Order and length of the answers are those of the questions, a failure never costs the others
their answer, equal questions are asked once, and what was passed in is never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Final

import anyio
from ib_async import IB, Contract, ContractDetails, util

from ibcore.domain import ContractSpec
from ibcore.errors import (
    IbkeeperError,
    NotReady,
    RequestRejected,
    RequestTimedOut,
    SessionFailed,
)
from ibcore.notices import NO_SUCH_CONTRACT
from ibcore.policy import Pacer
from sidecar.inquiry import contract_details

TIMEOUT_S: Final = 10.0
MESSAGES_PER_S: Final = 40


@dataclass(frozen=True, slots=True)
class Qualified:
    """Exactly one contract matches."""

    details: ContractDetails

    @property
    def contract(self) -> Contract:
        """Return the full contract."""
        assert self.details.contract is not None
        return self.details.contract


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several contracts match."""

    candidates: tuple[ContractDetails, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """IB knows no such contract."""


@dataclass(frozen=True, slots=True)
class Failed:
    """IB refused the question."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer came in time."""

    timeout_s: float


Outcome = Qualified | Ambiguous | Unknown | Failed | TimedOut


async def qualify(
    ib: IB, specs: Sequence[ContractSpec], *, pacer: Pacer, timeout_s: float = TIMEOUT_S
) -> list[Outcome]:
    """Return one outcome for each of `specs`, in their order."""
    contracts = [contract_of(spec) for spec in specs]
    return await _qualify_all(ib, contracts, pacer=pacer, timeout_s=timeout_s)


async def qualify_contracts_async(
    ib: IB, *contracts: Contract, timeout_s: float = TIMEOUT_S
) -> list[Contract | None]:
    """Answer as ib_async's qualifyContractsAsync does, without touching the arguments."""
    pacer = Pacer(MESSAGES_PER_S)
    outcomes = await _qualify_all(ib, contracts, pacer=pacer, timeout_s=timeout_s)
    return [
        _filled_in(contract, outcome.contract) if isinstance(outcome, Qualified) else None
        for contract, outcome in zip(contracts, outcomes, strict=True)
    ]


def contract_of(spec: ContractSpec) -> Contract:
    """Return a new contract that asks what `spec` asks."""
    return Contract(
        secType=spec.sec_type,
        conId=spec.con_id,
        symbol=spec.symbol,
        lastTradeDateOrContractMonth=spec.expiry,
        strike=spec.strike,
        right=spec.right,
        multiplier=spec.multiplier,
        exchange=spec.exchange,
        primaryExchange=spec.primary_exchange,
        currency=spec.currency,
        tradingClass=spec.trading_class,
    )


async def _qualify_all(
    ib: IB, contracts: Sequence[Contract], *, pacer: Pacer, timeout_s: float
) -> list[Outcome]:
    questions = [repr(contract) for contract in contracts]  # Contract hashes by conId alone
    outcomes: dict[str, Outcome] = {}
    lost: list[IbkeeperError] = []

    async def ask(question: str, contract: Contract) -> None:
        try:
            outcomes[question] = await _qualify_one(ib, contract, pacer=pacer, timeout_s=timeout_s)
        except (SessionFailed, NotReady) as gone:
            lost.append(gone)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for question, contract in dict(zip(questions, contracts, strict=True)).items():
            group.start_soon(ask, question, contract, name=f"qualify {question}")
    if lost:
        raise lost[0]
    return [outcomes[question] for question in questions]


async def _qualify_one(ib: IB, contract: Contract, *, pacer: Pacer, timeout_s: float) -> Outcome:
    try:
        found = await contract_details(ib, copy(contract), pacer=pacer, timeout_s=timeout_s)
    except RequestRejected as no:
        return Unknown() if no.code == NO_SUCH_CONTRACT else Failed(no.code, str(no))
    except RequestTimedOut:
        return TimedOut(timeout_s)
    return judge(contract, found)


def judge(asked: Contract, found: Sequence[ContractDetails]) -> Outcome:
    """Turn IB's answer into an outcome, by the rules of ib_async (ib.py:2128-2178)."""
    matches = [one for one in found if one.contract is not None]
    if not matches:
        return Unknown()
    if len(matches) > 1 and asked.secType:
        # IB answers a question for FOP with EC contracts too.
        matches = [one for one in matches if _sec_type(one) == asked.secType]
    if len(matches) != 1:
        return Ambiguous(tuple(matches))
    return Qualified(_as_asked(matches[0], asked.exchange))


def _sec_type(details: ContractDetails) -> str:
    return details.contract.secType if details.contract else ""


def _as_asked(details: ContractDetails, exchange: str) -> ContractDetails:
    # Overwriting SMART with a venue can make an invalid contract.
    if exchange != "SMART" or details.contract is None:
        return details
    contract = copy(details.contract)
    contract.exchange = exchange
    return replace(details, contract=contract)


def _filled_in(asked: Contract, found: Contract) -> Contract:
    filled = copy(asked)
    util.dataclassUpdate(filled, found)
    return filled
