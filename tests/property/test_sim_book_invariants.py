"""What holds of the book whatever clients and markets do: a machine that tries it all.

A failure prints the steps, the blob that repeats them, and the seed (set it as IBKEEPER_SEED).
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ibcore import clock
from ibcore.sim.positions import START_CASH
from ibcore.sim.tickets import DONE, Ticket
from tests.property.sim_floor import AAPL, BAG, CALL, Floor

SEED = int(os.environ.get("IBKEEPER_SEED", "0")) or clock.unix_ns() % 2**32
MASTER = 9
PRICES = {"AAPL": (190.0, 199.9, 200.0, 200.1, 201.0, 215.0), "CALL": (4.0, 5.05, 5.1, 6.0),
          "BAG": (-1.0, 1.0, 2.05, 2.1, 3.0)}  # fmt: skip
CONTRACTS: dict[str, Any] = {"AAPL": AAPL, "CALL": CALL, "BAG": BAG}
WORDS = {"open_order", "order_status", "execution"}

orders = st.fixed_dictionaries({
    "kind": st.sampled_from(["MKT", "LMT", "LMT", "STP", "STP LMT", "TRAIL"]),
    "quantity": st.sampled_from([1, 3, 40, 700]),
    "action": st.sampled_from(["BUY", "SELL"]),
    "tif": st.sampled_from(["DAY", "GTC", "IOC", "FOK", "GTD"]),
    "oca_group": st.sampled_from(["", "", "g", "h"]),
    "oca_type": st.sampled_from([0, 1, 2, 3]),
    "transmit": st.sampled_from([1, 1, 0]),
    "all_or_none": st.sampled_from([0, 0, 1]),
    "algo_strategy": st.sampled_from(["", "", "Adaptive"]),
})  # fmt: skip


class BookMachine(RuleBasedStateMachine):
    """Two clients, a master client, and a market."""

    def __init__(self) -> None:
        super().__init__()
        note(f"IBKEEPER_SEED={SEED}")
        self.floor = Floor(2, MASTER, master_client_id=MASTER, cancel_s=0.5)
        self.book = self.floor.book
        self.ended: dict[int, str] = {}

    def _pick(self, data: st.DataObject, *, live: bool = True) -> Ticket | None:
        known = self.book.live if live else list(self.book.tickets.values())
        return data.draw(st.sampled_from(known)) if known else None

    @rule(data=st.data(), order=orders, name=st.sampled_from(list(CONTRACTS)),
          by=st.sampled_from([1, 2]), child=st.booleans())  # fmt: skip
    def place(
        self, data: st.DataObject, order: dict[str, Any], name: str, by: int, child: bool
    ) -> None:
        price = data.draw(st.sampled_from(PRICES[name]))
        given = {**order, "lmt_price": price, "aux_price": abs(price), "by": by}
        given["good_till_date"] = "20261123-15:00:30" if order["tif"] == "GTD" else ""
        parent = self._pick(data) if child else None
        if parent is not None and parent.client_id == by:
            given["parent_id"] = parent.order_id
        self.floor.try_place(contract=CONTRACTS[name], **given)
        if data.draw(st.booleans()):
            self.book.turn()

    @rule(data=st.data(), quantity=st.sampled_from([None, None, 1, 40, 900, 5_000]))
    def change(self, data: st.DataObject, quantity: float | None) -> None:
        ticket = self._pick(data)
        if ticket is None:
            return
        quantity = ticket.filled if quantity is None else quantity
        name = "BAG" if ticket.contract.legs else "CALL" if ticket.contract.is_option else "AAPL"
        values = {key: ticket.order.text(key) for key in ("action", "tif", "good_till_date")}
        price = data.draw(st.sampled_from(PRICES[name]))
        self.floor.try_place(
            ticket.order.order_type, quantity, contract=CONTRACTS[name], by=ticket.client_id,
            order_id=ticket.order_id, lmt_price=price, aux_price=abs(price), **values,
        )  # fmt: skip

    @rule(data=st.data(), by=st.sampled_from([1, 2, MASTER]))
    def cancel(self, data: st.DataObject, by: int) -> None:
        ticket = self._pick(data, live=False)
        if ticket is not None:
            self.floor.trading.desk.cancel(self.floor.clients[by], ticket.order_id)  # type: ignore[arg-type]

    @rule()
    def cancel_all(self) -> None:
        self.floor.trading.desk.cancel_all(self.floor.client)  # type: ignore[arg-type]

    @rule(bid=st.sampled_from([189.0, 199.9, 200.0, 214.0]), size=st.sampled_from([0, 5, 300]))
    def quote(self, bid: float, size: float) -> None:
        self.floor.hand.quote(bid, size, bid + 0.1, size + 20, last=bid)
        self.floor.hand.boards[CALL.con_id].quote(bid / 40, size, bid / 40 + 0.05, size + 2)

    @rule()
    def turn(self) -> None:
        self.book.turn()

    @rule(seconds=st.sampled_from([0.1, 1.0, 40.0, 90_000.0]))
    def wait(self, seconds: float) -> None:
        self.floor.hand.at += timedelta(seconds=seconds)

    @rule(data=st.data(), shares=st.sampled_from([1.0, 5_000.0]))
    def force(self, data: st.DataObject, shares: float) -> None:
        ticket = self._pick(data)
        if ticket is not None and ticket.transmitted:
            self.book.force(ticket, shares)

    @precondition(lambda self: bool(self.book.fills))
    @rule(data=st.data(), shares=st.sampled_from([None, 0.0, 2.0, 700.0]))
    def correct(self, data: st.DataObject, shares: float | None) -> None:
        exec_id = data.draw(st.sampled_from(sorted(self.book.fills)))
        with contextlib.suppress(ValueError):  # more than was ordered, or a sum
            self.book.correct(exec_id, price=2.5, shares=shares)

    @rule(by=st.sampled_from([1, 2, MASTER]))
    def come_or_go(self, by: int) -> None:
        if by in self.floor.sessions:
            del self.floor.sessions[by]
        else:
            self.floor.sessions[by] = self.floor.clients[by]

    @rule()
    def restart(self) -> None:
        self.book.restart(keep_ids=True)

    # -- what must hold ----------------------------------------------------------------------

    @invariant()
    def no_order_fills_beyond_its_size(self) -> None:
        for ticket in self.book.tickets.values():
            own = [fill.shares for fill in ticket.fills if fill.contract == ticket.contract]
            assert sum(own) == ticket.filled <= ticket.quantity

    @invariant()
    def positions_are_the_sum_of_executions(self) -> None:
        counted: Counter[int] = Counter()
        for fill in self.book.fills.values():
            if not fill.is_summary:
                counted[fill.contract.con_id] += fill.shares if fill.is_buy else -fill.shares
        held = {con_id: p.quantity for con_id, p in self.book.portfolio.positions.items()}
        assert {k: v for k, v in held.items() if v} == {k: v for k, v in counted.items() if v}

    @invariant()
    def cash_follows_from_executions(self) -> None:
        cash = START_CASH
        for fill in self.book.fills.values():
            if fill.is_summary:
                continue
            signed = fill.shares if fill.is_buy else -fill.shares
            cash -= signed * fill.price * float(fill.contract.multiplier or 1)
            cash -= fill.commission if fill.shares else 0.0
        assert self.book.portfolio.cash == pytest.approx(cash, abs=1e-4)
        mark = {AAPL.con_id: 150.0}
        worth = self.book.portfolio.equity(lambda contract: mark.get(contract.con_id, 4.0))
        profit = self.book.portfolio.realized + self.book.portfolio.unrealized(
            lambda contract: mark.get(contract.con_id, 4.0)
        )
        assert worth - START_CASH == pytest.approx(profit, abs=1e-3)

    @invariant()
    def every_execution_has_one_commission(self) -> None:
        for client in self.floor.clients.values():
            told = Counter(
                values["exec_id"] for name, values in client.heard
                if name == "execution" and values["sec_type"] != "BAG"
            )  # fmt: skip
            paid = Counter(v["exec_id"] for name, v in client.heard if name == "commission_report")
            assert told == paid
            assert set(told.values()) <= {1}

    @invariant()
    def an_end_is_an_end(self) -> None:
        for ticket in self.book.tickets.values():
            if ticket.done:
                assert self.ended.setdefault(ticket.perm_id, ticket.status) == ticket.status
            assert ticket.done is (ticket not in self.book.live)
            assert ticket.done or ticket.remaining > 0

    @invariant()
    def nobody_hears_of_the_orders_of_others(self) -> None:
        for number, client in self.floor.clients.items():
            told = {values["client_id"] for name, values in client.heard if name in WORDS}
            assert number == MASTER or told <= {number}

    def teardown(self) -> None:
        """Cancel everything: every order must end, and the boards be given up."""
        self.cancel_all()
        self.wait(1.0)
        self.book.turn()
        assert self.book.live == []
        assert {ticket.status for ticket in self.book.tickets.values()} <= DONE
        assert self.floor.hand.held == 0


TestBook = seed(SEED)(BookMachine).TestCase  # type: ignore[attr-defined]
TestBook.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
