"""Asks IB for everything about orders, and judges what is not there.

Open orders of all clients, completed orders, executions of the day, positions: the answers come
through the tap like everything else; here is only asked, waited for, and concluded.

    found            whatever it says moves the state
    not found        submitting, sent: `unknown` at once; `not_sent` when a second full scan, some
                     time later in the same session and on the trading day it was sent, has not
                     found it either. acked, partial: `unknown`, until a person says what it is
    no answer        nothing is concluded, the gate stays shut, and it is asked again

"Timed out", "empty" and "unknown" are three different answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio
from ib_async import IB, ExecutionFilter

from ibcore.calendar import trading_date
from ibcore.clock import monotonic, utcnow
from ibcore.errors import RequestTimedOut
from ibcore.log import get_logger
from ibcore.order_states import Evidence, EvidenceKind, IntentKind, IntentState
from sidecar.orders.book import Book, Tracked

log = get_logger(__name__)

LISTS: Final = ("open", "completed", "executions", "positions")
RETRY_S: Final = 2.0
# Between a frame and its order in the list of open ones.
SETTLING_S: Final = 3.0
_UNPROVEN: Final = frozenset({IntentState.submitting, IntentState.sent, IntentState.unknown})

Conclude = Callable[[Tracked, Evidence], None]


class Reconciler:
    """Runs one scan at a time, whenever somebody doubts."""

    def __init__(
        self,
        book: Book,
        *,
        conclude: Conclude,
        on_done: Callable[[], None],
        timeout_s: float,
        absence_s: float,
        inflight_s: float,
    ) -> None:
        self._book = book
        self._conclude = conclude
        self._on_done = on_done
        self._timeout_s = timeout_s
        self._absence_s = absence_s
        self._inflight_s = inflight_s
        self._ib: IB | None = None
        self._session = 0
        self._wanted = anyio.Event()
        self._ends: dict[str, anyio.Event] = {}
        self._looked_at = 0.0
        self.scans = 0
        self.problem: str | None = "it has not begun"

    def connected(self, ib: IB) -> None:
        """Take a new session: what was absent in an older one begins anew."""
        self._ib = ib
        self._session += 1
        for tracked in self._book:
            tracked.absent_at = None
            tracked.sent_at = None
        self.doubt("a new session")

    def lost(self) -> None:
        """Ask nobody until there is a session again."""
        self._ib = None

    def doubt(self, why: str) -> None:
        """Ask for a scan."""
        if not self._wanted.is_set():
            log.info("orders_doubted", why=why)
            self._wanted.set()

    def ended(self, what: str) -> None:
        """Take the end of one of the lists."""
        if what in self._ends:
            self._ends[what].set()

    async def run(self) -> None:
        """Scan whenever somebody doubts, and look after what is in flight, until cancelled."""
        while True:
            with anyio.move_on_after(1.0):
                await self._wanted.wait()
            self._look_after()
            if not self._wanted.is_set() or self._ib is None:
                if self._ib is None:
                    await anyio.sleep(0.05)
                continue
            self._wanted = anyio.Event()
            if not await self._scan(self._ib):
                self._wanted.set()
                await anyio.sleep(RETRY_S)

    async def _scan(self, ib: IB) -> bool:
        session, began = self._session, monotonic()
        for tracked in self._book:
            tracked.seen = False
        try:
            for what in LISTS:
                await self._ask(ib, what)
        except (RequestTimedOut, ConnectionError) as failed:
            self.problem = str(failed)
            log.warning("orders_not_reconciled", why=self.problem)
            return False
        if session != self._session or self._ib is None:
            return self._ib is None  # of a session that is over: the next one asks anew
        self._judge(began)
        self.problem = None
        self.scans += 1
        log.info("orders_reconciled", seconds=round(monotonic() - began, 3))
        self._on_done()
        return True

    async def _ask(self, ib: IB, what: str) -> None:
        self._ends[what] = ended = anyio.Event()
        match what:
            case "open":
                ib.client.reqAllOpenOrders()
            case "completed":
                ib.client.reqCompletedOrders(False)
            case "executions":
                ib.client.reqExecutions(ib.client.getReqId(), ExecutionFilter())
            case _:
                ib.client.reqPositions()
        with anyio.move_on_after(self._timeout_s):
            await ended.wait()
            return
        raise RequestTimedOut(
            f"IB did not end the list of {what} within {self._timeout_s:g} s.",
            remedy="Nothing is sent until it does; is the API read-only?",
        )

    def _judge(self, began: float) -> None:
        for tracked in self._book.working():
            if tracked.seen:
                tracked.absent_at = None
            elif tracked.sent_at is None or tracked.sent_at < began - SETTLING_S:
                self._not_found(tracked, began)

        for change in self._book:
            old = change.sent_at is None or change.sent_at < began - SETTLING_S
            unanswered = change.state in {IntentState.submitting, IntentState.sent}
            if change.kind is not IntentKind.new and unanswered and old:
                text = "IB has not answered it, and the order is as it was; ask again"
                evidence = Evidence(EvidenceKind.absent, state=IntentState.unknown, text=text)
                self._conclude(change, evidence)

    def _not_found(self, tracked: Tracked, began: float) -> None:
        if tracked.absent_at is None:
            tracked.absent_at = began
        twice = began - tracked.absent_at >= self._absence_s
        if twice and self._may_be_proven(tracked):
            text = "two full scans of IB's orders and executions do not have it"
            self._conclude(
                tracked, Evidence(EvidenceKind.absent, state=IntentState.not_sent, text=text)
            )
        elif tracked.state is not IntentState.unknown:
            text = "a full scan of IB's orders and executions does not have it"
            self._conclude(
                tracked, Evidence(EvidenceKind.absent, state=IntentState.unknown, text=text)
            )

    def _look_after(self) -> None:
        """Doubt what was not answered for too long, and look for the absent a second time."""
        now = monotonic()
        if now - self._looked_at < self._inflight_s:
            return
        for tracked in self._book.working():
            waits = tracked.sent_at is not None and now - tracked.sent_at > self._inflight_s
            if tracked.state is IntentState.sent and waits and tracked.absent_at is None:
                self.doubt("no answer to an order")
            if tracked.absent_at is not None and self._may_be_proven(tracked):
                if now - tracked.absent_at < self._absence_s:
                    continue
                self.doubt("an order was absent")
        if self._wanted.is_set():
            self._looked_at = now

    def _may_be_proven(self, tracked: Tracked) -> bool:
        """Say whether a second scan without it would prove that IB never had it."""
        today = trading_date(utcnow()) == trading_date(tracked.submitted_at)
        return today and tracked.state in _UNPROVEN and not tracked.view.perm_id
