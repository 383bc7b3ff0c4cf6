"""What the gateway says to requests for data beside market-data lines, looked up by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ibcore.sim import (
    calculations,
    depth,
    historical,
    historicalticks,
    livebars,
    marketrules,
    tickbytick,
)
from ibcore.sim.contracts import Contract
from ibcore.sim.datarequests import Depth, RealTimeBars, SmartComponents, TickByTick
from ibcore.sim.observed import Quote
from ibcore.sim.refusals import SERVICE, Context, refuse, resolve, taken
from ibcore.sim.request import Request
from ibcore.sim.session import Session

Answer = Callable[[Any, Session, Any], None]


def _tick_by_tick(context: Context, session: Session, request: TickByTick) -> None:
    kind = tickbytick.KINDS.get(request.kind)
    if kind is None:
        refuse(session, request.req_id, f"Tick type is incorrect: {request.kind}")
        return
    contract = resolve(context, session, request.req_id, request.spec)
    if contract is None or taken(context, session, request.req_id):
        return
    streams = context.data.streams
    if not context.permissions.is_live(contract):
        text = "Failed to request tick-by-tick data:No market data permissions for "
        text += f"{contract.name.primary_exchange} {contract.sec_type}"
        session.error(request.req_id, 10189, text)
    elif contract.is_option:
        text = "Failed to request tick-by-tick data:Tick-by-tick data of options is historical only"
        session.error(request.req_id, 10189, text)
    elif not contract.shows(tickbytick.SHOWS[kind]):
        text = f"No {request.kind} data of {contract.symbol}/{contract.sec_type}"
        session.error(request.req_id, 10189, f"Failed to request tick-by-tick data:{text}")
    elif streams.count(tickbytick.NAME) >= tickbytick.LIMIT:
        text = "Max number of tick-by-tick requests has been reached."
        session.error(request.req_id, 10190, text)
    else:
        if request.count:
            historicalticks.newest(context, session, request, contract)
        line = tickbytick.TickByTick(
            session, request.req_id, contract, ticks=kind, ignore_size=request.ignore_size
        )
        context.data.open(line)


def _cancel(kind: str, code: int, text: str) -> Answer:
    """End a stream of this kind, or say that there is none."""

    def answer(context: Context, session: Session, request: Request) -> None:
        if not context.data.streams.cancel(session, request.req_id, kind):
            session.error(request.req_id, code, f"{text}:{request.req_id}")

    return answer


def _depth(context: Context, session: Session, request: Depth) -> None:
    contract = resolve(context, session, request.req_id, request.spec)
    if contract is None or taken(context, session, request.req_id):
        return
    streams = context.data.streams
    if not context.permissions.is_live(contract):
        session.error(request.req_id, 354, "Requested market data is not subscribed.")
    elif not _has_depth(contract, request):
        text = "Deep market data is not supported for this combination of security type/exchange"
        session.error(request.req_id, 10092, text)
    elif not 0 < request.rows <= depth.MAX_ROWS:
        refuse(session, request.req_id, f"Invalid number of rows: {request.rows}")
    elif streams.count(depth.NAME) >= depth.LIMIT:
        text = f"Max number ({depth.LIMIT}) of market depth requests has been reached."
        session.error(request.req_id, 309, text)
    else:
        book = depth.Depth(
            session, request.req_id, contract, rows=request.rows, smart=request.smart
        )
        context.data.open(book)
        values = context.source.board(contract).values
        standing = [max(float(values.get(tick, 0.0)), 0.0) for tick in (1, 0, 2, 3)]
        book.show(Quote(contract.con_id, *standing))


def _has_depth(contract: Contract, request: Depth) -> bool:
    """SMART shows depth only as smart depth, other exchanges only without."""
    if contract.sec_type in ("FUT", "CASH"):
        return not request.smart
    return contract.sec_type == "STK" and request.smart == (request.spec.exchange == "SMART")


def _real_time_bars(context: Context, session: Session, request: RealTimeBars) -> None:
    contract = resolve(context, session, request.req_id, request.spec)
    if contract is None or taken(context, session, request.req_id):
        return
    if not context.permissions.is_live(contract):
        venue = f"{contract.name.primary_exchange} {contract.sec_type}"
        text = f"Invalid Real-time Query:No market data permissions for {venue}"
        session.error(request.req_id, 420, text)
        return
    if request.show not in livebars.REAL_TIME_SHOWS:
        refuse(session, request.req_id, f"Incorrect data type {request.show!r} for real-time bars")
        return
    if not contract.shows(request.show):
        text = f"No {request.show} data of {contract.symbol}/{contract.sec_type}"
        session.error(request.req_id, 420, f"Invalid Real-time Query:{text}")
        return
    stream = livebars.RealTimeBars(
        session, request.req_id, contract, show=request.show, tally=context.data.tally
    )
    context.data.open(stream)


def _market_rule(_context: Any, session: Session, request: Any) -> None:
    increments = marketrules.increments(request.rule)
    if increments is None:
        session.error(-1, 321, f"Error validating request.-'bV' : cause - rule {request.rule}")
    else:
        session.send_message("market_rule", rule=request.rule, increments=increments)


def _depth_exchanges(_context: Context, session: Session, _request: Request) -> None:
    session.send_message("depth_exchanges", exchanges_details=marketrules.depth_exchanges())


def _components(_context: Context, session: Session, request: SmartComponents) -> None:
    listed = marketrules.components(request.exchange)
    if listed is None:
        refuse(session, request.req_id, f"Invalid BBO exchange {request.exchange!r}")
        return
    session.send_message("smart_components", req_id=request.req_id, components_details=listed)


def _says(name: str, *, with_id: bool = True, **values: Any) -> Answer:
    """Answer with a message that is always the same."""

    def answer(_context: Context, session: Session, request: Request) -> None:
        own = {"req_id": request.req_id} if with_id else {}
        session.send_message(name, **own, **values)

    return answer


def _family_codes(context: Any, session: Session, _request: Request) -> None:
    session.send_message("family_codes", codes_details=[1, context.config.account, ""])


def _denies(code: int, text: str) -> Answer:
    """Answer with an error."""

    def answer(_context: Context, session: Session, request: Request) -> None:
        session.error(request.req_id, code, text)

    return answer


def _scanner_parameters(_context: Context, session: Session, request: Request) -> None:
    """Refuse, and send an empty document: the error has no id, and clients wait for the answer."""
    session.error(request.req_id, 321, _INVALID + _NO_SCANNER)
    session.send_message("scanner_parameters", document=_NO_SCANNERS)


def _nothing(_context: Context, _session: Session, _request: Request) -> None:
    """Accept a request that has no answer."""


_INVALID: Final = "Error validating request.-'be' : cause - "
_NO_ADVISOR: Final = _INVALID + "FA data operations ignored for non FA customers."
_NO_GROUPS: Final = _INVALID + "Display groups are not supported by this gateway"
_NO_EXERCISE: Final = _INVALID + "Options cannot be exercised on this gateway"
_NO_VERIFICATION: Final = _INVALID + "Programs are not verified by this gateway"
_NO_SCANNER: Final = "Market scanners are not supported by this gateway"
_NO_SCANNERS: Final = (
    "<ScanParameterResponse><InstrumentList/><LocationTree/><ScanTypeList/></ScanParameterResponse>"
)
_NO_NEWS: Final = "News feed is not allowed."
_NO_ARTICLE: Final = "Failed to request news article:News is not supported by this gateway"

DATA_ANSWERS: Final[dict[int, Answer]] = {
    10: _depth,
    11: _cancel(depth.NAME, 310, "Can't find the subscribed market depth with tickerId"),
    12: _nothing,  # news bulletins: none are ever published
    13: _nothing,
    18: _denies(321, _NO_ADVISOR),
    19: _denies(321, _NO_ADVISOR),
    20: historical.historical_data,
    21: _denies(321, _NO_EXERCISE),
    22: _denies(162, SERVICE + _NO_SCANNER),
    23: _nothing,
    24: _scanner_parameters,
    25: historical.cancel_bars,
    50: _real_time_bars,
    51: _cancel(livebars.REAL_TIME, 300, "Can't find EId with tickerId"),
    52: _denies(10358, "Fundamentals data is not allowed."),
    53: _nothing,
    54: calculations.calculate,
    55: calculations.calculate,
    56: _nothing,
    57: _nothing,
    65: _denies(321, _NO_VERIFICATION),
    66: _denies(321, _NO_VERIFICATION),
    67: _denies(321, _NO_GROUPS),
    68: _denies(321, _NO_GROUPS),
    69: _denies(321, _NO_GROUPS),
    70: _nothing,
    72: _denies(321, _NO_VERIFICATION),
    73: _denies(321, _NO_VERIFICATION),
    79: _says("soft_dollar_tiers", tiers_details=[0]),
    80: _family_codes,
    82: _depth_exchanges,
    83: _components,
    84: _denies(10172, _NO_ARTICLE),
    85: _says("news_providers", with_id=False, providers_details=[0]),
    86: _denies(10276, _NO_NEWS),
    87: historical.head_timestamp,
    88: historical.histogram,
    89: historical.cancel_job,
    90: historical.cancel_job,
    91: _market_rule,
    96: historicalticks.historical_ticks,
    97: _tick_by_tick,
    98: _cancel(tickbytick.NAME, 300, "Can't find EId with tickerId"),
    100: _denies(10279, "Failed request WSH metadata:not supported by this gateway"),
    101: _nothing,
    102: _denies(10283, "Failed request WSH event data:not supported by this gateway"),
    103: _nothing,
    104: _says("user_info", branding=""),
}
