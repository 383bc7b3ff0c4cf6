"""What the gateway says to each request: one function a message, looked up by its number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from ibcore.sim import details, hours, requests
from ibcore.sim.config import Clock, SimConfig
from ibcore.sim.dataanswers import DATA_ANSWERS
from ibcore.sim.datadesk import DataDesk
from ibcore.sim.farms import Farms
from ibcore.sim.orderanswers import ORDER_ANSWERS
from ibcore.sim.session import Session
from ibcore.sim.source import Source
from ibcore.sim.subscriptions import Subscriptions
from ibcore.sim.trading import Trading


class Context(Protocol):
    """What the answers need of the gateway."""

    config: SimConfig
    clock: Clock
    source: Source
    subscriptions: Subscriptions
    data: DataDesk
    trading: Trading
    farms: Farms


# What IB knows; of most there is nothing here (200). Anything else is no security type (321).
_KINDS: Final = frozenset({
    "STK", "OPT", "IND", "FUT", "CASH", "FOP", "BOND", "CMDTY", "CFD", "CRYPTO", "FUND", "WAR",
    "IOPT", "CONTFUT", "FUT+CONTFUT", "NEWS",
})  # fmt: skip


def greet(context: Context, session: Session) -> None:
    """Send what follows startApi: accounts BEFORE the next order id, then the farms."""
    session.send_message("managed_accounts", accounts=context.config.account)
    order_id = context.trading.book.ids.next(session.client_id)
    session.send_message("next_valid_id", order_id=order_id)
    context.farms.greet(session)


def _market_data(context: Context, session: Session, request: requests.MarketData) -> None:
    config = context.config
    context.subscriptions.open(
        session,
        request,
        now=context.clock.monotonic(),
        snapshot_s=config.snapshot_s * config.cadence_scale,
    )


def _cancel_market_data(context: Context, session: Session, request: requests.Request) -> None:
    context.subscriptions.cancel(session, request.req_id)


def _contract_details(
    context: Context, session: Session, request: requests.ContractDetails
) -> None:
    spec = request.spec
    if spec.sec_type == "BAG" or (not spec.con_id and spec.sec_type not in _KINDS):
        bag = "'BAG' isn't supported for contract data request. "
        cause = (bag if spec.sec_type == "BAG" else "") + "Please enter a valid security type"
        session.error(request.req_id, 321, f"Error validating request.-'bQ' : cause - {cause}")
        return
    found = context.source.universe.find(spec)
    if not found:
        text = "No security definition has been found for the request"
        session.error(request.req_id, 200, text)
        return
    today = hours.new_york_date(context.clock.utcnow())
    for contract in found:
        session.send(
            details.details(request.req_id, contract, spec, today=today, version=session.version)
        )
    session.send_message("contract_details_end", req_id=request.req_id)


def _option_parameters(
    context: Context, session: Session, request: requests.OptionParameters
) -> None:
    universe = context.source.universe
    known = universe.by_id.get(request.con_id)
    if known is None or known.is_option or request.sec_type != known.sec_type:
        cause = "Invalid contract id" if known is None else "Invalid security type"
        session.error(request.req_id, 321, f"Error validating request.-'bP' : cause - {cause}")
        return
    chain = universe.options(known.symbol)
    for data in details.option_parameters(request.req_id, chain, version=session.version):
        session.send(data)


def _market_data_type(
    _context: Context, session: Session, request: requests.MarketDataType
) -> None:
    # For lines that are opened from now on; who may see live data goes on seeing it (58 says 1).
    session.market_data_kind = request.kind


def _current_time(context: Context, session: Session, _request: requests.Request) -> None:
    session.send_message("current_time", time=context.clock.unix_ns() // 1_000_000_000)


def _matching_symbols(
    context: Context, session: Session, request: requests.MatchingSymbols
) -> None:
    matches = context.source.universe.matching(request.pattern)
    session.send(details.symbol_samples(request.req_id, matches, version=session.version))


def _managed_accounts(context: Context, session: Session, _request: requests.Request) -> None:
    session.send_message("managed_accounts", accounts=context.config.account)


def _nothing(_context: Context, _session: Session, _request: requests.Request) -> None:
    """Accept a request that has no answer."""


Answer = Callable[[Any, Session, Any], None]

ANSWERS: Final[dict[int, Answer]] = {
    1: _market_data,
    2: _cancel_market_data,
    9: _contract_details,
    14: _nothing,
    17: _managed_accounts,
    49: _current_time,
    59: _market_data_type,
    78: _option_parameters,
    81: _matching_symbols,
    **DATA_ANSWERS,
    **ORDER_ANSWERS,
}
