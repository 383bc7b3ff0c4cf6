"""Answers about the past: bars (17, 90), schedules (106), first dates (88), histograms (89).

Requests are checked in IB's order: the contract, the form, the pacing; then a job collects the
grains a day at a time and the answer goes out whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Final

import numpy as np

from ibcore.sim import bars, grains, hours, periods
from ibcore.sim.archive import OWN_SERIES, Query
from ibcore.sim.contracts import Contract
from ibcore.sim.datadesk import Job
from ibcore.sim.datarequests import HeadTimestamp, Histogram, HistoricalData
from ibcore.sim.grains import Grains
from ibcore.sim.historypacing import VIOLATION
from ibcore.sim.livebars import KEPT, KeptBars
from ibcore.sim.refusals import (
    SERVICE,
    Context,
    nothing_of,
    permitted,
    refuse,
    resolve,
    taken,
    warn_of_zone,
)
from ibcore.sim.request import Request
from ibcore.sim.session import Session

PRICE_SHOWS: Final = ("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST")
SHOWS: Final = (*PRICE_SHOWS, *OWN_SERIES, "SCHEDULE")
MAX_BARS: Final = 60_000
_MAX_FINE_S: Final = {1: 2_000, 5: 86_400, 10: 86_400, 15: 86_400, 30: 86_400}
_BACK_ONE_DAY: Final = periods.Duration(1, "D")


# -- bars ------------------------------------------------------------------------------------


def historical_data(context: Context, session: Session, request: HistoricalData) -> None:
    """Answer reqHistoricalData (20)."""
    contract = resolve(context, session, request.req_id, request.spec)
    if contract is None or not permitted(context, session, request.req_id, contract):
        return
    try:
        query, span = _query(context, contract, request)
    except periods.BadPeriod as bad:
        refuse(session, request.req_id, str(bad), bad.code)
        return
    if request.keep and taken(context, session, request.req_id):
        return
    warn_of_zone(session, request.req_id, request.end)
    if not _paced(context, session, request, contract, span):
        return
    if request.show == "SCHEDULE":
        _schedule(context, session, request, query)
        return
    if request.keep:  # first, so that the source's clock runs from now on
        _keep(context, session, request, contract, span)
    context.data.start(session, request.req_id, _bars(context, session, request, query, span))


def _query(context: Context, contract: Contract, request: HistoricalData) -> tuple[Query, int]:
    span = periods.bar_span(request.bar_size)
    back = periods.duration(request.duration)
    _check_show(contract, request)
    if request.keep and (request.end or span < 5 or request.show not in PRICE_SHOWS):
        raise periods.BadPeriod(
            "Data kept up to date has no end date, bars of 5 seconds or more, and shows prices"
        )
    now_s = context.data.now_s()
    end = periods.moment(request.end, now_s) if request.end else now_s
    fine = span < 60
    if fine and ((back.seconds or back.units * 86_400) > _MAX_FINE_S[span] or back.unit in "WMY"):
        raise periods.BadPeriod(f"{SERVICE}Time length exceed max.", 162)
    query = Query(
        contract, request.show, end, back, regular=request.regular, fine=fine,
        whole_days=span >= bars.DAY_S,
    )  # fmt: skip
    return query, span


def _check_show(contract: Contract, request: HistoricalData) -> None:
    if request.show not in SHOWS:
        raise periods.BadPeriod(f"Incorrect data type {request.show!r} for historical data")
    if contract.is_option and request.show in ("ADJUSTED_LAST", *OWN_SERIES):
        raise periods.BadPeriod(
            f"{SERVICE}No historical market data for {contract.symbol}/OPT@SMART {request.show}",
            162,
        )
    if not contract.shows(request.show):
        raise periods.BadPeriod(nothing_of(contract, request.show), 162)
    if request.show == "ADJUSTED_LAST" and request.end:
        raise periods.BadPeriod("End Date/Time is not supported with ADJUSTED_LAST")
    if request.show == "SCHEDULE" and request.bar_size != "1 day":
        raise periods.BadPeriod("A schedule needs a bar size of 1 day")


def _paced(
    context: Context, session: Session, request: HistoricalData, contract: Contract, span: int
) -> bool:
    question = (
        *(contract.con_id, request.end, request.bar_size, request.duration, request.show),
        *(request.regular, request.keep),
    )
    return paced(
        context, session, request.req_id, (contract.con_id, request.spec.exchange, request.show),
        question=question, small=span <= 30,
    )  # fmt: skip


def paced(
    context: Context,
    session: Session,
    req_id: int,
    subject: tuple[object, ...],
    *,
    question: tuple[object, ...],
    small: bool,
) -> bool:
    """Hold a request to IB's pacing, or say 162; the last of `subject` is what is shown."""
    weight = 2 if subject[-1] == "BID_ASK" else 1
    now = context.data.clock.monotonic()
    if context.data.pacing.allows(now, subject, question, small=small, weight=weight):
        return True
    session.error(req_id, 162, VIOLATION)
    return False


def _bars(
    context: Context, session: Session, request: HistoricalData, query: Query, span: int
) -> Job:
    pieces: list[Grains] = []
    rows = 0
    for piece in context.data.archive.pieces(query):
        pieces.append(piece)
        rows += len(piece)
        if rows * (1 if query.fine or query.whole_days else 60) > MAX_BARS * span:
            session.error(request.req_id, 162, f"{SERVICE}Time length exceed max.")
            return
        yield
    built = bars.build(grains.join(pieces[::-1]), request.show, span)
    if not built and not request.keep:
        text = f"HMDS query returned no data: {query.contract.symbol}@SMART {request.show.title()}"
        session.error(request.req_id, 162, SERVICE + text)
        return
    as_number = request.date_format == 2
    session.send_message(
        "historical_data",
        req_id=request.req_id,
        **told(query.duration, query.end),
        bars_details=[len(built), *bars.written(built, span, as_number=as_number)],
    )


def told(duration: periods.Duration, end: float) -> dict[str, str]:
    """Return how message 17 names the period: by the calendar, whatever bars there are."""
    began = duration.began(end)
    return {
        "start": bars.moment(began, 1, as_number=False),
        "end": bars.moment(end, 1, as_number=False),
    }


def _keep(
    context: Context, session: Session, request: HistoricalData, contract: Contract, span: int
) -> None:
    stream = KeptBars(
        session,
        request.req_id,
        contract,
        show=request.show,
        span=span,
        as_number=request.date_format == 2,
        tally=context.data.tally,
    )
    context.data.open(stream)


def _schedule(context: Context, session: Session, request: HistoricalData, query: Query) -> None:
    count = query.duration.sessions
    first = query.duration.first_day(bars.day_of(query.end))
    days = context.data.archive.days(query.contract, query.end)
    days = [day for day in days if first is None or day > first][: count or len(days)][::-1]
    opens, closes = ("09:30:00", "16:00:00") if query.regular else ("04:00:00", "20:00:00")
    listed: list[object] = [len(days)]
    for day in days:
        listed += [f"{day:%Y%m%d}-{opens}", f"{day:%Y%m%d}-{closes}", f"{day:%Y%m%d}"]
    session.send_message(
        "historical_schedule",
        req_id=request.req_id,
        start=listed[1] if days else "",
        end=listed[-2] if days else "",
        zone=hours.ZONE_ID,
        sessions_details=listed,
    )


def cancel_bars(context: Context, session: Session, request: Request) -> None:
    """Answer cancelHistoricalData (25): 162 when something ends, 366 when there is nothing."""
    ended = context.data.end(session, request.req_id)
    if context.data.streams.cancel(session, request.req_id, KEPT) or ended:
        text = f"API historical data query cancelled: {request.req_id}"
        session.error(request.req_id, 162, SERVICE + text)
    else:
        text = f"No historical data query found for ticker id:{request.req_id}"
        session.error(request.req_id, 366, text)


# -- first dates and histograms ----------------------------------------------------------------


def head_timestamp(context: Context, session: Session, request: HeadTimestamp) -> None:
    """Answer reqHeadTimeStamp (87)."""
    contract = resolve(context, session, request.req_id, request.spec)
    if contract is None:
        return
    days = context.data.archive.days(contract, context.data.now_s())
    if not contract.shows(request.show):
        session.error(request.req_id, 162, nothing_of(contract, request.show))
        return
    if not days or request.show not in SHOWS:
        text = f"HMDS query returned no data: {contract.symbol}@SMART {request.show.title()}"
        session.error(request.req_id, 162, SERVICE + text)
        return
    first = hours.regular(days[-1])[0]
    at = datetime.fromtimestamp(first, timezone.utc)
    written = str(int(first)) if request.date_format == 2 else f"{at:%Y%m%d-%H:%M:%S}"
    session.send_message("head_timestamp", req_id=request.req_id, timestamp=written)


def histogram(context: Context, session: Session, request: Histogram) -> None:
    """Answer reqHistogramData (88)."""
    contract = resolve(context, session, request.req_id, request.spec)
    if contract is None:
        return
    try:
        back = periods.period(request.period)
    except periods.BadPeriod as bad:
        refuse(session, request.req_id, str(bad), bad.code)
        return
    if not contract.shows("TRADES"):
        session.error(request.req_id, 162, nothing_of(contract, "TRADES"))
        return
    query = Query(contract, "TRADES", context.data.now_s(), back, regular=request.regular)
    context.data.start(session, request.req_id, _histogram(context, session, request, query))


def _histogram(context: Context, session: Session, request: Request, query: Query) -> Job:
    sizes: Counter[float] = Counter()
    for piece in context.data.archive.pieces(query):
        there = piece[~np.isnan(piece[:, grains.TRADES.start])]
        closes, volumes = there[:, grains.TRADES.stop - 1], there[:, grains.VOLUME]
        for price, size in zip(closes.tolist(), volumes.tolist(), strict=True):
            sizes[price] += int(size)
        yield
    listed = [part for entry in sorted(sizes.items()) for part in entry]
    session.send_message("histogram", req_id=request.req_id, entries_details=[len(sizes), *listed])


def cancel_job(context: Context, session: Session, request: Request) -> None:
    """Answer the cancels of first dates (90) and histograms (89): without a word."""
    context.data.end(session, request.req_id)


Answer = Callable[[Context, Session, Request], None]
