"""The order desk: takes what sessions ask about orders, checks it, and hands it to the book.

A client sees and changes its own orders only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ibcore.sim import hours, ordermessages, orderrules
from ibcore.sim.assessment import Assessor
from ibcore.sim.book import Book
from ibcore.sim.config import SimConfig
from ibcore.sim.contracts import Contract
from ibcore.sim.margin import Impact, Margin
from ibcore.sim.marks import Marks
from ibcore.sim.orderledger import OrderEvent
from ibcore.sim.orderrequests import PlaceOrder
from ibcore.sim.orderrules import Refusal
from ibcore.sim.orders import Order
from ibcore.sim.source import Source
from ibcore.sim.ticketoffice import TicketOffice
from ibcore.sim.tickets import Ticket

if TYPE_CHECKING:
    from ibcore.sim.session import Session


class Desk:
    """Places, changes and cancels the orders of one gateway."""

    def __init__(self, config: SimConfig, source: Source, marks: Marks, *, book: Book) -> None:
        self._config = config
        self._universe = source.universe
        self._book = book
        self.margin = Margin(book.portfolio, marks.price, marks.spot)
        self._assessor = Assessor(marks, self.margin)
        self.office = TicketOffice(config, book.ids)

    # -- placing -----------------------------------------------------------------------------

    def place(self, session: Session, request: PlaceOrder) -> None:
        """Answer placeOrder: a new order, a change of a live one, or a question what if."""
        contract = orderrules.resolve(self._universe, request.spec, request.order.legs)
        if isinstance(contract, Refusal):
            self._refuse(session, request.req_id, contract)
            return
        known = self._book.find(session.client_id, request.req_id)
        if known is not None and not known.done and not request.order.flag("what_if"):
            self._change(session, known, request.order, contract=contract)
        else:
            next_id = self._book.ids.next(session.client_id)
            refusal = orderrules.check_id(request.req_id, next_id, known)
            if refusal is not None:
                self._refuse(session, request.req_id, refusal)
            else:
                self._enter(session, request, contract)

    def _enter(self, session: Session, request: PlaceOrder, contract: Contract) -> None:
        order = request.order
        self._book.ids.use(session.client_id, request.req_id)
        refusal = orderrules.check(order, contract, account=self._config.account)
        refusal = refusal or orderrules.check_conditions(order, self._universe)
        parent = self._parent(session, order)
        if refusal is None and isinstance(parent, Refusal):
            refusal = parent
        if refusal is not None and not refusal.reaches_book:
            self._refuse(session, request.req_id, refusal)
            return
        exchange = request.spec.exchange or "SMART"
        ticket = self.office.write(
            session.client_id, request.req_id, order, contract=contract, exchange=exchange
        )
        above = parent if isinstance(parent, Ticket) else None
        self._tie(ticket, above)
        impact = self._assessor.impact(ticket)
        refusal = refusal or self._assessor.refusal(ticket, impact)
        if order.flag("what_if"):
            self._what_if(session, ticket, impact, refusal=refusal)
        elif refusal is not None:
            self._reject(session, ticket, refusal)
        else:
            self._accept(session, ticket, above)

    def _parent(self, session: Session, order: Order) -> Ticket | Refusal | None:
        parent_id = order.integer("parent_id")
        if not parent_id:
            return None
        parent = self._book.find(session.client_id, parent_id)
        if parent is None or parent.status in {"Cancelled", "Inactive"}:
            return Refusal(135, f"Can't find order with id ={parent_id}")
        return parent

    def _tie(self, ticket: Ticket, parent: Ticket | None) -> None:
        """Make a ticket a child: it waits for its parent, and its siblings are one OCA group."""
        if parent is None:
            return
        ticket.parent_perm_id = parent.perm_id
        ticket.held = "" if parent.status == "Filled" else "child"
        if not ticket.oca_group:
            ticket.oca_group, ticket.oca_type = str(parent.perm_id), 3

    def _what_if(
        self, session: Session, ticket: Ticket, impact: Impact, *, refusal: Refusal | None
    ) -> None:
        self._book.note(ticket, "what_if", session_no=session.number)
        state = self._assessor.state(ticket, impact, refusal)
        self._book.wire.deliver(session, "open_order", **ordermessages.open_order(ticket, state))

    def _reject(self, session: Session, ticket: Ticket, refusal: Refusal) -> None:
        self._book.reject(ticket, refusal.text)
        self._book.note(ticket, "refused", session_no=session.number, detail=refusal.text)
        values = ordermessages.order_status(ticket)
        self._book.wire.tell(ticket.owner, "order_status", **values)
        self._book.wire.refuse(session, ticket.order_id, code=refusal.code, text=refusal.text)

    def _accept(self, session: Session, ticket: Ticket, parent: Ticket | None) -> None:
        self._book.add(ticket)
        self._book.note(ticket, "placed", session_no=session.number, detail=ticket.order.summary)
        if not ticket.order.text("tif") and self._config.tif_preset:
            text = "Order TIF was set to DAY based on order preset."
            self._book.wire.refuse(session, ticket.order_id, code=10349, text=text)
        if ticket.transmitted:
            self._transmit(session, parent)
            self._open(session, ticket)

    def _transmit(self, session: Session, parent: Ticket | None) -> None:
        """Send a family off: the last child that is transmitted takes all others with it."""
        if parent is None:
            return
        for ticket in [parent, *self._book.children(parent)]:
            if not ticket.transmitted and not ticket.done:
                ticket.transmitted = True
                self._open(session, ticket)

    def _open(self, session: Session, ticket: Ticket) -> None:
        now = self._config.clock.utcnow()
        closed = self._config.trading_hours and not hours.is_open(now)
        self._book.tell(ticket)
        if closed and not ticket.order.flag("outside_rth"):
            ticket.held = ticket.held or "hours"
            order = ticket.order
            what = f"{order.text('action')} {ticket.quantity:g} {ticket.contract.symbol}"
            text = (
                f"Order Message:\n{what} {ticket.contract.name.primary_exchange}\nWarning: your"
                " order will not be placed at the exchange until"
                f" {hours.next_opening(now):%Y-%m-%d %H:%M:%S} US/Eastern"
            )
            self._book.wire.refuse(session, ticket.order_id, code=399, text=text)

    def _refuse(self, session: Session, order_id: int, refusal: Refusal) -> None:
        at_ns = self._book.ledger.now_ns()
        detail = f"{refusal.code} {refusal.text}"
        event = OrderEvent(
            at_ns,
            session.number,
            session.client_id,
            order_id,
            0,
            0,
            "refused",
            "",
            0.0,
            0.0,
            detail,
        )
        self._book.ledger.event(event)
        self._book.wire.refuse(session, order_id, code=refusal.code, text=refusal.text)

    # -- changing ----------------------------------------------------------------------------

    def _change(
        self, session: Session, ticket: Ticket, order: Order, *, contract: Contract
    ) -> None:
        # A family keeps its ties: clients repeat a child without the group that TWS gave it.
        group = order.text("oca_group") or ticket.oca_group
        order = replace(order, values={**order.values, "oca_group": group})
        refusal = self._check_change(ticket, order, contract)
        if refusal is not None:
            self._refuse(session, ticket.order_id, refusal)
            return
        ticket.oca_group = group
        self.office.price(ticket, order)
        if order.flag("transmit"):
            self._release(session, ticket)
        self._book.note(ticket, "modified", session_no=session.number, detail=order.summary)
        if not ticket.remaining:
            self._book.complete(ticket)
        elif ticket.transmitted:
            self._book.tell(ticket)

    def _check_change(self, ticket: Ticket, order: Order, contract: Contract) -> Refusal | None:
        same = contract.con_id == ticket.contract.con_id
        refusal = orderrules.check_change(ticket.order, order, same_contract=same)
        refusal = refusal or orderrules.check(order, contract, account=self._config.account)
        refusal = refusal or orderrules.check_conditions(order, self._universe)
        if refusal is None and order.quantity < ticket.filled:
            refusal = orderrules.rejected("The new size is below what is filled.")
        if refusal is not None or order.quantity == ticket.filled:
            return refusal
        changed = replace(ticket)
        self.office.price(changed, order)
        return self._assessor.refusal(changed, self._assessor.impact(changed))

    def _release(self, session: Session, ticket: Ticket) -> None:
        """Transmit what was held back, with the rest of its family."""
        ticket.transmitted = True
        parent = self._book.tickets.get(ticket.parent_perm_id)
        self._transmit(session, parent)

    # -- cancelling --------------------------------------------------------------------------

    def cancel(self, session: Session, order_id: int) -> None:
        """Answer cancelOrder; the cancel takes effect in the next turn, after fills before it."""
        ticket = self._book.find(session.client_id, order_id)
        if ticket is None:
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            self._refuse(session, order_id, Refusal(10147, text))
        elif ticket.done:
            state = ticket.status
            text = f"OrderId {order_id} that needs to be cancelled can not be cancelled, state:"
            self._refuse(session, order_id, Refusal(10148, f"{text} {state}."))
        elif ticket.cancelling:
            text = "Cancel attempted when order is not in a cancellable state.  Order permId ="
            self._refuse(session, order_id, Refusal(161, f"{text}{ticket.perm_id}"))
        else:
            self._book.note(ticket, "cancel", session_no=session.number)
            self._book.ask_cancel(ticket)

    def cancel_all(self, session: Session) -> None:
        """Answer reqGlobalCancel: every order of every client."""
        for ticket in self._book.live:
            if not ticket.cancelling and not ticket.done:
                self._book.note(ticket, "cancel", session_no=session.number, detail="global")
                self._book.ask_cancel(ticket)
