"""Writes evidence and states: what was heard together is one transaction, in the order of hearing.

A database that is away is waited for; what was not written is heard again from IB, which a
reconciliation asks for everything of the day. Beyond MOST entries the oldest evidence is given up
and the gate stays shut until a reconciliation (the queue never blocks the socket).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import anyio
import orjson
import psycopg

from ibcore import db
from ibcore.clock import utcnow
from ibcore.errors import DatabaseUnavailable
from ibcore.incidents import Incident, IncidentKind, key_of
from ibcore.log import get_logger
from ibcore.order_states import EvidenceKind, IntentKind, IntentState, split_exec_id
from sidecar.orders.book import Tracked
from sidecar.orders.heard import Heard, PnlHeard, PositionHeard

log = get_logger(__name__)

MOST: Final = 20_000
PAGE: Final = 500
RETRY_S: Final = 0.5
WHO: Final = "sidecar orders"
_PRICE: Final = Decimal("0.000000001")


class Entry(NamedTuple):
    """What is written together. `held`: accounts, contracts and time of a full list."""

    heard: Heard | None = None
    tracked: Tracked | None = None
    state: IntentState | None = None
    sent_at: datetime | None = None
    position: PositionHeard | None = None
    pnl: PnlHeard | None = None
    incident: Incident | None = None
    over: tuple[IncidentKind, str, str] | None = None
    held: tuple[tuple[str, ...], tuple[int, ...], datetime] | None = None


class Ledger:
    """The queue to the tables, and its one writer."""

    def __init__(self, db_url: str, *, sidecar: str, epoch: int) -> None:
        self._url = db_url
        self._me: Mapping[str, Any] = {"sidecar": sidecar, "epoch": epoch}
        self._queue: deque[Entry] = deque()
        self._wake = anyio.Event()
        self._busy = False
        self.lost = 0
        self.on_lost: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> int:
        """Return how much is not written yet."""
        return len(self._queue) + self._busy

    def add(self, entry: Entry) -> None:
        """Take what is to be written; never waits."""
        if len(self._queue) >= MOST:
            self._queue.popleft()
            self.lost += 1
            self.on_lost()
        self._queue.append(entry)
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled; a database that is away is waited for."""
        while True:
            try:
                async with db.opened(self._url, application="orders ledger") as conn:
                    while True:
                        await self._wake.wait()
                        self._wake = anyio.Event()
                        await self._write_all(conn)
            except DatabaseUnavailable as away:
                log.warning("orders_ledger_paused", why=str(away), waiting=self.waiting)
                self._wake.set()
                await anyio.sleep(RETRY_S)

    async def drain(self, within_s: float) -> bool:
        """Write what is left; say whether all of it was."""
        with anyio.move_on_after(within_s):
            try:
                async with db.opened(self._url, application="orders ledger") as conn:
                    await self._write_all(conn)
            except DatabaseUnavailable as away:
                log.warning("orders_ledger_not_drained", why=str(away), waiting=self.waiting)
        return not self._queue

    async def _write_all(self, conn: db.Connection) -> None:
        while self._queue:
            page = [self._queue.popleft() for _ in range(min(PAGE, len(self._queue)))]
            self._busy = True
            try:
                await self._write(conn, page)
            except DatabaseUnavailable:
                self._queue.extendleft(reversed(page))
                raise
            except psycopg.Error:
                # A fault of ours: what was heard is asked for again, and nothing waits behind it.
                log.exception("orders_ledger_refused", entries=len(page))
                self.lost += len(page)
                self.on_lost()
            finally:
                self._busy = False

    async def _write(self, conn: db.Connection, page: list[Entry]) -> None:
        with db.translated():
            async with conn.transaction():
                for entry in page:
                    await self._note(conn, entry)
                for entry in _steps(page):
                    await self._step(conn, entry)

    async def _note(self, conn: db.Connection, entry: Entry) -> None:
        if entry.heard is not None:
            await conn.execute(db.QUERIES["order_event_note"], self._event(entry, entry.heard))
            await _execution(conn, entry)
        if entry.position is not None:
            await conn.execute(
                db.QUERIES["position_note"], entry.position._asdict() | dict(self._me)
            )
        if entry.held is not None:
            accounts, con_ids, before = entry.held
            held = {"accounts": list(accounts), "con_ids": list(con_ids), "before": before}
            await conn.execute(db.QUERIES["position_forget"], held)
        if entry.pnl is not None:
            await conn.execute(
                db.QUERIES["account_state_note"], _account_state(entry.pnl) | dict(self._me)
            )
        if entry.incident is not None:
            await conn.execute(db.QUERIES["open_incident"], entry.incident.row())
        if entry.over is not None:
            kind, about, reason = entry.over
            closed = {"key": key_of(kind, about), "reason": reason}
            await conn.execute(db.QUERIES["close_incident"], closed)

    def _event(self, entry: Entry, heard: Heard) -> dict[str, Any]:
        return {
            **self._me,
            "at": heard.at,
            "intent_id": entry.tracked.id if entry.tracked else None,
            "kind": str(heard.kind),
            "order_id": heard.order_id or None,
            "perm_id": heard.perm_id or None,
            "status": heard.status or None,
            "code": heard.code,
            "state": None if entry.state is None else str(entry.state),
            "detail": heard.text or None,
            "raw": None if heard.raw is None else orjson.dumps(heard.raw, default=str).decode(),
        }

    async def _step(self, conn: db.Connection, entry: Entry) -> None:
        assert entry.tracked is not None
        view, average = entry.tracked.view, entry.tracked.view.average_price
        values = {
            "id": entry.tracked.id,
            "state": None if entry.state is None else str(entry.state),
            "reason": view.reason,
            "perm_id": view.perm_id,
            "filled": view.filled,
            "average_price": None if average is None else average.quantize(_PRICE),
            "sent_at": entry.sent_at,
        }
        await conn.execute(db.QUERIES["order_state"], values)


def _steps(page: list[Entry]) -> list[Entry]:
    """Return every step of a state, and one entry for each intent that only learned something."""
    moved = [entry for entry in page if entry.tracked is not None and entry.state is not None]
    known = {entry.tracked.id for entry in moved if entry.tracked is not None}
    told = {entry.tracked.id: entry for entry in page if entry.tracked is not None}
    return moved + [entry for key, entry in told.items() if key not in known]


async def _execution(conn: db.Connection, entry: Entry) -> None:
    assert entry.heard is not None
    heard, done, cost = entry.heard, entry.heard.execution, entry.heard.commission
    if done is not None:
        base, revision = split_exec_id(done.exec_id)
        values = done._asdict() | {
            "base": base,
            "revision": revision,
            "intent_id": entry.tracked.id if entry.tracked else None,
            "client_id": heard.client_id,
            "order_id": heard.order_id,
            "perm_id": heard.perm_id,
            "order_ref": heard.order_ref,
        }
        await conn.execute(db.QUERIES["execution_note"], values)
    if cost is not None:
        await conn.execute(db.QUERIES["commission_note"], cost._asdict())


def _account_state(pnl: PnlHeard) -> dict[str, Any]:
    return {
        "account": pnl.account,
        "daily_pnl": pnl.daily,
        "unrealized_pnl": pnl.unrealized,
        "realized_pnl": pnl.realized,
    }


def entries_of(tracked: Tracked | None, heard: Heard) -> list[Entry]:
    """Return what one word becomes: a row, its steps, and what people must know."""
    if tracked is None:
        return [Entry(heard)]
    steps, tracked.steps = tracked.steps, []
    if not steps:
        return [Entry(heard, tracked)]
    entries = [Entry(heard, tracked, steps[0])]
    entries += [Entry(None, tracked, state) for state in steps[1:]]
    if tracked.kind is IntentKind.new:
        entries += _told(tracked, steps[-1])
    elif steps[-1] is IntentState.unknown:
        entries.append(_change_told(tracked))
    return entries


def _change_told(tracked: Tracked) -> Entry:
    row, about = tracked.row, str(tracked.id)
    summary = (
        f"It is unknown whether the {tracked.kind} of {row['side']} {row['symbol']} of"
        f" {row['account']} was taken: {tracked.view.reason}."
    )
    detail = {"intent": about, "order_id": tracked.order_id}
    kind = IncidentKind.order_change_unknown
    return Entry(incident=Incident(kind, about, summary, WHO, detail))


def _told(tracked: Tracked, state: IntentState) -> list[Entry]:
    """Return what people must know of a step, in the transaction of the step."""
    row, view, about = tracked.row, tracked.view, str(tracked.id)
    what = f"{row['side']} {row['quantity'].normalize():f} {row['symbol']} of {row['account']}"
    detail = {"intent": about, "order_id": tracked.order_id, "perm_id": view.perm_id}
    if state is IntentState.unknown:
        tracked.told_unknown = True
        summary = f"It is unknown what became of {what}: {view.reason}. Nothing is sent again."
        return [Entry(incident=Incident(IncidentKind.order_unknown, about, summary, WHO, detail))]
    entries: list[Entry] = []
    if tracked.told_unknown:
        tracked.told_unknown = False
        entries.append(Entry(over=(IncidentKind.order_unknown, about, f"it is known: {state}")))
    if state is IntentState.rejected:
        summary = f"{what} was rejected: {view.reason}"
        incident = Incident(IncidentKind.order_rejected, about, summary, WHO, detail)
        entries.append(Entry(incident=incident))
    return entries


def word(kind: EvidenceKind, tracked: Tracked, text: str) -> Heard:
    """Return a word of our own about an intent."""
    return Heard(kind, utcnow(), tracked.order_id, tracked.client_id, text=text)
