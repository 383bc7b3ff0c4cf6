"""The book: every order of every client, matched against the quotes that the source shows.

Orders live here, not in sessions: they outlast connections, and a restart. One turn of the pump
cancels, expires, triggers and fills, in the order in which orders were entered. A fill takes what
is displayed at the touch, and what it took is gone until the quote changes. All messages leave
through the `OrderWire`; the ledger is written first.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ibcore.sim import conditions, corrections, hours, ordermessages
from ibcore.sim.blotter import Blotter
from ibcore.sim.config import Clock, SimConfig
from ibcore.sim.marks import Marks
from ibcore.sim.orderids import OrderIds
from ibcore.sim.orderledger import OrderEvent, OrderLedger
from ibcore.sim.orderwire import OrderWire
from ibcore.sim.tickets import Fill, Ticket
from ibcore.sim.triggers import expired, marketable, trail, triggers

_AT_ONCE: Final = frozenset({"IOC", "FOK"})


class Book:
    """The orders of one gateway."""

    def __init__(
        self, config: SimConfig, marks: Marks, order_wire: OrderWire, *, ledger: OrderLedger
    ) -> None:
        self.wire = order_wire
        self.ledger = ledger
        self.blotter = Blotter(config.clock, ledger, seed=config.seed)
        self.portfolio = self.blotter.portfolio
        self.fills = self.blotter.fills
        self.tickets: dict[int, Ticket] = {}  # by permanent id, in order of entry
        self._config = config
        self._clock: Clock = config.clock
        self._marks = marks
        self._live: dict[int, Ticket] = {}
        self._by_key: dict[tuple[int, int], Ticket] = {}
        self.ids = OrderIds(config.seed)
        order_wire.on_foreign = self.ids.use
        self._reductions: list[tuple[Ticket, float]] = []

    # -- orders ------------------------------------------------------------------------------

    def find(self, client_id: int, order_id: int) -> Ticket | None:
        """Return a client's latest order of that id."""
        return self._by_key.get((client_id, order_id))

    @property
    def live(self) -> list[Ticket]:
        """The orders that are working, in order of entry."""
        return list(self._live.values())

    def add(self, ticket: Ticket) -> None:
        """Take an order in."""
        self.tickets[ticket.perm_id] = ticket
        if ticket.order_id:
            self.index(ticket)
        if not ticket.done:
            self._live[ticket.perm_id] = ticket
            self._marks.hold(ticket.contract)

    def index(self, ticket: Ticket) -> None:
        """Have `find` find the ticket under its ids."""
        self._by_key[ticket.key] = ticket

    def note(self, ticket: Ticket, what: str, *, session_no: int = -1, detail: str = "") -> None:
        """Write a step of an order into the ledger."""
        self.ledger.event(
            OrderEvent(
                self.ledger.now_ns(), session_no, ticket.client_id, ticket.order_id,
                ticket.perm_id, ticket.contract.con_id, what, ticket.status, ticket.filled,
                ticket.remaining, detail,
            )
        )  # fmt: skip

    def tell(self, ticket: Ticket, *, opened: bool = True) -> None:
        """Note a ticket's status and send it: openOrder, orderStatus."""
        self.note(ticket, "status")
        if opened:
            self.wire.tell(ticket.owner, "open_order", **ordermessages.open_order(ticket))
        self.wire.tell(ticket.owner, "order_status", **ordermessages.order_status(ticket))

    def cancel(self, ticket: Ticket, reason: str = "") -> None:
        """Cancel an order and its children: orderStatus Cancelled, then 202."""
        if ticket.done:
            return
        transmitted = ticket.transmitted
        ticket.status = "Cancelled"
        self._close(ticket, reason or "Cancelled by Trader")
        if transmitted:
            self.tell(ticket, opened=False)
            text = f"Order Canceled - reason:{reason}"
            self.wire.tell(ticket.owner, "error", req_id=ticket.order_id, code=202, text=text)
        else:
            self.note(ticket, "status", detail="never transmitted")
        for child in self.children(ticket):
            self.cancel(child)

    def ask_cancel(self, ticket: Ticket) -> None:
        """Begin to cancel an order; until it takes effect, fills go before it."""
        if not ticket.transmitted:
            self.cancel(ticket)
            return
        ticket.cancelling = True
        ticket.cancels_at = self._clock.monotonic() + self._config.cancel_s
        if self._config.cancel_s:
            ticket.status = "PendingCancel"
            self.tell(ticket, opened=False)

    def reject(self, ticket: Ticket, reason: str) -> None:
        """Keep an order that IB's servers refused: it is known, and done."""
        ticket.status = "Inactive"
        self._stamp(ticket, reason)
        self.add(ticket)

    def children(self, parent: Ticket) -> list[Ticket]:
        """Return the live children of an order."""
        return [ticket for ticket in self.live if ticket.parent_perm_id == parent.perm_id]

    def _close(self, ticket: Ticket, status: str) -> None:
        del self._live[ticket.perm_id]
        self._marks.release(ticket.contract)
        self._stamp(ticket, status)

    def _stamp(self, ticket: Ticket, status: str) -> None:
        at = self._clock.utcnow().astimezone(hours.NEW_YORK)
        ticket.completed_time = f"{at:%Y%m%d %H:%M:%S} America/New_York"
        ticket.completed_status = status

    def restart(self, *, keep_ids: bool = False) -> None:
        """Forget what a gateway forgets: orders not transmitted, and (unless kept) the next ids."""
        for ticket in [ticket for ticket in self.live if not ticket.transmitted]:
            ticket.status = "Inactive"
            self.note(ticket, "status", detail="lost with the gateway")
            self._close(ticket, "Inactive")
        if not keep_ids:
            self.ids.forget()

    # -- a turn ------------------------------------------------------------------------------

    def turn(self) -> None:
        """Work every live order once."""
        if not self._live:
            return
        now = self._clock.utcnow()
        for ticket in self.live:
            if not ticket.done and ticket.transmitted:
                self._turn_of(ticket, now)
        reductions, self._reductions = self._reductions, []
        for ticket, share in reductions:
            self._reduce(ticket, share)

    def _turn_of(self, ticket: Ticket, now: datetime) -> None:
        if ticket.cancelling and self._clock.monotonic() >= ticket.cancels_at:
            self.cancel(ticket)
        elif expired(ticket, now):
            self.cancel(ticket, "Order expired.")
        elif ticket.starts is not None and now < ticket.starts:
            return
        elif ticket.order.conditions and not ticket.released:
            self._look(ticket, now)
        elif ticket.held == "hours":
            ticket.held = "" if hours.is_open(now) else "hours"
        elif not ticket.held:
            self._work(ticket)

    def _look(self, ticket: Ticket, now: datetime) -> None:
        """Look at the conditions of an order: it begins to work, or ends, when they are met."""
        met = conditions.met(ticket.order, now, self._marks.look)
        ends = ticket.order.flag("conditions_cancel_order")
        if met and ends:
            self.cancel(ticket, "The conditions of the order are met.")
        elif met:
            ticket.released = True
        elif ends and not ticket.held:
            self._work(ticket)

    def _work(self, ticket: Ticket) -> None:
        quote = self._marks.quote(ticket.contract)
        if ticket.waits:
            trail(ticket, quote)
            if not triggers(ticket, quote):
                return
            ticket.triggered = True
        price, shown = marketable(ticket, quote)
        buy = ticket.order.is_buy
        free = self._marks.untaken(ticket.contract, price, shown, buy=buy) if shown else 0.0
        quantity = min(ticket.remaining, float(int(free)))
        at_once = ticket.order.text("tif") in _AT_ONCE
        whole = ticket.order.text("tif") == "FOK" or ticket.order.flag("all_or_none")
        if quantity > 0 and not (whole and quantity < ticket.remaining):
            self._marks.take(ticket.contract, quantity, buy=buy)
            self._fill(ticket, quantity, price)
        if ticket.done:
            return
        if at_once:
            self.cancel(ticket)
        elif not ticket.routed and not ticket.cancelling:
            ticket.routed = True
            ticket.status = "Submitted"
            self.tell(ticket)

    # -- fills -------------------------------------------------------------------------------

    def force(self, ticket: Ticket, quantity: float) -> None:
        """Fill an order at its limit, or at the middle where it has none, whatever the market."""
        price = self._marks.price(ticket.contract) if ticket.limit is None else ticket.limit
        self._fill(ticket, min(quantity, ticket.remaining), price)

    def _fill(self, ticket: Ticket, quantity: float, price: float) -> None:
        before = ticket.remaining
        legs = self._marks.leg_prices(ticket.contract, price, buying=ticket.order.is_buy)
        fills = self.blotter.execute(ticket, quantity, price, legs=legs)
        for fill in fills:
            self.wire.tell(ticket.owner, "execution", **ordermessages.execution(fill))
        if ticket.status == "Filled":
            self._close(ticket, f"Filled Size: {ticket.filled:g}")
        self.tell(ticket)
        if ticket.done:
            self._settle(ticket)
        for fill in fills:
            self._report(fill)
        self._after(ticket, quantity / before)

    def _settle(self, ticket: Ticket) -> None:
        """Say what a filled order has cost, and that a cancel came too late."""
        state = {"commission": repr(ticket.commission), "commission_currency": "USD"}
        self.wire.tell(ticket.owner, "open_order", **ordermessages.open_order(ticket, state))
        if ticket.cancelling:
            text = "Cancel attempted when order is not in a cancellable state.  Order permId ="
            self.note(ticket, "refused", detail="161 filled before it was cancelled")
            self.wire.tell(
                ticket.owner, "error", req_id=ticket.order_id, code=161,
                text=f"{text}{ticket.perm_id}",
            )  # fmt: skip

    def complete(self, ticket: Ticket) -> None:
        """End an order that was made as small as what is filled of it, or corrected so."""
        if ticket.done or ticket.remaining or not ticket.filled:
            return
        ticket.status = "Filled"
        self._close(ticket, f"Filled Size: {ticket.filled:g}")
        self.tell(ticket)
        self._settle(ticket)
        self._after(ticket, 1.0)

    def _after(self, ticket: Ticket, share: float) -> None:
        """Let children go, and let the rest of an OCA group shrink or die."""
        if ticket.status == "Filled":
            for child in self.children(ticket):
                child.held = "" if child.held == "child" else child.held
        if not ticket.oca_group:
            return
        for other in [other for other in self.live if other.oca_group == ticket.oca_group]:
            if other is ticket:
                continue
            if ticket.oca_type == 1:
                self.cancel(other)
            elif ticket.oca_type == 2:
                self._reduce(other, share)
            else:  # without block, the others may still trade in this very turn
                self._reductions.append((other, share))

    def _reduce(self, ticket: Ticket, share: float) -> None:
        if ticket.done:
            return
        left = float(int(ticket.remaining * (1 - share) + 1e-9))
        ticket.quantity = ticket.filled + left
        if left == 0:
            self.cancel(ticket)
        else:
            self.tell(ticket)

    def correct(
        self, exec_id: str, *, price: float | None = None, shares: float | None = None
    ) -> Fill:
        """Correct an execution: a new id that ends in .02, the numbers of all that follows."""
        fill = corrections.correct(self.blotter, exec_id, price=price, shares=shares)
        self.note(fill.ticket, "correct", detail=f"{exec_id} by {fill.exec_id}")
        self.wire.tell(fill.ticket.owner, "execution", **ordermessages.execution(fill))
        self._report(fill)
        self.complete(fill.ticket)
        return fill

    def _report(self, fill: Fill) -> None:
        if not fill.is_summary:  # what a combination costs is said of its legs
            values = ordermessages.commission_report(fill)
            self.wire.tell(fill.ticket.owner, "commission_report", **values)
