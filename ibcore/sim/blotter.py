"""The blotter: executions get their numbers, move the portfolio and enter the ledger here.

All of that happens before anybody hears of a fill. A combination is executed leg by leg; what is
said of the combination itself is a summary that moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ibcore.sim import executions
from ibcore.sim.config import Clock
from ibcore.sim.contracts import Contract
from ibcore.sim.orderledger import FillRecord, OrderLedger
from ibcore.sim.positions import Portfolio
from ibcore.sim.tickets import Fill, Share, Ticket


@dataclass(frozen=True)
class Piece:
    """What one execution is of: an order's own contract, or a leg of it."""

    contract: Contract
    is_buy: bool
    quantity: float
    price: float
    part: int  # of the fill: 1 is the order's own contract

    @property
    def signed(self) -> float:
        """The quantity, below 0 for a sale."""
        return self.quantity if self.is_buy else -self.quantity

    @property
    def is_of_options(self) -> bool:
        """Whether an option exchange executes it."""
        legs = self.contract.legs
        return (legs[0].contract if legs else self.contract).is_option


class Blotter:
    """Every execution of one gateway."""

    def __init__(self, clock: Clock, ledger: OrderLedger, *, seed: int) -> None:
        self.portfolio = Portfolio()
        self.fills: dict[str, Fill] = {}  # by execution id; a correction takes the place of its own
        self.changes = 0  # grows with every fill: whoever shows positions looks at it
        self._clock = clock
        self._ledger = ledger
        self._seed = seed
        self._executed = 0
        self._numbered = 0

    def execute(
        self, ticket: Ticket, quantity: float, price: float, *, legs: Mapping[int, float]
    ) -> list[Fill]:
        """Book a fill everywhere; `legs` has the price of each leg by contract id."""
        self._executed += 1
        liquidity = 1 if ticket.routed and ticket.limit is not None else 2
        pieces = [Piece(ticket.contract, ticket.order.is_buy, quantity, price, 1)]
        for part, leg in enumerate(ticket.contract.legs, start=2):
            is_buy = leg.is_buy == ticket.order.is_buy
            leg_price = legs[leg.contract.con_id]
            pieces.append(Piece(leg.contract, is_buy, quantity * leg.ratio, leg_price, part))
        ticket.filled += quantity
        working = ticket.status if ticket.cancelling else "Submitted"
        ticket.status = "Filled" if ticket.remaining == 0 else working
        ticket.routed = True
        self.changes += 1
        return [self._book(ticket, piece, liquidity) for piece in pieces]

    def _book(self, ticket: Ticket, piece: Piece, liquidity: int) -> Fill:
        share = ticket.shares.setdefault(piece.contract.con_id, Share())
        due = share.add(piece.contract, piece.quantity, piece.price)
        realized = None
        if not piece.contract.legs:
            realized = self.portfolio.trade(
                piece.contract, piece.signed, price=piece.price, commission=due
            )
        self._numbered += 1
        fill = Fill(
            ticket, piece.contract, piece.is_buy,
            executions.exec_id(self._seed, self._executed, piece.part),
            self._clock.unix_ns(),
            executions.time_text(self._clock.utcnow()),
            executions.exchange(self._executed, option=piece.is_of_options),
            piece.quantity, piece.price, share.filled, share.average, due, realized, liquidity,
            self._numbered,
        )  # fmt: skip
        ticket.fills.append(fill)
        self.fills[fill.exec_id] = fill
        self.record(fill)
        return fill

    def record(self, fill: Fill, corrects: str = "") -> None:
        """Write an execution or a correction into the ledger."""
        ticket = fill.ticket
        self._ledger.fill(
            FillRecord(
                self._ledger.now_ns(), ticket.client_id, ticket.order_id, ticket.perm_id,
                fill.contract.con_id, fill.exec_id, "BOT" if fill.is_buy else "SLD",
                fill.shares, fill.price, fill.commission, fill.realized, corrects,
            )
        )  # fmt: skip
