"""Trading: the book, the desk before it and the account behind it, put together for a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ibcore.sim.account import Account
from ibcore.sim.book import Book
from ibcore.sim.byhand import ByHand
from ibcore.sim.config import SimConfig
from ibcore.sim.desk import Desk
from ibcore.sim.feeds import AccountFeeds
from ibcore.sim.marks import Marks
from ibcore.sim.orderledger import OrderLedger
from ibcore.sim.orderwire import OrderWire
from ibcore.sim.source import Source

if TYPE_CHECKING:
    from ibcore.sim.session import Session


class Trading:
    """Everything about orders and the account of one gateway."""

    def __init__(
        self,
        config: SimConfig,
        source: Source,
        sessions: Mapping[int, Session],
        *,
        ledger: OrderLedger,
    ) -> None:
        self.wire = OrderWire(sessions, master=config.master_client_id)
        marks = Marks(source, config.clock)
        self.book = Book(config, marks, self.wire, ledger=ledger)
        self.desk = Desk(config, source, marks, book=self.book)
        self.by_hand = ByHand(self.desk, self.book, source.universe, account=config.account)
        self.account = Account(
            config.account, self.book.portfolio, mark=marks.price, margin=self.desk.margin
        )
        self.feeds = AccountFeeds(self.account, config.clock)

    def turn(self) -> None:
        """Match, then show what came of it."""
        self.book.turn()
        self.feeds.turn(self.book.blotter.changes)

    def drop(self, session: Session) -> None:
        """Forget what a session that ended was subscribed to; its orders stay."""
        self.feeds.drop(session)
