"""One question to the gateway, one typed answer, always within a deadline.

ib_async has no deadline for requests, answers an error with an empty list, and never ends a
request that is refused with 321 (wrapper.py:1529 counts it as a warning). Here a refusal is
RequestRejected with its code, silence is RequestTimedOut, and a lost session is SessionLost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio
from ib_async import IB, Contract, ContractDetails, OptionChain

from ibcore.clock import monotonic
from ibcore.errors import NotReady, RequestRejected, RequestTimedOut, SessionLost
from ibcore.notices import Action, classify
from ibcore.policy import Pacer

_T = TypeVar("_T")

FATAL = frozenset({Action.fail_request, Action.fail_session, Action.drop_line})


async def paced(pacer: Pacer) -> None:
    """Wait for this message's turn and count it as sent."""
    while (wait_s := pacer.wait_s(monotonic())) > 0:  # noqa: ASYNC110 (nothing signals time)
        await anyio.sleep(wait_s)
    pacer.sent(monotonic())


def refuse_control_characters(contract: Contract) -> None:
    """Refuse text that would end a field of the wire and write the next one."""
    for name, value in vars(contract).items():
        if isinstance(value, str) and any(ord(letter) < 32 for letter in value):
            raise RequestRejected(
                f"The field {name} holds a control character.",
                remedy="Nothing was sent; correct it.",
            )


async def contract_details(
    ib: IB, contract: Contract, *, pacer: Pacer, timeout_s: float
) -> list[ContractDetails]:
    """Ask for the details of `contract`; blank fields match anything."""
    refuse_control_characters(contract)

    def send(req_id: int) -> None:
        ib.client.reqContractDetails(req_id, contract)

    return await ask(ib, send, ib.wrapper.contractDetailsEnd, pacer=pacer, timeout_s=timeout_s)


async def option_classes(
    ib: IB, underlying: Contract, *, pacer: Pacer, timeout_s: float
) -> list[OptionChain]:
    """Ask which option classes, expiries and strikes exist on `underlying`: one message."""

    def send(req_id: int) -> None:
        is_future = underlying.secType in ("FUT", "CONTFUT")
        exchange, kind = (underlying.exchange, "FUT") if is_future else ("", underlying.secType)
        ib.client.reqSecDefOptParams(req_id, underlying.symbol, exchange, kind, underlying.conId)

    end = ib.wrapper.securityDefinitionOptionParameterEnd
    return await ask(ib, send, end, pacer=pacer, timeout_s=timeout_s)


async def ask(
    ib: IB,
    send: Callable[[int], None],
    end: Callable[[int], None],
    *,
    pacer: Pacer,
    timeout_s: float,
) -> list[Any]:
    """Send a question and return its answer; `end` tells ib_async that a refused one is over."""
    await paced(pacer)
    try:
        req_id = ib.client.getReqId()
    except ConnectionError as gone:
        raise NotReady("The session to the gateway is not open.") from gone
    answer: asyncio.Future[list[Any]] = ib.wrapper.startReq(req_id)
    answer.add_done_callback(_read)
    with _refusals(ib, req_id) as refusal:
        send(req_id)
        try:
            return await _first(answer, refusal, timeout_s=timeout_s)
        except RequestRejected:
            # 321 leaves it open for ever. A request that merely timed out stays open on purpose:
            # ib_async logs a KeyError for every late answer to a request that it has forgotten.
            end(req_id)
            raise


async def _first(
    answer: asyncio.Future[_T], refusal: asyncio.Future[_T], *, timeout_s: float
) -> _T:
    await asyncio.wait({answer, refusal}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    if refusal.done():  # before `answer`: ib_async ends a refused request with an empty list
        return refusal.result()
    if not answer.done():
        raise RequestTimedOut(
            f"The gateway did not answer within {timeout_s:g} s.",
            remedy="Nothing was changed; ask again.",
        )
    try:
        return answer.result()
    except ConnectionError as gone:
        raise SessionLost("The session was lost before the gateway answered.") from gone


@contextmanager
def _refusals(ib: IB, req_id: int) -> Iterator[asyncio.Future[Any]]:
    refusal: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    refusal.add_done_callback(_read)

    def on_error(about: int, code: int, text: str, _contract: Contract | None) -> None:
        if about == req_id and classify(code, has_request=True).action in FATAL:
            _fail(refusal, RequestRejected(f"IB refused ({code}): {text}", code=code))

    def on_lost() -> None:
        _fail(refusal, SessionLost("The session was lost before the gateway answered."))

    ib.errorEvent += on_error
    ib.disconnectedEvent += on_lost
    try:
        yield refusal
    finally:
        ib.errorEvent -= on_error
        ib.disconnectedEvent -= on_lost
        refusal.cancel()


def _read(future: asyncio.Future[Any]) -> None:
    # An error that nobody reads is reported by asyncio when the future is collected.
    if not future.cancelled():
        future.exception()


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
