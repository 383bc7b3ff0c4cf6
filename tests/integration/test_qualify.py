"""Qualifying against the simulated gateway, over a socket, with the real ib_async."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ib_async import IB, Contract, Option, Stock

from ibcore.config import TickDefaults
from ibcore.domain import ContractSpec
from ibcore.errors import NotReady, SessionFailed
from ibcore.policy import Pacer
from ibcore.sim.server import Gateway, SimConfig
from sidecar.ib_compat import make_ib
from sidecar.qualify import (
    Ambiguous,
    Failed,
    Qualified,
    TimedOut,
    Unknown,
    qualify,
    qualify_contracts_async,
)
from sidecar.tap import LineTap
from tests.integration.sweeping import connected, deaf_gateway

pytestmark = pytest.mark.anyio

UNPACED = 10_000
KNOWN = ("AAPL", "MSFT", "SPY", "QQQ")
UNKNOWN = ("NOPE", "ZZZZ", "aapl;--", "ÄÖ")

contracts = st.lists(
    st.one_of(
        st.sampled_from(KNOWN).map(lambda symbol: Stock(symbol, "SMART", "USD")),
        st.sampled_from(UNKNOWN).map(lambda symbol: Stock(symbol, "SMART", "USD")),
        st.sampled_from(KNOWN).map(lambda symbol: Option(symbol, exchange="SMART")),  # ambiguous
        st.builds(lambda: Stock("AA\0PL", "SMART", "USD")),
        st.builds(Contract),
    ),
    max_size=8,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(asked=contracts)
async def test_n_contracts_get_n_answers_in_their_order_and_are_never_changed(
    asked: list[Contract],
) -> None:
    before = deepcopy(asked)
    async with Gateway(SimConfig()) as gateway, connected(gateway, LineTap()) as ib:
        answers = await qualify_contracts_async(ib, *asked)
    assert asked == before
    assert [vars(contract) for contract in asked] == [vars(contract) for contract in before]
    assert len(answers) == len(asked)
    for question, answer in zip(asked, answers, strict=True):
        if isinstance(question, Stock) and question.symbol in KNOWN:
            assert type(answer) is Stock
            assert answer is not question
            assert (answer.symbol, answer.exchange) == (question.symbol, "SMART")
            assert answer.conId > 0
        else:
            assert answer is None


async def test_answers_are_those_of_ib_async_itself() -> None:
    asked = [Stock("AAPL", "SMART", "USD"), Stock("NOPE", "SMART", "USD"), Option("SPY")]
    async with Gateway(SimConfig()) as gateway, connected(gateway, LineTap()) as ib:
        ours = await qualify_contracts_async(ib, *asked)
        theirs = await ib.qualifyContractsAsync(*deepcopy(asked))
    assert ours == theirs
    assert [type(answer) for answer in ours] == [type(answer) for answer in theirs]


async def test_equal_questions_are_asked_once() -> None:
    specs = [ContractSpec("AAPL"), ContractSpec("MSFT"), ContractSpec("AAPL")] * 5
    async with Gateway(SimConfig()) as gateway, connected(gateway, LineTap()) as ib:
        answers = await qualify(ib, specs, pacer=Pacer(UNPACED))
        asked = [request for request in gateway.ledger.requests if request.msg_id == 9]
    assert [type(answer) for answer in answers] == [Qualified] * 15
    assert len(asked) == 2


async def test_every_kind_of_failure_has_its_own_outcome() -> None:
    specs = [
        ContractSpec("SPY"),
        ContractSpec("NOPE"),
        ContractSpec("SPY", "OPT"),
        ContractSpec("S\0PY"),
    ]
    async with Gateway(SimConfig()) as gateway, connected(gateway, LineTap()) as ib:
        answers = await qualify(ib, specs, pacer=Pacer(UNPACED))
    assert [type(answer) for answer in answers] == [Qualified, Unknown, Ambiguous, Failed]


async def test_a_control_character_never_reaches_the_wire() -> None:
    async with Gateway(SimConfig()) as gateway, connected(gateway, LineTap()) as ib:
        await qualify(ib, [ContractSpec("AAPL\0" + "99")], pacer=Pacer(UNPACED))
        assert [request for request in gateway.ledger.requests if request.msg_id == 9] == []


async def test_a_gateway_that_does_not_answer_is_no_reason_to_wait_for_ever() -> None:
    async with deaf_gateway() as gateway, connected(gateway, LineTap()) as ib:
        answers = await qualify(
            ib, [ContractSpec("SPY"), ContractSpec("AAPL")], pacer=Pacer(UNPACED), timeout_s=0.1
        )
    assert answers == [TimedOut(0.1), TimedOut(0.1)]


async def test_a_lost_session_is_an_error_and_no_answer() -> None:
    async with deaf_gateway() as gateway, connected(gateway, LineTap()) as ib:
        gateway.on_details = gateway.drop_all
        with pytest.raises(SessionFailed, match="session was lost"):
            await qualify(ib, [ContractSpec("SPY")], pacer=Pacer(UNPACED), timeout_s=5)


async def test_without_a_session_the_question_is_refused_at_once() -> None:
    ib: IB = make_ib(TickDefaults(), LineTap())
    with pytest.raises(NotReady):
        await qualify(ib, [ContractSpec("SPY")], pacer=Pacer(UNPACED))
