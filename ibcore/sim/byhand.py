"""Orders entered by hand, as a person does in TWS: no client's, until client 0 binds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibcore.sim import orderrules
from ibcore.sim.book import Book
from ibcore.sim.contracts import Contract, Spec, Universe
from ibcore.sim.desk import Desk
from ibcore.sim.orderrules import Refusal
from ibcore.sim.orders import Order
from ibcore.sim.tickets import Ticket

if TYPE_CHECKING:
    from ibcore.sim.session import Session


class ByHand:
    """Enters orders without a client; bound ones get negative ids."""

    def __init__(self, desk: Desk, book: Book, universe: Universe, *, account: str) -> None:
        self._desk = desk
        self._book = book
        self._universe = universe
        self._account = account
        self._binds = False  # client 0 has asked for automatic binding
        self._bound = 0

    def enter(self, order: Order, spec: Spec) -> Ticket:
        """Enter an order; ValueError says why it is refused."""
        contract = orderrules.resolve(self._universe, spec)
        if not isinstance(contract, Contract):
            raise ValueError(contract.text)
        refusal: Refusal | None = orderrules.check(order, contract, account=self._account)
        refusal = refusal or orderrules.check_conditions(order, self._universe)
        if refusal is not None:
            raise ValueError(refusal.text)
        exchange = spec.exchange or "SMART"
        ticket = self._desk.office.write(0, 0, order, contract=contract, exchange=exchange)
        ticket.transmitted = True
        self._book.add(ticket)
        self._book.note(ticket, "placed", detail=f"by hand: {order.summary}")
        if self._binds:
            self._bind(ticket)
        return ticket

    def auto_open(self, session: Session, *, bind: bool) -> None:
        """Answer reqAutoOpenOrders, which only client 0 may ask."""
        if session.client_id:
            text = "Only the default client (i.e 0) can auto bind orders."
            self._book.wire.refuse(session, -1, code=327, text=text)
            return
        self._binds = bind
        if bind:
            self.bind_all()

    def bind_all(self) -> None:
        """Bind to client 0 what was entered by hand."""
        for ticket in [ticket for ticket in self._book.live if ticket.order_id == 0]:
            self._bind(ticket)

    def _bind(self, ticket: Ticket) -> None:
        self._bound += 1
        ticket.order_id = -self._bound
        self._book.index(ticket)
        self._book.wire.tell(
            0, "order_bound", perm_id=ticket.perm_id, client_id=0, order_id=ticket.order_id
        )
        self._book.tell(ticket)
