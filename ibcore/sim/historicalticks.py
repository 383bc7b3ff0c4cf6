"""Historical ticks (96 to 98): one a second at most, taken from the second's grain.

A trade of a second is at its close, of its volume, so that ticks add up to the one-second bars.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ibcore.sim import bars, grains, historical, hours, periods, refusals
from ibcore.sim.archive import Query
from ibcore.sim.contracts import Contract
from ibcore.sim.datadesk import Job
from ibcore.sim.datarequests import HistoricalTicks, TickByTick
from ibcore.sim.grains import ASK, BID, START, TRADES, VOLUME, Grains
from ibcore.sim.refusals import Context
from ibcore.sim.session import Session
from ibcore.sim.tickbytick import KINDS, SHOWS, exchange_of

MESSAGE_OF: Final = {
    "MIDPOINT": "historical_ticks",
    "BID_ASK": "historical_ticks_bid_ask",
    "TRADES": "historical_ticks_last",
}
MAX_TICKS: Final = 1_000
_CHUNK_S: Final = 1_800
_REACH: Final = 400  # chunks; who finds fewer ticks in them gets fewer


def historical_ticks(context: Context, session: Session, request: HistoricalTicks) -> None:
    """Answer reqHistoricalTicks (96)."""
    contract = refusals.resolve(context, session, request.req_id, request.spec)
    if contract is None or not refusals.permitted(context, session, request.req_id, contract):
        return
    try:
        _check(request, contract)
        moment = periods.moment(request.start or request.end, context.data.now_s())
    except periods.BadPeriod as bad:
        refusals.refuse(session, request.req_id, str(bad), bad.code)
        return
    refusals.warn_of_zone(session, request.req_id, request.start or request.end)
    subject = (contract.con_id, request.spec.exchange, request.show)
    question = ("ticks", *subject, request.start, request.end, request.count, request.regular)
    if historical.paced(context, session, request.req_id, subject, question=question, small=True):
        job = _job(context, session, request, contract, moment)
        context.data.start(session, request.req_id, job)


def _check(request: HistoricalTicks, contract: Contract) -> None:
    if request.show not in MESSAGE_OF:
        raise periods.BadPeriod(f"Incorrect data type {request.show!r} for historical ticks")
    if bool(request.start) == bool(request.end):
        raise periods.BadPeriod("Exactly one of the fields 'start date' and 'end date' must be set")
    if not 0 < request.count <= MAX_TICKS:
        raise periods.BadPeriod(f"The number of ticks must be between 1 and {MAX_TICKS}")
    if not contract.shows(request.show):
        raise periods.BadPeriod(refusals.nothing_of(contract, request.show), 162)


def _job(
    context: Context,
    session: Session,
    request: HistoricalTicks,
    contract: Contract,
    moment: float,
) -> Job:
    """Collect half hours forwards from the start, or backwards from the end."""
    forwards = bool(request.start)
    found: list[Grains] = []
    count = 0
    walk = _forwards if forwards else _backwards
    for piece in walk(context, request, contract, moment):
        rows = _useful(piece, request.show)
        found.append(rows)
        count += len(rows)
        if count >= request.count:
            break
        yield
    rows = grains.join(found if forwards else found[::-1])
    rows = rows[: request.count] if forwards else rows[-request.count :]
    session.send_message(
        MESSAGE_OF[request.show],
        req_id=request.req_id,
        ticks_details=[len(rows), *ticks(rows, request.show, contract)],
        done=True,
    )


def _backwards(
    context: Context, request: HistoricalTicks, contract: Contract, moment: float
) -> Iterator[Grains]:
    cursor = min(moment, context.data.now_s())
    for _ in range(_REACH):
        rows = _chunk(context, request, contract, cursor)
        if not len(rows):
            return
        yield rows
        cursor = float(rows[0, START])


def _forwards(
    context: Context, request: HistoricalTicks, contract: Contract, moment: float
) -> Iterator[Grains]:
    now = context.data.now_s()
    for day in context.data.archive.days(contract, now)[::-1]:
        opens, closes = hours.regular(day) if request.regular else hours.extended(day)
        start = opens
        while start < closes:
            if start + _CHUNK_S > moment:
                rows = _chunk(context, request, contract, start + _CHUNK_S)
                yield grains.between(rows, max(start, moment), now)
            start += _CHUNK_S
    yield grains.between(context.data.archive.live(contract, fine=True), moment, now)


def _chunk(context: Context, request: HistoricalTicks, contract: Contract, end: float) -> Grains:
    """Return half an hour of trading before `end`."""
    back = periods.Duration(_CHUNK_S, "S")
    query = Query(contract, request.show, end, back, regular=request.regular, fine=True)
    return grains.join(list(context.data.archive.pieces(query))[::-1])


def _useful(rows: Grains, show: str) -> Grains:
    shown = bars.prices(rows, "TRADES" if show == "TRADES" else "MIDPOINT")
    useful: Grains = rows[shown[:, 0] == shown[:, 0]]  # not NaN
    return useful


def ticks(rows: Grains, show: str, contract: Contract) -> Iterator[object]:
    """Write the ticks of message 96, 97 or 98."""
    last = TRADES.stop - 1
    for row in rows.tolist():
        time, bid, ask = int(row[START]), row[BID.stop - 1], row[ASK.stop - 1]
        if show == "MIDPOINT":
            yield from (time, 0, round((bid + ask) / 2, 6), 0)
        elif show == "BID_ASK":
            sizes = (100 * (1 + time * 7 % 29), 100 * (1 + time * 11 % 31))
            yield from (time, 0, bid, ask, *sizes)
        else:
            yield from (time, 0, row[last], row[VOLUME], exchange_of(contract), "")


def newest(context: Context, session: Session, request: TickByTick, contract: Contract) -> None:
    """Send the last ticks before a tick-by-tick line opens, as its numberOfTicks asks."""
    show = SHOWS[KINDS[request.kind]]
    asked = HistoricalTicks(
        96, request.req_id, request.spec, count=min(request.count, MAX_TICKS), show=show,
        regular=False,
    )  # fmt: skip
    for _ in _job(context, session, asked, contract, context.data.now_s()):
        pass
