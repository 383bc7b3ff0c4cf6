"""One orders connection: what is heard moves the book, what is to go passes the gate.

Everything here runs on the event loop and waits for nothing but the pace: the book is right in
memory at once, the ledger writes it a moment later, and a lost database loses no cancel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anyio
from ib_async import IB, Contract, Order, OrderState

from ibcore import db
from ibcore.clock import monotonic, utcnow
from ibcore.log import get_logger
from ibcore.notices import Action, Notice, Scope
from ibcore.order_states import Evidence, EvidenceKind, IntentKind, IntentState
from ibcore.policy import Pacer
from ibcore.risk import Margin, MarginOutcome
from sidecar.orders import crash, wire
from sidecar.orders.book import Book, Tracked
from sidecar.orders.changes import order_id_of
from sidecar.orders.gate import Gate
from sidecar.orders.heard import Heard, PnlHeard, PositionHeard
from sidecar.orders.ledger import Entry, Ledger, entries_of, word
from sidecar.orders.loading import load
from sidecar.orders.reconcile import Reconciler
from sidecar.orders.reducer import Reducer
from sidecar.orders.tap import OrderTap
from sidecar.orders.what_if import WhatIfs

log = get_logger(__name__)

CANCEL_AGAIN_S: Final = 2.0
PNL_EVERY_S: Final = 1.0


class Engine:
    """The state of one orders connection, and the only way to its socket."""

    def __init__(
        self,
        ledger: Ledger,
        gate: Gate,
        *,
        client_id: int,
        sidecar: str,
        epoch: int,
        messages_per_s: int = 40,
        scan_timeout_s: float = 10.0,
        absence_s: float = 30.0,
        inflight_s: float = 5.0,
    ) -> None:
        self.book = Book()
        self.gate = gate
        self.client_id = client_id
        self.fence: Mapping[str, Any] = {"sidecar": sidecar, "epoch": epoch}
        self.pacer = Pacer(messages_per_s)
        self.what_ifs = WhatIfs()
        self._ledger = ledger
        self._ib: IB | None = None
        self._high = 0
        self._loaded = False
        self._pnl_accounts: dict[int, str] = {}
        self._pnl_at: dict[str, float] = {}
        self._held: set[int] = set()
        self.reconciler = Reconciler(
            self.book,
            conclude=self.conclude,
            on_done=self._reconciled,
            timeout_s=scan_timeout_s,
            absence_s=absence_s,
            inflight_s=inflight_s,
        )
        self._reducer = Reducer(self.book, ledger, client_id=client_id, doubt=self.reconciler.doubt)
        ledger.on_lost = lambda: self._doubt("evidence was lost before it was written")

    # what the session calls

    def on_ready(self, ib: IB) -> None:
        """Listen to a new session; nothing is sent until it is reconciled."""
        self._ib = ib
        OrderTap(self).attach(ib)
        self.gate.ready, self.gate.link_up, self.gate.reconciled = True, True, False
        self.gate.accounts = tuple(ib.client.getAccounts())
        self._begin(ib)

    def on_lost(self, reason: str) -> None:
        """Shut the gate: what was on its way is IB's to say."""
        log.warning("orders_session_lost", why=reason)
        self._ib = None
        self.gate.ready = self.gate.reconciled = False
        self.reconciler.lost()

    def on_notice(self, _req_id: int, notice: Notice, _text: str) -> None:
        """Follow the link between the gateway and IB."""
        if notice.scope is not Scope.link:
            return
        if notice.action is Action.mark_stale:
            self.gate.link_up = self.gate.reconciled = False
        elif notice.action in {Action.resubscribe, Action.verify_lines}:
            self.gate.link_up = True
            self._doubt("the link is back")

    def _begin(self, ib: IB) -> None:
        if not self._loaded:
            return
        next_id = ib.client.getReqId()
        if next_id <= (known := self.book.highest_known()):
            self._reducer.note_rollback(next_id, known)
        if next_id <= self._high:
            ib.client.updateReqId(self._high + 1)
        for account in self.gate.accounts:
            req_id = ib.client.getReqId()
            self._pnl_accounts[req_id] = account
            ib.client.reqPnL(req_id, account, "")
        self.reconciler.connected(ib)

    def _doubt(self, why: str) -> None:
        self.gate.reconciled = False
        self.reconciler.doubt(why)

    def _reconciled(self) -> None:
        self.gate.reconciled = True

    # what the tap calls

    def heard(self, heard: Heard) -> None:
        """Take one word about an order."""
        if not self._loaded:
            return  # whose it is cannot be said yet; the reconciliation asks for it again
        if heard.kind is EvidenceKind.error and self.what_ifs.refused(heard.order_id, heard.text):
            return
        crash.point(f"heard_{heard.kind}")
        self._reducer.take(heard)

    def what_if(self, order_id: int, state: OrderState) -> None:
        """Take the answer to a what-if."""
        self.what_ifs.answered(order_id, state)

    def position(self, position: PositionHeard) -> None:
        """Take what is held."""
        self._held.add(position.con_id)
        self._ledger.add(Entry(position=position))

    def pnl(self, req_id: int, pnl: PnlHeard) -> None:
        """Take profit and loss, at most one a second an account."""
        account, now = self._pnl_accounts.get(req_id), monotonic()
        if account is None or now - self._pnl_at.get(account, 0.0) < PNL_EVERY_S:
            return
        self._pnl_at[account] = now
        self._ledger.add(Entry(pnl=pnl._replace(account=account)))

    def ended(self, what: str) -> None:
        """Take the end of a list."""
        if what == "positions":
            self._ledger.add(Entry(held=(self.gate.accounts, tuple(self._held), utcnow())))
            self._held = set()
        self.reconciler.ended(what)

    # what the sender calls

    async def load(self, conn: db.Connection) -> None:
        """Remember what earlier starts left; once, before anything is heard or sent."""
        if self._loaded:
            return
        self._high = await load(conn, self.book, client_id=self.client_id, fence=self.fence)
        self._loaded = True
        if self._ib is not None:
            self._begin(self._ib)

    def next_order_id(self) -> int:
        """Return an id above every one ever given out; whoever uses it makes it durable first."""
        self._high = max(self._high + 1, self._client().client.getReqId())
        return self._high

    async def send(self, tracked: Tracked, *, last: bool) -> None:
        """Hand a committed intent to the transport, or prove that it was not."""
        await self.paced()
        self.book.add(tracked)
        cancel = tracked.kind is IntentKind.cancel
        why = self.gate.why_no_cancel() if cancel else self.gate.why()
        if why is None:
            try:
                self._frame(tracked, last=last)
            except ConnectionError as closed:
                why = str(closed)
        if why is not None:
            text = f"not handed to the transport: {why}"
            evidence = Evidence(EvidenceKind.not_sent, state=IntentState.not_sent, text=text)
            self.conclude(tracked, evidence)
            return
        tracked.sent_at = monotonic()
        crash.point("after_frame")
        tracked.take(Evidence(EvidenceKind.sent))
        entries = entries_of(tracked, word(EvidenceKind.sent, tracked, ""))
        self._ledger.add(entries[0]._replace(sent_at=utcnow()))
        for entry in entries[1:]:
            self._ledger.add(entry)

    def _frame(self, tracked: Tracked, *, last: bool) -> None:
        client, row = self._client().client, tracked.row
        crash.point("before_frame")
        if tracked.kind is IntentKind.cancel:
            client.cancelOrder(tracked.order_id, "")
        else:
            contract, order = self._order(row.get("terms") or row, last=last)
            client.placeOrder(tracked.order_id, contract, order)
        self.pacer.sent(monotonic())

    def _order(self, terms: Mapping[str, Any], *, last: bool) -> tuple[Contract, Order]:
        parent = self.book.get(terms["parent_id"])
        try:
            parent_id = parent.order_id if parent else 0
            order = wire.order(terms, parent_order_id=parent_id, transmit=last)
            return wire.contract(terms), order
        except Exception as bug:
            # Terms that our own code cannot write: no byte of it has left.
            log.exception("order_not_written")
            raise ConnectionError(f"a fault of ibkeeper ({type(bug).__name__})") from bug

    async def paced(self) -> None:
        """Wait for the next frame's turn."""
        while (wait_s := self.pacer.wait_s(monotonic())) > 0:  # noqa: ASYNC110 (nothing signals)
            await anyio.sleep(wait_s)

    async def ask_margin(
        self, conn: db.Connection, row: Mapping[str, Any], *, timeout_s: float
    ) -> Margin:
        """Ask IB what the order of a row would tie up; the answer is typed, silence included."""
        try:
            order_id = self.next_order_id()
            reserved = {"client_id": self.client_id, "order_id": order_id}
            await conn.execute(db.QUERIES["order_id_reserve"], reserved)
            await self.paced()
            order = wire.order({**row, "order_ref": ""})
            order.whatIf = True
            self.what_ifs.expect(order_id)
            self._client().client.placeOrder(order_id, wire.contract(row), order)
            self.pacer.sent(monotonic())
        except ConnectionError:
            return Margin(MarginOutcome.not_asked)
        return await self.what_ifs.answer(order_id, timeout_s=timeout_s)

    def note_refused(self, row: Mapping[str, Any], reason: str) -> None:
        """Write down that risk refused an intent; its row says so already."""
        log.warning("order_refused", intent=str(row["id"]), why=reason)
        raw = {"intent": str(row["id"]), "batch": str(row["batch_id"]), "line": row["line"]}
        self._ledger.add(Entry(Heard(EvidenceKind.refused, utcnow(), text=reason, raw=raw)))

    def changeable(self, target: Tracked | None) -> int:
        """Return the order id that a change of `target` must name, or raise Unchangeable."""
        return order_id_of(target)

    def conclude(self, tracked: Tracked, evidence: Evidence) -> None:
        """Take a conclusion of our own, and write it down."""
        tracked.take(evidence)
        self._reducer.settle(tracked)
        for entry in entries_of(tracked, word(evidence.kind, tracked, evidence.text or "")):
            self._ledger.add(entry)

    # what the kill switch calls

    async def cancel_all(self, why: str) -> int:
        """Cancel every order that may work, from memory; return how many cancels were sent."""
        count = 0
        for tracked in self.book.working():
            since = tracked.cancel_sent_at
            if since is not None and monotonic() - since < CANCEL_AGAIN_S:
                continue
            await self.paced()
            if self._ib is None or self.gate.why_no_cancel() is not None:
                return count
            try:
                self._ib.client.cancelOrder(tracked.order_id, "")
            except ConnectionError:  # the socket is closed, and the session is about to say so
                return count
            self.pacer.sent(monotonic())
            tracked.cancel_sent_at = monotonic()
            count += 1
        if count:
            log.error("orders_cancelled_all", orders=count, why=why)
        return count

    def _client(self) -> IB:
        if self._ib is None:
            raise ConnectionError("the orders session is not ready")
        return self._ib
